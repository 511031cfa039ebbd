"""Where the REST part stands, and what in it has no end that one could wait for. Opens nothing."""

from __future__ import annotations

from typing import Final

API_PREFIX: Final = "/api/v1"
EVENTS_PATH: Final = f"{API_PREFIX}/events"  # nobody can wait for its end, or be given it again
STREAMED_PREFIXES: Final = (
    EVENTS_PATH,
    f"{API_PREFIX}/export/",
)  # beginnings of paths: nobody waits for another's to be read
