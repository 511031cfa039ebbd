"""Split a `.json` file into its objects in bounded memory: pieces of bytes in, one line per object out.

The objects may stand in an array, in lines or one after the other, packed or indented. A damaged object costs
itself alone: the next one is found by how an object begins, which no JSON string contains unescaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .block_reader import LONG_LINE, TruncatingLine

DEEPEST = 10_000  # levels; no reader follows an object that is nested deeper
MOST_DAMAGES = 1_000  # a file with more is given up: to look for the next object takes time

_SEPARATORS = re.compile(rb"[\s,\[\]]*+")
_STRUCTURE = re.compile(
    rb'[\s:,0-9eE+.\-truefalsn]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[\s:,0-9eE+.\-truefalsn]*+)*', re.DOTALL
)
"""Whole strings, numbers and literals, up to a bracket, a string without an end, or what is no JSON.

The outer repetition is not possessive: before Python 3.11.5, such a one goes on from within an iteration that
failed (python/cpython#106052).
"""

_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_START = re.compile(rb'[,\[\n][ \t\r]{0,200}+(?=\{\s{0,200}+")')
_OBJECT = re.compile(rb'\{\s{0,200}+"')
_BEFORE = re.compile(rb"[,\[\n][ \t\r]*\Z")
_SWALLOWED = re.compile(rb'[,\[\n][ \t\r]*(\{\s*"[a-z]*)\Z')
"""The beginning of an object that an unclosed string before it took in."""

_BEHIND = 512  # bytes kept of what was passed: a beginning may be found late
_CLOSING = {ord("{"): ord("}"), ord("["): ord("]")}
_QUOTE, _BRACE = ord('"'), ord("{")
_AS_BLANKS = bytes.maketrans(b"\r\n", b"  ")
_SHOWN = 200  # bytes kept of what is no object


class Elements:
    """Iterates over the objects of a file, each with the line in which it begins."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._at = 0  # what stands before is passed
        self._line = 1  # of the place `_at`
        self._open = 0  # arrays
        self._is_lost = False  # between a damaged object and the next whole one
        self.cut_at: int | None = None
        """After the last object: the line from which nothing is read, if the file is not read to its end."""
        self.cut_reason = "the file is cut off"

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield each object as one line without its line feed; a damaged one up to its damage."""
        damages = 0
        while damages <= MOST_DAMAGES and self._skip_separators():
            line, was_lost = self._line, self._is_lost
            is_object = self._buffer[self._at] == _BRACE
            element = self._element() if is_object else self._skip_garbage()
            damages += self._is_lost or not is_object
            if element is None:
                self.cut_at = line
                return
            if not (was_lost and self._is_lost):
                yield line, element
        if damages > MOST_DAMAGES:
            self.cut_reason = f"more than {MOST_DAMAGES:,} objects of it are damaged: the rest is not read"
            self.cut_at = self._line
        elif self._open > 0 and not self._is_lost:
            self.cut_at = self._line

    def _skip_separators(self) -> bool:
        """Pass what stands between objects; return whether anything follows."""
        while True:
            found = _SEPARATORS.match(self._buffer, self._at)
            end = found.end() if found else self._at
            self._open += self._buffer.count(b"[", self._at, end) - self._buffer.count(b"]", self._at, end)
            self._go_to(end)
            if end < len(self._buffer):
                return True
            if not self._read_more():
                return False

    def _skip_garbage(self) -> bytes:
        """Pass what is no object; return its beginning."""
        text = self._buffer[self._at : self._at + _SHOWN].partition(b"{")[0]
        while (brace := self._buffer.find(b"{", self._at)) < 0:
            self._go_to(len(self._buffer))
            if not self._read_more():
                return _as_line(text)
        self._go_to(brace)
        return _as_line(text)

    def _element(self) -> bytes | None:
        """Return the object that begins here; None if the file ends before it does."""
        kept = _Kept()
        levels = bytearray()
        inside = False  # a string
        begin = self._at
        while True:
            at, inside, end = _through(self._buffer, self._at, levels, inside=inside)
            if end == "damaged" and len(self._buffer) - at < _BEHIND:
                passed = self._at
                self._read_more()  # a beginning here would be half in the next piece
                begin, at = begin + self._at - passed, at + self._at - passed
            kept.add(self._buffer[self._at : at])
            if end == "damaged":
                self._is_lost = True
                self._find_start(begin, at)
                return kept.line()
            self._go_to(at)
            if end == "whole":
                self._is_lost = False
                return kept.line()
            passed = self._at
            if not self._read_more():
                return None
            begin += self._at - passed

    def _find_start(self, begin: int, at: int) -> None:
        """Go from a damage to where the next object seems to begin."""
        if _OBJECT.match(self._buffer, at) and _BEFORE.search(self._buffer[max(at - 200, 0) : at]):
            self._go_to(at)
            return
        before = max(begin + 1, at - _BEHIND, 0)
        swallowed = _SWALLOWED.search(self._buffer[before:at])
        if swallowed is not None:
            self._go_to(before + swallowed.start(1))
            return
        at = max(at - 1, before)
        while (found := _START.search(self._buffer, at)) is None:
            self._go_to(len(self._buffer))
            if not self._read_more():
                return
            at = max(self._at - _BEHIND, 0)
        self._go_to(found.end())

    def _go_to(self, at: int) -> None:
        count = self._buffer.count
        self._line += count(b"\n", self._at, at) if at >= self._at else -count(b"\n", at, self._at)
        self._at = at

    def _read_more(self) -> bool:
        """Take in the next piece; return whether there is one."""
        piece = next(self._pieces, b"")
        behind = max(self._at - _BEHIND, 0)
        self._buffer = self._buffer[behind:] + piece
        self._at -= behind
        return bool(piece)


def _through(buffer: bytes, at: int, levels: bytearray, *, inside: bool) -> tuple[int, bool, str]:
    """Follow an object through a buffer.

    Return how far it goes, whether a string is open there, and why: it is whole or damaged, or needs more.
    """
    while True:
        if inside:
            at += _length(_REST_OF_STRING, buffer, at)
            if buffer[at : at + 1] != b'"':  # the end, or a backslash before it
                return at, True, "more"
            at += 1
        at += _length(_STRUCTURE, buffer, at)
        if at >= len(buffer):
            return at, False, "more"
        char = buffer[at]
        inside = char == _QUOTE
        if char in _CLOSING:
            is_value = not levels or levels[-1] != _BRACE or _follows_colon(buffer, at)
            if not is_value or len(levels) >= DEEPEST:
                return at, False, "damaged"
            levels.append(char)
        elif not inside:
            if not levels or char != _CLOSING[levels[-1]]:
                return at, False, "damaged"
            levels.pop()
            if not levels:
                return at + 1, False, "whole"
        at += 1


def _length(pattern: re.Pattern[bytes], buffer: bytes, at: int) -> int:
    found = pattern.match(buffer, at)
    return found.end() - at if found else 0


def _follows_colon(buffer: bytes, at: int) -> bool:
    before = buffer[max(at - 64, 0) : at].rstrip()
    return not before or before.endswith(b":")


class _Kept:
    """The bytes of one object, in bounded memory."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0
        self._long: TruncatingLine | None = None

    def add(self, part: bytes) -> None:
        """Take in the next bytes."""
        if self._long is None:
            self._parts.append(part)
            self._length += len(part)
            if self._length <= LONG_LINE:
                return
            self._long = TruncatingLine()
            part = b"".join(self._parts)
            self._parts.clear()
        self._long.feed(part)

    def line(self) -> bytes:
        """Return the object as one line, its long strings cut."""
        return _as_line(self._long.truncated() if self._long else b"".join(self._parts))


def _as_line(text: bytes) -> bytes:
    return text.translate(_AS_BLANKS)
