"""The history for browsers and programs: requests in, answers as pages, JSON and events out. One process.

It asks the same answers as the command line, and decides nothing of its own about runs.
"""
