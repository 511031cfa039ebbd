"""Builders, servers and browsers used by the tests."""
