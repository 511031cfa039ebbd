"""Reading: folders, streams, and the runs in them."""
