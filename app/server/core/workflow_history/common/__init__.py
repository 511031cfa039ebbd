"""Records, errors, filters and value helpers that every layer uses."""
