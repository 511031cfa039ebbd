"""What every format offers: begin with fields and a file, write batches, finish. Knows no format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import RawIOBase
from typing import IO, Any, Protocol

from .fields import Batch, Field


class Sink(RawIOBase, IO[bytes]):
    """A file that is taken away piece by piece while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._place = 0

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def write(self, data: Any) -> int:
        """Take some bytes."""
        piece = bytes(data)
        self._pieces.append(piece)
        self._place += len(piece)
        return len(piece)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._place

    def taken(self) -> bytes:
        """Return what was written since it was last taken."""
        found = b"".join(self._pieces)
        self._pieces.clear()
        return found


class Writer(Protocol):
    """Writes batches of rows to an open file, which the caller closes."""

    def write(self, batch: Batch) -> None:
        """Write some rows."""

    def finish(self) -> None:
        """Write what has to come last."""


Writing = Callable[[IO[bytes], Sequence[Field], bool], Writer]
"""How to begin: a file, the fields, and whether cells stay as they are that a spreadsheet would run."""
