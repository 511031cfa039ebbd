"""Read a file in bounded memory: an open file goes in, blocks of whole lines come out. Knows no record."""

from __future__ import annotations

import io
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
        self.handle.seek(self.start)
        self.end = self.start
        if self.start == 0:
            head = self.handle.read(3)
            if head[:2] in _UTF16_BOMS:
                self.resumable = False
                yield from _utf16_blocks(self.handle)
                return
            self.end = len(_UTF8_BOM) if head == _UTF8_BOM else 0
            self.handle.seek(self.end)
        yield from self._blocks()

    def _blocks(self) -> Iterator[bytes]:
        rest = b""
        step = min(BLOCK, max(self.size - self.end, 0) + 1)
        while block := self.handle.read(step):
            step = BLOCK
            cut = block.rfind(b"\n") + 1
            if not cut:
                rest += block
                if len(rest) > LONG:
                    line, rest = self._long(rest), b""
                    yield line
                    if not line.endswith(b"\n"):
                        return
                continue
            self.end += len(rest) + cut
            yield rest + block[:cut] if rest else block[:cut]
            rest = block[cut:]
        if rest:
            yield rest

    def _long(self, head: bytes) -> bytes:
        """Read a long line to its end and return it with its strings cut."""
        line = LongLine()
        line.feed(head)
        length = len(head)
        while block := self.handle.read(BLOCK):
            cut = block.find(b"\n")
            if cut >= 0:
                line.feed(block[:cut])
                self.end += length + cut + 1
                self.handle.seek(self.end)
                return line.short() + b"\n"
            line.feed(block)
            length += len(block)
        return line.short()


def _utf16_blocks(handle: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file that a Windows shell redirected as UTF-16."""
    handle.seek(0)
    text = io.TextIOWrapper(handle, encoding="utf-16", errors="replace", newline="\n")
    try:
        for line in text:
            yield line.encode("utf-8", "replace")
    finally:
        text.detach()  # the file is its opener's to close


def lines_of(block: bytes) -> Iterator[bytes]:
    """Yield a block's lines without their line feeds."""
    start = 0
    while (end := block.find(b"\n", start)) >= 0:
        yield block[start:end]
        start = end + 1
    if start < len(block):
        yield block[start:]
