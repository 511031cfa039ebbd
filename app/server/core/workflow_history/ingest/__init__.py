"""Read agents directories: files, agent streams, and the runs built from them."""
