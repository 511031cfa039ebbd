"""Queries of the tables of a history."""
