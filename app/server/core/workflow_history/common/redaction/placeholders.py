"""Records of found secrets, and the pattern of the marks that replace them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

MARK: Final = re.compile(r"\[secret: ([a-z0-9 ]{3,60}?)(?: [0-9a-f]{4})?\]")
"""Mark with the kind of a secret and, if it was a key, four digits of its hash."""


class Secret(NamedTuple):
    """Position and kind of a secret in a text."""

    start: int
    end: int
    kind: str
    hashed: str | None = None  # key to be hashed for its mark; None if the hash would make it guessable
