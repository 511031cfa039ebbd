"""Changes of the history's tables."""
