"""Decode the beginning of a JSON object whose end is missing: its complete members are kept."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|[{}\[\],]|"')
_CLOSING = {b"{": b"}", b"[": b"]"}

RecordT = TypeVar("RecordT")


def decode_first_record(start: bytes, decoder: msgspec.json.Decoder[RecordT]) -> RecordT | None:
    """Decode the first line of a file from its first bytes, which may end within it; None if it is no record.

    >>> decode_first_record(b'{"id": "a", "git": {"branch": "main", "com', msgspec.json.Decoder())
    {'id': 'a', 'git': {'branch': 'main'}}
    """
    line = start.lstrip().partition(b"\n")[0]
    for text in (line, _complete(line)):
        try:
            return decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
    return None


def _complete(line: bytes) -> bytes:
    """Drop the last member of a cut object, which may be incomplete, and close all open brackets."""
    open_brackets: list[bytes] = []
    end, closing = 0, b""
    for match in _TOKEN.finditer(line):
        token = match[0]
        if token in _CLOSING:
            open_brackets.append(_CLOSING[token])
        elif token in (b"}", b"]") and open_brackets:
            open_brackets.pop()
        elif token == b",":
            end, closing = match.start(), b"".join(reversed(open_brackets))
        elif token == b'"':  # a string without its end
            break
    return line[:end] + closing
