"""Conversion between records and table rows."""
