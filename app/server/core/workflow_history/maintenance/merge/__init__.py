"""Merge the runs of another history into the history in use."""
