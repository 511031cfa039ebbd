"""Secrets that were found, and the marks that stand in their places."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MARK: Final = re.compile(r"\[secret: ([a-z0-9 ]{3,60}?)(?: [0-9a-f]{4})?\]")
"""What a secret was, and four digits of its hash if it was a key."""


class Secret(NamedTuple):
    """Where a secret is."""

    start: int
    end: int
    kind: str
    hashed: str | None = None  # the key whose hash tells it again; None: it could be guessed by it
