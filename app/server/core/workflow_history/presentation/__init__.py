"""Texts and values of the command line and the pages: what both print."""
