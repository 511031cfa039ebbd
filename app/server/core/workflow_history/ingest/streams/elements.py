"""Split a `.json` file into its objects, one line each, in bounded memory.

The objects may be in an array, on lines or one after the other, compact or indented. A damaged object doesn't
affect the next one, which is found by the way an object begins: no JSON string contains that unescaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .block_reader import LONG_LINE, TruncatingLine

MAX_DEPTH = 10_000  # nesting levels; a deeper object counts as damaged, as no JSON decoder reads it
MAX_DAMAGED = 1_000  # damaged objects after which a file is given up: searching for the next one takes time

_SEPARATORS = re.compile(rb"[\s,\[\]]*+")
_STRUCTURE = re.compile(
    rb'[\s:,0-9eE+.\-truefalsn]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[\s:,0-9eE+.\-truefalsn]*+)*', re.DOTALL
)
"""Complete strings, numbers and literals, up to a bracket, an unclosed string, or invalid JSON.

The outer repetition is not possessive: before Python 3.11.5, a possessive one continued from within an
iteration that failed (python/cpython#106052).
"""

_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_NEXT_OBJECT = re.compile(rb'[,\[\n][ \t\r]{0,200}+(?=\{\s{0,200}+")')
_OBJECT_START = re.compile(rb'\{\s{0,200}+"')
_SEPARATOR_BEFORE = re.compile(rb"[,\[\n][ \t\r]*\Z")
_OBJECT_IN_STRING = re.compile(rb'[,\[\n][ \t\r]*(\{\s*"[a-z]*)\Z')
"""The beginning of an object inside an unclosed string before it."""

_LOOKBEHIND = 512  # bytes kept before the position: the beginning of an object may be found late
_CLOSING_BRACKETS = {ord("{"): ord("}"), ord("["): ord("]")}
_QUOTE, _BRACE = ord('"'), ord("{")
_LINE_FEEDS_TO_BLANKS = bytes.maketrans(b"\r\n", b"  ")
_MAX_GARBAGE = 200  # bytes kept of text that is not an object


class Elements:
    """Iterator over the objects of a file, each with the number of the line in which it begins."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._position = 0  # position in the buffer
        self._line = 1  # line number of the position
        self._open_arrays = 0  # number of open arrays
        self.is_damaged = False  # between a damaged object and the next complete one
        self.cut_at: int | None = None
        """Set after the last object, if the file isn't read to its end: the line where reading stopped."""
        self.cut_reason = "the file is cut off"

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield each object as one line without a line feed; a damaged one up to its damage."""
        damage_count = 0
        while damage_count <= MAX_DAMAGED and self._skip_separators():
            line, was_damaged = self._line, self.is_damaged
            is_object = self._buffer[self._position] == _BRACE
            element = self._read_element() if is_object else self._skip_garbage()
            damage_count += self.is_damaged or not is_object
            if element is None:
                self.cut_at = line
                return
            if not (was_damaged and self.is_damaged):
                yield line, element
        if damage_count > MAX_DAMAGED:
            self.cut_reason = f"more than {MAX_DAMAGED:,} objects of it are damaged: the rest is not read"
            self.cut_at = self._line
        elif self._open_arrays > 0 and not self.is_damaged:
            self.cut_at = self._line

    def _skip_separators(self) -> bool:
        """Skip the separators between objects; return whether anything follows."""
        while True:
            match = _SEPARATORS.match(self._buffer, self._position)
            end = match.end() if match else self._position
            self._open_arrays += self._buffer.count(b"[", self._position, end)
            self._open_arrays -= self._buffer.count(b"]", self._position, end)
            self._move_to(end)
            if end < len(self._buffer):
                return True
            if not self._read_more():
                return False

    def _skip_garbage(self) -> bytes:
        """Skip text that is not an object; return its beginning."""
        text = self._buffer[self._position : self._position + _MAX_GARBAGE].partition(b"{")[0]
        while (brace := self._buffer.find(b"{", self._position)) < 0:
            self._move_to(len(self._buffer))
            if not self._read_more():
                return _on_one_line(text)
        self._move_to(brace)
        return _on_one_line(text)

    def _read_element(self) -> bytes | None:
        """Return the object that begins here; None if the file ends before the object."""
        content = _ObjectBuffer()
        brackets = bytearray()
        in_string = False  # whether inside a string
        start = self._position
        while True:
            position, in_string, outcome = _scan_object(
                self._buffer, self._position, brackets, in_string=in_string
            )
            if outcome == "damaged" and len(self._buffer) - position < _LOOKBEHIND:
                before = self._position
                self._read_more()  # the beginning of an object may be split between two pieces
                start, position = start + self._position - before, position + self._position - before
            content.add(self._buffer[self._position : position])
            if outcome == "damaged":
                self.is_damaged = True
                self._skip_damage(start, position)
                return content.line()
            self._move_to(position)
            if outcome == "whole":
                self.is_damaged = False
                return content.line()
            before = self._position
            if not self._read_more():
                return None
            start += self._position - before

    def _skip_damage(self, start: int, position: int) -> None:
        """Move from a damage to the apparent beginning of the next object."""
        preceding = self._buffer[max(position - 200, 0) : position]
        if _OBJECT_START.match(self._buffer, position) and _SEPARATOR_BEFORE.search(preceding):
            self._move_to(position)
            return
        earliest = max(start + 1, position - _LOOKBEHIND, 0)
        swallowed = _OBJECT_IN_STRING.search(self._buffer[earliest:position])
        if swallowed is not None:
            self._move_to(earliest + swallowed.start(1))
            return
        position = max(position - 1, earliest)
        while (match := _NEXT_OBJECT.search(self._buffer, position)) is None:
            self._move_to(len(self._buffer))
            if not self._read_more():
                return
            position = max(self._position - _LOOKBEHIND, 0)
        self._move_to(match.end())

    def _move_to(self, position: int) -> None:
        if position >= self._position:
            self._line += self._buffer.count(b"\n", self._position, position)
        else:
            self._line -= self._buffer.count(b"\n", position, self._position)
        self._position = position

    def _read_more(self) -> bool:
        """Append the next piece to the buffer; return whether there is one."""
        piece = next(self._pieces, b"")
        dropped = max(self._position - _LOOKBEHIND, 0)
        self._buffer = self._buffer[dropped:] + piece
        self._position -= dropped
        return bool(piece)


def _scan_object(
    buffer: bytes, position: int, brackets: bytearray, *, in_string: bool
) -> tuple[int, bool, str]:
    """Follow an object through a buffer.

    Return the position reached, whether a string is open there, and the reason for stopping: "whole",
    "damaged", or "more" if the buffer ends before the object.
    """
    while True:
        if in_string:
            position += _match_length(_REST_OF_STRING, buffer, position)
            if buffer[position : position + 1] != b'"':  # the buffer's end, or a backslash just before it
                return position, True, "more"
            position += 1
        position += _match_length(_STRUCTURE, buffer, position)
        if position >= len(buffer):
            return position, False, "more"
        char = buffer[position]
        in_string = char == _QUOTE
        if char in _CLOSING_BRACKETS:
            is_value = not brackets or brackets[-1] != _BRACE or _follows_colon(buffer, position)
            if not is_value or len(brackets) >= MAX_DEPTH:
                return position, False, "damaged"
            brackets.append(char)
        elif not in_string:
            if not brackets or char != _CLOSING_BRACKETS[brackets[-1]]:
                return position, False, "damaged"
            brackets.pop()
            if not brackets:
                return position + 1, False, "whole"
        position += 1


def _match_length(pattern: re.Pattern[bytes], buffer: bytes, position: int) -> int:
    match = pattern.match(buffer, position)
    return match.end() - position if match else 0


def _follows_colon(buffer: bytes, position: int) -> bool:
    before = buffer[max(position - 64, 0) : position].rstrip()
    return not before or before.endswith(b":")


class _ObjectBuffer:
    """Bytes of one object, kept in bounded memory."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0
        self._truncating: TruncatingLine | None = None

    def add(self, part: bytes) -> None:
        """Append the next bytes."""
        if self._truncating is None:
            self._parts.append(part)
            self._length += len(part)
            if self._length <= LONG_LINE:
                return
            self._truncating = TruncatingLine()
            part = b"".join(self._parts)
            self._parts.clear()
        self._truncating.feed(part)

    def line(self) -> bytes:
        """Return the object as one line; if it is very long, with its long strings cut."""
        return _on_one_line(self._truncating.truncated() if self._truncating else b"".join(self._parts))


def _on_one_line(text: bytes) -> bytes:
    return text.translate(_LINE_FEEDS_TO_BLANKS)
