"""Find the complete records in a damaged line.

Programs that die or write concurrently leave several records on a line, a fragment before a complete record,
or zero bytes in place of text that was never written.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_RECORD = re.compile(
    r'\{\s*"(?:type|parentUuid|sessionId|session_id|sessionID|timestamp|isSidechain|uuid|cwd|message)"\s*:'
)
"""Possible beginnings of a record."""

_BEGIN = re.compile(rb"\s*" + _RECORD.pattern.encode())

_PIECE = re.compile(r'\{\s*"|"\s*[:,}\]]')
"""Matches text between records that is a fragment of a record."""

_SCAN = json.JSONDecoder().raw_decode
_SHORT = 1 << 20  # characters; a longer text is searched fewer times
_TRIES, _TRIES_IF_LONG = 64, 4  # maximum number of apparent beginnings of incomplete records


class Found(NamedTuple):
    """Records found on a damaged line."""

    records: list[bytes]
    lost: bool  # whether the line also has fragments of records


def begins_a_record(raw: bytes) -> bool:
    """Return whether a line looks like the beginning of a new record.

    >>> begins_a_record(b'{"type": "us'), begins_a_record(b'e": 1}')
    (True, False)
    """
    return _BEGIN.match(raw) is not None


def records_in(raw: bytes) -> Found:
    r"""Return the complete records on a damaged line.

    >>> records_in(b'Notice: hi{"type": "init"}')
    Found(records=[b'{"type": "init"}'], lost=False)
    >>> records_in(b'{"type": "user", "mess{"type": "result"}')
    Found(records=[b'{"type": "result"}'], lost=True)
    >>> records_in(b'\0\0{"type": "a"}{"type": "b"}')
    Found(records=[b'{"type": "a"}', b'{"type": "b"}'], lost=True)
    """
    records: list[bytes] = []
    lost = b"\0" in raw
    for part in raw.split(b"\0"):
        if part:
            lost = _search(part.decode("utf-8", "surrogateescape"), records) or lost
    return Found(records, lost)


def _search(text: str, records: list[bytes]) -> bool:
    """Add a text's records to the list; return whether it also has fragments of other records."""
    at = begin = 0  # position of the search; beginning of the text that belongs to no record
    tries = _TRIES if len(text) < _SHORT else _TRIES_IF_LONG
    lost = False
    while tries and (found := _RECORD.search(text, at)):
        try:
            value, end = _SCAN(text, found.start())
        except (ValueError, RecursionError):
            at = found.start() + 1
            tries -= 1
            continue
        if isinstance(value.get("type"), str):
            records.append(text[found.start() : end].encode("utf-8", "surrogateescape"))
            lost = lost or _PIECE.search(text, begin, found.start()) is not None
            begin = end
        at = end
    return lost or _PIECE.search(text, begin) is not None
