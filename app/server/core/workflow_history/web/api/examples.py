"""Example responses of the operations: real but shortened, written by `make docs`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

FILE: Final = Path(__file__).with_name("examples.json")


@cache
def examples() -> Mapping[str, Mapping[str, Any]]:
    """Load the examples by operation name: request (`path`, optional `body`) and response (`answer`).

    They are cached; empty if the file is missing.
    """
    if not FILE.is_file():
        return {}
    examples_by_name: Mapping[str, Mapping[str, Any]] = msgspec.json.decode(FILE.read_bytes())
    return examples_by_name
