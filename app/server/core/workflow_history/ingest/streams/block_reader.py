"""Read the lines of an open file in blocks, in bounded memory, regardless of their content."""

from __future__ import annotations

import hashlib
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

BRACE = ord("{")
_BLANK_LINES = re.compile(rb"(?:[ \t\r]*+\n)++")
_LINES_WITHOUT_OBJECT = re.compile(rb"(?:[^{\n]*+\n)++")


def skip_noise(block: bytes, start: int, *, skip_text: bool) -> int:
    r"""Return the offset after all blank lines from `start` on; with `skip_text`, all without an object.

    >>> skip_noise(b"\n\nx\n{}\n", 0, skip_text=False)
    2
    >>> skip_noise(b"\n\nx\n{}\n", 0, skip_text=True)
    4
    """
    match = (_LINES_WITHOUT_OBJECT if skip_text else _BLANK_LINES).match(block, start)
    return match.end() if match else start


MAX_STRING = 16_384  # bytes kept of one string: more than any parsed field needs
MAX_LINE = 8 << 20  # bytes kept of one line; a longer one is not an agent's record

_BLANKS = re.compile(rb"[ \t\r\n]{2,}+")
_QUOTE_OR_BACKSLASH = re.compile(rb'["\\]')
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_MAX_ESCAPE = 6  # bytes of the longest escape, \uXXXX


class TruncatingLine:
    """One line of JSON, fed piece by piece; long strings are cut, and blanks outside strings collapsed."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._is_in_string = False  # whether inside a string
        self._room = 0  # bytes still to keep of this string
        self._is_after_backslash = False  # the previous byte began an escape
        self._hex_digits = 0  # digits of a \uXXXX escape still to come

    def feed(self, piece: bytes) -> None:
        """Add the next bytes of the line."""
        position = 0
        while position < len(piece) and len(self._buffer) <= MAX_LINE:
            position = (
                self._feed_string(piece, position)
                if self._is_in_string
                else self._feed_structure(piece, position)
            )

    def truncated(self) -> bytes:
        """Return the line with its long strings cut; only its beginning if it still exceeds MAX_LINE."""
        return bytes(self._buffer if len(self._buffer) <= MAX_LINE else self._buffer[:MAX_STRING])

    def _feed_structure(self, piece: bytes, position: int) -> int:
        quote = piece.find(b'"', position)
        end = len(piece) if quote < 0 else quote + 1
        self._buffer += _BLANKS.sub(b" ", piece[position:end])
        self._is_in_string, self._room = quote >= 0, MAX_STRING
        return end

    def _feed_string(self, piece: bytes, position: int) -> int:
        if self._is_after_backslash:
            return self._feed_escape(piece, position)
        if self._hex_digits:
            end = min(len(piece), position + self._hex_digits)
            self._hex_digits -= end - position
            self._append(piece[position:end])
            return end
        if not self._room:
            return self._skip_string(piece, position)
        stop = _QUOTE_OR_BACKSLASH.search(piece, position)
        end = stop.start() if stop else len(piece)
        self._append_text(piece[position:end])
        return self._feed_stop(piece, end)

    def _feed_escape(self, piece: bytes, position: int) -> int:
        self._is_after_backslash = False
        self._hex_digits = 4 if self._room and piece[position : position + 1] == b"u" else 0
        self._append(piece[position : position + 1])
        return position + 1

    def _skip_string(self, piece: bytes, position: int) -> int:
        """Skip the rest of a string that is already cut."""
        rest = _REST_OF_STRING.match(piece, position)
        return self._feed_stop(piece, rest.end() if rest else position)

    def _feed_stop(self, piece: bytes, position: int) -> int:
        """Handle the end of a run of plain text: a quote, a backslash, or the end of the piece."""
        if position >= len(piece):
            return position
        if piece[position : position + 1] == b'"':
            self._buffer += b'"'
            self._is_in_string = False
        else:
            self._is_after_backslash = True
            if self._room < _MAX_ESCAPE:
                self._room = 0  # keep an escape completely or not at all
            self._append(b"\\")
        return position + 1

    def _append(self, part: bytes) -> None:
        if self._room:
            self._buffer += part
            self._room = max(self._room - len(part), 1)  # at least 1, to complete an escape that has begun

    def _append_text(self, text: bytes) -> None:
        if len(text) < self._room:
            self._append(text)
            return
        self._buffer += text[: self._room]
        self._room = 0
        _drop_partial_character(self._buffer)


def _drop_partial_character(text: bytearray) -> None:
    """Remove the bytes of an incomplete UTF-8 character at the end."""
    for count in range(1, min(len(text), 4) + 1):
        byte = text[-count]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            if count < length:
                del text[-count:]
            return


BLOCK_SIZE = 1 << 20  # bytes read at a time
LONG_LINE = 4 << 20  # bytes; in a longer line, long strings are cut while it is read

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class BlockReader:
    """Lines of an open file from `start` on; each ends with a line feed, except possibly the last."""

    handle: BinaryIO
    size: int  # expected size of the file in bytes, which limits the first read
    start: int = 0  # offset in bytes
    end: int = field(init=False, default=0)  # offset after the last complete line
    resumable: bool = field(init=False, default=True)  # whether reading can resume at `end`

    def __iter__(self) -> Iterator[bytes]:
        """Yield blocks of complete lines; text after the last line feed comes last, as its own block."""
        pieces = self.pieces()
        piece, remainder = next(pieces, b""), b""
        while piece:
            line_end = piece.rfind(b"\n") + 1
            if line_end:
                self.end += len(remainder) + line_end
                yield remainder + piece[:line_end] if remainder else piece[:line_end]
                remainder = piece[line_end:]
            else:
                remainder += piece
                if len(remainder) > LONG_LINE:
                    line, piece = self._read_long_line(remainder, pieces)
                    yield line
                    remainder = b""
                    if piece:
                        continue
            piece = next(pieces, b"")
        if remainder:
            yield remainder

    def pieces(self) -> Iterator[bytes]:
        """Yield the file's bytes as UTF-8 without a byte order mark; Windows shells write UTF-16."""
        self.handle.seek(self.start)
        self.end = self.start
        piece = self.handle.read(min(BLOCK_SIZE, max(self.size - self.start, 0) + 1))
        if self.start == 0 and piece[:2] in _UTF16_BOMS:
            self.resumable = False
            decoder = getincrementaldecoder("utf-16")("replace")
            while piece:
                yield from _as_utf8(decoder.decode(piece))
                piece = self.handle.read(BLOCK_SIZE)
            yield from _as_utf8(decoder.decode(b"", final=True))
            return
        if self.start == 0 and piece.startswith(_UTF8_BOM):
            self.end = len(_UTF8_BOM)
            piece = piece[self.end :]
        if self.start == 0 and b"\r" in piece and b"\n" not in piece:  # line ends of classic Mac OS
            self.resumable = False
            while piece:
                yield piece.replace(b"\r", b"\n")
                piece = self.handle.read(BLOCK_SIZE)
        while piece:
            yield piece
            piece = self.handle.read(BLOCK_SIZE)

    def _read_long_line(self, head: bytes, pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
        """Read a long line to its end; return it with its strings cut, and the bytes read after it."""
        line = TruncatingLine()
        line.feed(head)
        length = len(head)
        for piece in pieces:
            line_end = piece.find(b"\n") + 1
            if line_end:
                line.feed(piece[: line_end - 1])
                self.end += length + line_end
                return line.truncated() + b"\n", piece[line_end:]
            line.feed(piece)
            length += len(piece)
        return line.truncated(), b""


def _as_utf8(text: str) -> Iterator[bytes]:
    if text:
        yield text.encode("utf-8", "replace")


def split_lines(block: bytes) -> Iterator[bytes]:
    """Yield a block's lines without their line feeds."""
    start = 0
    while (end := block.find(b"\n", start)) >= 0:
        yield block[start:end]
        start = end + 1
    if start < len(block):
        yield block[start:]


def hash_first_line(block: bytes) -> str | None:
    """Return a hash of a block's first line; None if the line is not complete."""
    line = block[: block.find(b"\n") + 1]
    return hashlib.blake2b(line, digest_size=16).hexdigest() if line else None
