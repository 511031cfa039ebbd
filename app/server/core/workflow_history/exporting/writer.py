"""What every format offers: begin with fields and a file, write batches, finish. Knows no format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Protocol

from .fields import Batch, Field


class Writer(Protocol):
    """Writes batches of rows to an open file, which the caller closes."""

    def write(self, batch: Batch) -> None:
        """Write some rows."""

    def finish(self) -> None:
        """Write what has to come last."""


Writing = Callable[[IO[bytes], Sequence[Field], bool], Writer]
"""How to begin: a file, the fields, and whether cells stay as they are that a spreadsheet would run."""
