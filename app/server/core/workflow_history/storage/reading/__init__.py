"""Queries of the history's tables."""
