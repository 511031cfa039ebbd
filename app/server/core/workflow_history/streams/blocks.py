"""Read a file in bounded memory: an open file goes in, blocks of whole lines come out. Knows no record."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from .long_lines import LongLine

BLOCK = 1 << 20  # bytes read at a time
LONG = 4 << 20  # bytes: of a longer line, long strings are cut while it is read

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class Blocks:
    """The lines of an open file, from `start` on; each ends with a line feed, but maybe the file's last."""

    handle: BinaryIO
    size: int  # bytes of the file, as far as is known: how much to read at first
    start: int = 0
    end: int = field(init=False, default=0)  # offset after the last whole line
    resumable: bool = field(init=False, default=True)  # `end` is a place from which to read on

    def __iter__(self) -> Iterator[bytes]:
        """Yield whole lines, many at a time; what stands after the last line feed comes last, alone."""
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
                if len(rest) > LONG:
                    line, piece = self._long(rest, pieces)
                    yield line
                    rest = b""
                    if piece:
                        continue
            piece = next(pieces, b"")
        if rest:
            yield rest

    def pieces(self) -> Iterator[bytes]:
        """Yield the file's bytes without its byte order mark; UTF-16 of a Windows shell becomes UTF-8."""
        self.handle.seek(self.start)
        self.end = self.start
        piece = self.handle.read(min(BLOCK, max(self.size - self.start, 0) + 1))
        if self.start == 0 and piece[:2] in _UTF16_BOMS:
            self.resumable = False
            decoder = getincrementaldecoder("utf-16")("replace")
            while piece:
                yield from _as_utf8(decoder.decode(piece))
                piece = self.handle.read(BLOCK)
            yield from _as_utf8(decoder.decode(b"", final=True))
            return
        if self.start == 0 and piece.startswith(_UTF8_BOM):
            self.end = len(_UTF8_BOM)
            piece = piece[self.end :]
        if self.start == 0 and b"\r" in piece and b"\n" not in piece:  # lines as old Macs end them
            self.resumable = False
            while piece:
                yield piece.replace(b"\r", b"\n")
                piece = self.handle.read(BLOCK)
        while piece:
            yield piece
            piece = self.handle.read(BLOCK)

    def _long(self, head: bytes, pieces: Iterator[bytes]) -> tuple[bytes, bytes]:
        """Read a long line to its end; return it with its strings cut, and what was read beyond it."""
        line = LongLine()
        line.feed(head)
        length = len(head)
        for piece in pieces:
            cut = piece.find(b"\n") + 1
            if cut:
                line.feed(piece[: cut - 1])
                self.end += length + cut
                return line.short() + b"\n", piece[cut:]
            line.feed(piece)
            length += len(piece)
        return line.short(), b""


def _as_utf8(text: str) -> Iterator[bytes]:
    if text:
        yield text.encode("utf-8", "replace")


def lines_of(block: bytes) -> Iterator[bytes]:
    """Yield a block's lines without their line feeds."""
    start = 0
    while (end := block.find(b"\n", start)) >= 0:
        yield block[start:end]
        start = end + 1
    if start < len(block):
        yield block[start:]
