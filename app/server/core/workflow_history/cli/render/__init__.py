"""What the commands print, as pure functions: dicts and a width in, Rich renderables out. Prints nothing."""
