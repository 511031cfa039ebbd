"""Read the lines of an open file in blocks, in bounded memory, regardless of their content."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

BRACE = ord("{")
_BLANK = re.compile(rb"(?:[ \t\r]*+\n)++")
_NO_OBJECTS = re.compile(rb"(?:[^{\n]*+\n)++")


def skip_noise(block: bytes, start: int, *, text: bool) -> int:
    r"""Return the offset after all blank lines from `start` on, or, with `text`, lines without an object.

    >>> skip_noise(b"\n\nx\n{}\n", 0, text=False), skip_noise(b"\n\nx\n{}\n", 0, text=True)
    (2, 4)
    """
    found = (_NO_OBJECTS if text else _BLANK).match(block, start)
    return found.end() if found else start


MAX_STRING = 16_384  # bytes kept of one string: more than any parsed field needs
MAX_LINE = 8 << 20  # bytes kept of one line; a longer one is not an agent's record

_BLANKS = re.compile(rb"[ \t\r\n]{2,}+")
_STOP = re.compile(rb'["\\]')
_PLAIN = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_ESCAPE = 6  # bytes of the longest escape, \uXXXX


class TruncatingLine:
    """One line of JSON, fed piece by piece; long strings are cut, and blanks outside strings collapsed."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._inside = False  # whether inside a string
        self._room = 0  # bytes still to keep of this string
        self._backslash = False  # the previous byte began an escape
        self._digits = 0  # digits of a \uXXXX escape still to come

    def feed(self, piece: bytes) -> None:
        """Add the next bytes of the line."""
        at = 0
        while at < len(piece) and len(self._kept) <= MAX_LINE:
            at = self._in_string(piece, at) if self._inside else self._outside(piece, at)

    def truncated(self) -> bytes:
        """Return the line with its long strings cut; only its beginning if it still exceeds MAX_LINE."""
        return bytes(self._kept if len(self._kept) <= MAX_LINE else self._kept[:MAX_STRING])

    def _outside(self, piece: bytes, at: int) -> int:
        quote = piece.find(b'"', at)
        end = len(piece) if quote < 0 else quote + 1
        self._kept += _BLANKS.sub(b" ", piece[at:end])
        self._inside, self._room = quote >= 0, MAX_STRING
        return end

    def _in_string(self, piece: bytes, at: int) -> int:
        if self._backslash:
            return self._escaped(piece, at)
        if self._digits:
            end = min(len(piece), at + self._digits)
            self._digits -= end - at
            self._keep(piece[at:end])
            return end
        if not self._room:
            return self._skip(piece, at)
        stop = _STOP.search(piece, at)
        end = stop.start() if stop else len(piece)
        self._keep_text(piece[at:end])
        return self._stop(piece, end)

    def _escaped(self, piece: bytes, at: int) -> int:
        self._backslash = False
        self._digits = 4 if self._room and piece[at : at + 1] == b"u" else 0
        self._keep(piece[at : at + 1])
        return at + 1

    def _skip(self, piece: bytes, at: int) -> int:
        """Skip the rest of a string that is already cut."""
        plain = _PLAIN.match(piece, at)
        return self._stop(piece, plain.end() if plain else at)

    def _stop(self, piece: bytes, at: int) -> int:
        """Handle the end of a run of plain text: a quote, a backslash, or the end of the piece."""
        if at >= len(piece):
            return at
        if piece[at : at + 1] == b'"':
            self._kept += b'"'
            self._inside = False
        else:
            self._backslash = True
            if self._room < _ESCAPE:
                self._room = 0  # keep an escape completely or not at all
            self._keep(b"\\")
        return at + 1

    def _keep(self, part: bytes) -> None:
        if self._room:
            self._kept += part
            self._room = max(self._room - len(part), 1)  # at least 1, to complete an escape that has begun

    def _keep_text(self, text: bytes) -> None:
        if len(text) < self._room:
            self._keep(text)
            return
        self._kept += text[: self._room]
        self._room = 0
        _drop_half_letter(self._kept)


def _drop_half_letter(text: bytearray) -> None:
    """Remove the bytes of an incomplete UTF-8 character at the end."""
    for back in range(1, min(len(text), 4) + 1):
        byte = text[-back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            if back < length:
                del text[-back:]
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
        piece, rest = next(pieces, b""), b""
        while piece:
            cut = piece.rfind(b"\n") + 1
            if cut:
                self.end += len(rest) + cut
                yield rest + piece[:cut] if rest else piece[:cut]
                rest = piece[cut:]
            else:
                rest += piece
                if len(rest) > LONG_LINE:
                    line, piece = self._long(rest, pieces)
                    yield line
                    rest = b""
                    if piece:
                        continue
            piece = next(pieces, b"")
        if rest:
            yield rest

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

    def _long(self, head: bytes, pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
        """Read a long line to its end; return it with its strings cut, and the bytes read after it."""
        line = TruncatingLine()
        line.feed(head)
        length = len(head)
        for piece in pieces:
            cut = piece.find(b"\n") + 1
            if cut:
                line.feed(piece[: cut - 1])
                self.end += length + cut
                return line.truncated() + b"\n", piece[cut:]
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
