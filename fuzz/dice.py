"""Turn a fuzzer's bytes into choices: bytes in, numbers, picks and texts out. Same bytes, same choices.

Where the bytes end, every choice is the first one, so that what is built from them always ends too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Choices out of bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes were not used yet."""
        return len(self._data) - self._at

    def taken(self, size: int) -> bytes:
        """Return the next bytes, fewer where there are no more."""
        found = self._data[self._at : self._at + size]
        self._at += len(found)
        return found

    def whole(self, least: int, most: int) -> int:
        """Return a number of this range, both ends included."""
        span = most - least + 1
        size = max((span - 1).bit_length() + 7, 8) // 8
        return least + int.from_bytes(self.taken(size), "little") % span

    def pick(self, some: Sequence[T]) -> T:
        """Return one of some."""
        return some[self.whole(0, len(some) - 1)]

    def one_in(self, many: int) -> bool:
        """Return whether a chance of one in many came up; never where the bytes have ended."""
        return self.left > 0 and self.whole(0, many - 1) == many - 1

    def text(self, most: int) -> str:
        """Return bytes as text: any of them, lone surrogates for those that are no UTF-8."""
        return self.taken(self.whole(0, most)).decode("utf-8", "surrogateescape")
