"""Maintenance of a history: back up, restore, merge, prune and vacuum."""
