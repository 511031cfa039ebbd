"""Texts and values that the command line and the web pages share."""
