"""Tests of backup, restore, prune, vacuum and merge."""
