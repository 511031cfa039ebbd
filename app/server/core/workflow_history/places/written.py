"""When a file elsewhere was written: what a listing tells in, nanoseconds since 1970 out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_NAMES = (
    "mtime", "LastModified", "last_modified", "updated", "modified", "time", "date_time", "created",
)  # fmt: skip
"""What fsspec's file systems call it."""

UNKNOWN = -1


def written_ns(system: Any, path: str, info: Mapping[str, Any]) -> int:
    """Return when a file was written, or UNKNOWN; asks for it where the listing does not say."""
    told = next((info[name] for name in _NAMES if info.get(name) is not None), None)
    if told is None:
        try:
            told = system.modified(path)
        except (NotImplementedError, OSError, KeyError, ValueError):
            return UNKNOWN
    return _nanoseconds(told)


def _nanoseconds(told: Any) -> int:
    """Return a time in whatever form; without a zone it is UTC.

    >>> _nanoseconds("2026-01-31T12:00:00Z"), _nanoseconds((2026, 1, 31, 12, 0, 0)), _nanoseconds(1.5)
    (1769860800000000000, 1769860800000000000, 1500000000)
    """
    try:
        if isinstance(told, int | float):
            return round(told * 1e9)
        when = datetime.fromisoformat(told) if isinstance(told, str) else told
        when = datetime(*when[:6], tzinfo=UTC) if isinstance(when, tuple) else when  # type: ignore[misc]
        return round(when.replace(tzinfo=when.tzinfo or UTC).timestamp() * 1e6) * 1_000
    except (TypeError, ValueError, OverflowError, AttributeError):
        return UNKNOWN
