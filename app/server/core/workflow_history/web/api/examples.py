"""Real answers of each operation, shortened: nothing in, what is shown of each out. See `make docs`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

FILE: Final = Path(__file__).with_name("examples.json")


@cache
def examples() -> Mapping[str, Mapping[str, Any]]:
    """Return by an operation's name what was asked (`path`) and answered (`answer`)."""
    if not FILE.is_file():
        return {}
    found: Mapping[str, Mapping[str, Any]] = msgspec.json.decode(FILE.read_bytes())
    return found
