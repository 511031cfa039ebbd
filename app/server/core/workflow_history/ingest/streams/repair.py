"""Find the whole records in a damaged line: a line's bytes in, those of its records out. Decodes no field.

Programs that die or write at once leave several records on a line, a piece of one before a whole one, or
zero bytes in place of text that was never written.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

_RECORD = re.compile(
    r'\{\s*"(?:type|parentUuid|sessionId|session_id|sessionID|timestamp|isSidechain|uuid|cwd|message)"\s*:'
)
"""How a record may begin."""

_BEGIN = re.compile(rb"\s*" + _RECORD.pattern.encode())

_PIECE = re.compile(r'\{\s*"|"\s*[:,}\]]')
"""What text beside the records holds if it is a piece of a record."""

_SCAN = json.JSONDecoder().raw_decode
_SHORT = 1 << 20  # characters: a longer text is looked through less often
_TRIES, _TRIES_IF_LONG = 64, 4  # places at which a record that is not whole may seem to begin


class Found(NamedTuple):
    """What a damaged line holds."""

    records: list[bytes]
    lost: bool  # something was written there that is not whole


def begins_a_record(raw: bytes) -> bool:
    """Return whether a line looks like the begin of a record of its own.

    >>> begins_a_record(b'{"type": "us'), begins_a_record(b'e": 1}')
    (True, False)
    """
    return _BEGIN.match(raw) is not None


def records_in(raw: bytes) -> Found:
    r"""Return the whole records on a damaged line.

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
    """Add a text's records to the list; tell whether pieces of others stand beside them."""
    at = begin = 0  # where to look on; where the text begins that belongs to no record
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
