"""Read the config file; everything else is read from runs."""
