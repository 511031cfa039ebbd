"""Fuzz targets, one per module: `made(folder)` prepares it and returns a function of the input bytes."""

from __future__ import annotations

TARGETS = {
    "state": "a run's state file, through phases 1 to 3 into rows",
    "stream": "a stream of any dialect: read whole, read on, and read for its results alone",
    "folder": "a whole agents folder with odd names and files in it, synced beside an honest run",
    "reference": "ids and beginnings of ids that a caller names",
    "search": "words typed into a search",
    "cursor": "cursors, offsets and sorts of lists",
    "words": "the words of filters, as they are typed or stand in an address",
    "rest": "requests to the server, in process",
    "config": "the file of budgets",
    "database": "a history's file with bytes of it changed",
    "render": "hostile texts of a run, in the terminal, in JSON, in exports and on pages",
}
"""Description of the input by name of the target; its module is `targets/<name>.py`."""
