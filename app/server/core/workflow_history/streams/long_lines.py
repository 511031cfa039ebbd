"""Take in a line of any length in bounded memory: its bytes in pieces in, the line with long strings cut out.

A line of many megabytes holds them in one string, a picture or a tool's output, of which no field is needed.
"""

from __future__ import annotations

import re

KEPT = 16_384  # bytes of one string: more than any field that is read needs
MOST = 8 << 20  # bytes of what is kept of one line; a line beyond it is no record of an agent

_BLANKS = re.compile(rb"[ \t\r\n]{2,}+")
_STOP = re.compile(rb'["\\]')
_PLAIN = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_ESCAPE = 6  # bytes of the longest escape, \uXXXX


class LongLine:
    """One line of JSON, taken in piece by piece; outside its strings all is kept but runs of blanks."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._inside = False  # a string
        self._room = 0  # bytes that may still be kept of this string
        self._backslash = False  # the last byte of the piece before began an escape
        self._digits = 0  # of a \uXXXX escape that are still to come

    def feed(self, piece: bytes) -> None:
        """Take in the next bytes of the line."""
        at = 0
        while at < len(piece) and len(self._kept) <= MOST:
            at = self._in_string(piece, at) if self._inside else self._outside(piece, at)

    def short(self) -> bytes:
        """Return what was kept: the line, its long strings cut; its mere beginning where that is too much."""
        return bytes(self._kept if len(self._kept) <= MOST else self._kept[:KEPT])

    def _outside(self, piece: bytes, at: int) -> int:
        quote = piece.find(b'"', at)
        end = len(piece) if quote < 0 else quote + 1
        self._kept += _BLANKS.sub(b" ", piece[at:end])
        self._inside, self._room = quote >= 0, KEPT
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
        """Pass over the rest of a string of which enough was kept."""
        plain = _PLAIN.match(piece, at)
        return self._stop(piece, plain.end() if plain else at)

    def _stop(self, piece: bytes, at: int) -> int:
        """Take in what ends a stretch of text: a quote, a backslash, or the end of the piece."""
        if at >= len(piece):
            return at
        if piece[at : at + 1] == b'"':
            self._kept += b'"'
            self._inside = False
        else:
            self._backslash = True
            if self._room < _ESCAPE:
                self._room = 0  # an escape is kept whole or not at all
            self._keep(b"\\")
        return at + 1

    def _keep(self, part: bytes) -> None:
        if self._room:
            self._kept += part
            self._room = max(self._room - len(part), 1)  # an escape that was begun is finished

    def _keep_text(self, text: bytes) -> None:
        if len(text) < self._room:
            self._keep(text)
            return
        self._kept += text[: self._room]
        self._room = 0
        _drop_half_letter(self._kept)


def _drop_half_letter(text: bytearray) -> None:
    """Take away the bytes of a last letter that was cut in two."""
    for back in range(1, min(len(text), 4) + 1):
        byte = text[-back]
        if byte & 0xC0 != 0x80:
            length = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            if back < length:
                del text[-back:]
            return
