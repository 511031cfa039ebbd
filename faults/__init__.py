"""Fault injection: disturb commands of the program and check the history that is left."""
