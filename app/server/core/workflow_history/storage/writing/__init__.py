"""Writes to the tables of a history."""
