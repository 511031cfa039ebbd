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

_RECORD_START = re.compile(rb"\s*" + _RECORD.pattern.encode())

_FRAGMENT = re.compile(r'\{\s*"|"\s*[:,}\]]')
"""Matches text between records that is a fragment of a record."""

_decode_at = json.JSONDecoder().raw_decode
_LONG_TEXT = 1 << 20  # characters; a longer text is searched fewer times
_MAX_TRIES, _MAX_TRIES_IF_LONG = 64, 4  # maximum number of apparent beginnings of incomplete records


class RecoveredRecords(NamedTuple):
    """Records found on a damaged line."""

    records: list[bytes]
    lost: bool  # whether the line also has fragments of records
    is_end_lost: bool = False  # whether one of these follows the last record


def starts_record(raw: bytes) -> bool:
    """Return whether a line looks like the beginning of a new record.

    >>> starts_record(b'{"type": "us'), starts_record(b'e": 1}')
    (True, False)
    """
    return _RECORD_START.match(raw) is not None


def recover_records(raw: bytes) -> RecoveredRecords:
    r"""Return the complete records on a damaged line.

    >>> recover_records(b'Notice: hi{"type": "init"}')
    RecoveredRecords(records=[b'{"type": "init"}'], lost=False, is_end_lost=False)
    >>> recover_records(b'{"type": "user", "mess{"type": "result"}')
    RecoveredRecords(records=[b'{"type": "result"}'], lost=True, is_end_lost=False)
    >>> recover_records(b'\0\0{"type": "a"}{"type": "b"}')
    RecoveredRecords(records=[b'{"type": "a"}', b'{"type": "b"}'], lost=True, is_end_lost=False)
    """
    records: list[bytes] = []
    lost, is_end_lost = b"\0" in raw, False
    for part in raw.split(b"\0"):
        is_lost, is_end_lost = _collect_records(part.decode("utf-8", "surrogateescape"), records)
        lost = lost or is_lost
    is_end_lost = is_end_lost or raw.endswith(b"\0")
    return RecoveredRecords(records, lost, is_end_lost)


def _collect_records(text: str, records: list[bytes]) -> tuple[bool, bool]:
    """Add a text's records to the list.

    Return whether it also has fragments of other records, and whether one follows the last record.
    """
    position = unclaimed = 0  # position of the search; beginning of the text that belongs to no record
    tries = _MAX_TRIES if len(text) < _LONG_TEXT else _MAX_TRIES_IF_LONG
    lost = False
    while tries and (match := _RECORD.search(text, position)):
        try:
            value, end = _decode_at(text, match.start())
        except (ValueError, RecursionError):
            position = match.start() + 1
            tries -= 1
            continue
        if isinstance(value.get("type"), str):
            records.append(text[match.start() : end].encode("utf-8", "surrogateescape"))
            lost = lost or _FRAGMENT.search(text, unclaimed, match.start()) is not None
            unclaimed = end
        position = end
    is_end_lost = _FRAGMENT.search(text, unclaimed) is not None
    return lost or is_end_lost, is_end_lost
