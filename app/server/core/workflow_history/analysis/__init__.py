"""Analyses of runs: pure functions of records, without files, clock or database."""
