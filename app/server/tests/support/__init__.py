"""Builders, servers and browsers that the tests use."""
