"""Formatting of numbers, costs, agents and text for people, in a terminal or on a web page. Pure."""
