"""Split a `.json` file into its objects, one line each, in bounded memory.

The objects may be in an array, on lines or one after the other, compact or indented. A damaged object doesn't
affect the next one, which is found by the way an object begins: no JSON string contains that unescaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .block_reader import LONG_LINE, TruncatingLine

DEEPEST = 10_000  # nesting levels; a deeper object counts as damaged, as no JSON decoder reads it
MOST_DAMAGES = 1_000  # damaged objects after which a file is given up: searching for the next one takes time

_SEPARATORS = re.compile(rb"[\s,\[\]]*+")
_STRUCTURE = re.compile(
    rb'[\s:,0-9eE+.\-truefalsn]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[\s:,0-9eE+.\-truefalsn]*+)*', re.DOTALL
)
"""Complete strings, numbers and literals, up to a bracket, an unclosed string, or invalid JSON.

The outer repetition is not possessive: before Python 3.11.5, a possessive one continued from within an
iteration that failed (python/cpython#106052).
"""

_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_START = re.compile(rb'[,\[\n][ \t\r]{0,200}+(?=\{\s{0,200}+")')
_OBJECT = re.compile(rb'\{\s{0,200}+"')
_BEFORE = re.compile(rb"[,\[\n][ \t\r]*\Z")
_SWALLOWED = re.compile(rb'[,\[\n][ \t\r]*(\{\s*"[a-z]*)\Z')
"""The beginning of an object inside an unclosed string before it."""

_BEHIND = 512  # bytes kept before the position: the beginning of an object may be found late
_CLOSING = {ord("{"): ord("}"), ord("["): ord("]")}
_QUOTE, _BRACE = ord('"'), ord("{")
_AS_BLANKS = bytes.maketrans(b"\r\n", b"  ")
_SHOWN = 200  # bytes kept of text that is not an object


class Elements:
    """Iterator over the objects of a file, each with the number of the line in which it begins."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._at = 0  # position in the buffer
        self._line = 1  # line number of the position
        self._open = 0  # number of open arrays
        self._is_lost = False  # between a damaged object and the next complete one
        self.cut_at: int | None = None
        """Set after the last object, if the file isn't read to its end: the line where reading stopped."""
        self.cut_reason = "the file is cut off"

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield each object as one line without a line feed; a damaged one up to its damage."""
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
        """Skip the separators between objects; return whether anything follows."""
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
        """Skip text that is not an object; return its beginning."""
        text = self._buffer[self._at : self._at + _SHOWN].partition(b"{")[0]
        while (brace := self._buffer.find(b"{", self._at)) < 0:
            self._go_to(len(self._buffer))
            if not self._read_more():
                return _as_line(text)
        self._go_to(brace)
        return _as_line(text)

    def _element(self) -> bytes | None:
        """Return the object that begins here; None if the file ends before the object."""
        kept = _Kept()
        levels = bytearray()
        inside = False  # whether inside a string
        begin = self._at
        while True:
            at, inside, end = _through(self._buffer, self._at, levels, inside=inside)
            if end == "damaged" and len(self._buffer) - at < _BEHIND:
                passed = self._at
                self._read_more()  # the beginning of an object may be split between two pieces
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
        """Move from a damage to the apparent beginning of the next object."""
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
        """Append the next piece to the buffer; return whether there is one."""
        piece = next(self._pieces, b"")
        behind = max(self._at - _BEHIND, 0)
        self._buffer = self._buffer[behind:] + piece
        self._at -= behind
        return bool(piece)


def _through(buffer: bytes, at: int, levels: bytearray, *, inside: bool) -> tuple[int, bool, str]:
    """Follow an object through a buffer.

    Return the position reached, whether a string is open there, and the reason for stopping: "whole",
    "damaged", or "more" if the buffer ends before the object.
    """
    while True:
        if inside:
            at += _length(_REST_OF_STRING, buffer, at)
            if buffer[at : at + 1] != b'"':  # the buffer's end, or a backslash just before it
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
    """Bytes of one object, kept in bounded memory."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0
        self._long: TruncatingLine | None = None

    def add(self, part: bytes) -> None:
        """Append the next bytes."""
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
        """Return the object as one line; if it is very long, with its long strings cut."""
        return _as_line(self._long.truncated() if self._long else b"".join(self._parts))


def _as_line(text: bytes) -> bytes:
    return text.translate(_AS_BLANKS)
