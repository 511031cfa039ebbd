"""Where the REST part stands, and what in it has no end that one could wait for. Opens nothing."""

from __future__ import annotations

from typing import Final

PREFIX: Final = "/api/v1"
ENDLESS: Final = f"{PREFIX}/events"  # nobody can wait for its end, or be given it again
STREAMED: Final = (ENDLESS, f"{PREFIX}/export/")  # beginnings of paths: nobody waits for another's to be read
