"""Columns of all runs, packed, for statistics."""
