"""Rows of the tables from records, and back."""
