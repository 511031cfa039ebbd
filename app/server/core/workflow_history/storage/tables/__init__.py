"""The tables, their views and their migrations."""
