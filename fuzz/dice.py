"""Turn a fuzzer's bytes into numbers, picks and texts. The same bytes give the same choices.

When the bytes are used up, every choice is the first one, so everything built from choices is finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Deterministic choices, made from bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Number of unused bytes."""
        return len(self._data) - self._at

    def taken(self, size: int) -> bytes:
        """Return the next `size` bytes, or fewer if not as many are left."""
        found = self._data[self._at : self._at + size]
        self._at += len(found)
        return found

    def whole(self, least: int, most: int) -> int:
        """Return an integer from `least` to `most`, both included."""
        span = most - least + 1
        size = max((span - 1).bit_length() + 7, 8) // 8
        return least + int.from_bytes(self.taken(size), "little") % span

    def pick(self, some: Sequence[T]) -> T:
        """Return one item of a sequence."""
        return some[self.whole(0, len(some) - 1)]

    def one_in(self, many: int) -> bool:
        """Return True with a probability of 1/`many`; always False when no bytes are left."""
        return self.left > 0 and self.whole(0, many - 1) == many - 1

    def text(self, most: int) -> str:
        """Return up to `most` bytes as text, with lone surrogates for bytes that are not UTF-8."""
        return self.taken(self.whole(0, most)).decode("utf-8", "surrogateescape")
