"""Connections, transactions and locks of both databases."""
