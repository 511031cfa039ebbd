"""Parse times of runs and check whether a run can have been created then. Pure.

Files contain 0001-01-01 or 9999-12-31 as placeholders, and clocks go wrong. Such a time counts as unknown.
A stored run whose files are missing keeps its implausible time, which is shown. But the run is in no time
window, day or week, and its time is never the latest one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final

from .errors import InvalidValueError
from .field_docs import Doc
from .shared_fields import RunId, RunProjectOrNull

MICROSECONDS: Final = 1_000_000  # in one second

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Earliest plausible time; no agent is older."""

_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)

MAX_CLOCK_SKEW: Final = timedelta(days=1)
"""Maximum time after now that a run may be dated, because local time without a zone is read as UTC."""

MAX_DURATION: Final = timedelta(days=366)
"""Maximum duration of a run; if it is longer, one of its ends is invalid_timestamps."""

SUMMED_DURATIONS: Final = "its agents' own durations added up"
"""Source of a run's duration if no timestamps give it."""

SILENCE_TIMEOUT: Final = timedelta(minutes=30)
"""Time without output after which an agent counts as dead; a tool call may take long."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RunWithImplausibleDate:
    """A run whose creation time is implausible."""

    id: RunId
    project: RunProjectOrNull
    created_at: Annotated[datetime, Doc("creation time from its files, UTC")]


@dataclass(frozen=True, slots=True)
class ImplausibleDates:
    """Runs with an implausible creation time: before 2000, or more than a day after now."""

    runs: Annotated[int, Doc("number of these runs; they are in no time window, day, week or month")]
    shown: Annotated[tuple[RunWithImplausibleDate, ...], Doc("latest of these runs, newest first, at most 5")]


NO_IMPLAUSIBLE_DATES: Final = ImplausibleDates(0, ())


def is_possible(moment: datetime) -> bool:
    """Return whether a run can have been created at a time, independent of the clock: from 2000 to 2099.

    >>> is_possible(datetime(2026, 3, 1)), is_possible(datetime.max), is_possible(datetime.min)
    (True, False, False)
    """
    return EARLIEST <= (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) < _LATEST


def is_plausible(moment: datetime, now: datetime) -> bool:
    """Return whether a run can have been created at a time, given the current time; both need a time zone.

    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> is_plausible(noon, noon), is_plausible(noon + timedelta(days=2), noon)
    (True, False)
    """
    return moment >= EARLIEST and moment - now <= MAX_CLOCK_SKEW


def read_moment(value: Any) -> datetime | None:
    """Parse a time from text or a number; return None if it is not a time, a naive one if it has no zone.

    A number is an epoch in seconds, milliseconds, microseconds or nanoseconds, from September 2001 on.

    >>> read_moment("2026-06-15 12:00:00 UTC").isoformat(), read_moment("2026-06-15T24:00:00z").isoformat()
    ('2026-06-15T12:00:00+00:00', '2026-06-16T00:00:00+00:00')
    >>> read_moment("2025-12-31T23:59:60").isoformat(), read_moment("yesterday")
    ('2026-01-01T00:00:00', None)
    """
    try:
        if isinstance(value, str):
            return _parse_text(value.strip())
        return _parse_epoch(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except (ValueError, OverflowError, OSError):
        return None


_ZONE_SUFFIX: Final = re.compile(
    r"\s*(?:(z|utc|gmt)?\s*([+-]\d{1,2}(?::?\d\d)?)?)(?:\[[\w/+-]+\])?$", re.IGNORECASE
)
_DATE_AND_CLOCK: Final = re.compile(
    r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:T|_|,?\s+)(\d{1,2}):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:\s*([ap])\.?m\.?)?",
    re.IGNORECASE,
)
_MAIL_DATE: Final = re.compile(r"(?:[a-z]{3},?\s+)?\d{1,2}\s[a-z]{3}\s\d{4}\s\d", re.IGNORECASE)
_EPOCH_NUMBER: Final = re.compile(r"(?:\d{10}|\d{13}|\d{16}|\d{19})(?:\.\d+)?")
_COMPACT_TIME: Final = re.compile(r"20\d{12}")


def _parse_text(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # formats of people and other languages are parsed piece by piece
        return _parse_loose_text(text)


def _parse_loose_text(text: str) -> datetime | None:
    if _EPOCH_NUMBER.fullmatch(text):
        return _parse_epoch(float(text))
    if _COMPACT_TIME.fullmatch(text):
        return datetime.fromisoformat(f"{text[:8]}T{text[8:]}")
    if _MAIL_DATE.match(text):
        return parsedate_to_datetime(text)
    zone = _ZONE_SUFFIX.search(text)
    clock = _DATE_AND_CLOCK.fullmatch(text[: zone.start()]) if zone else None
    if zone is None or clock is None:
        return None
    year, _, month, day, hour, minute, second, fraction, half_day = clock.groups()
    hours = int(hour) % 12 + 12 * (half_day in "pP") if half_day else int(hour)
    seconds = int(second or 0)
    if int(minute) > 59 or seconds > 60 or hours > 24 or (hours == 24 and (int(minute) or seconds)):
        return None
    microseconds = int((fraction or "0")[:6].ljust(6, "0"))
    time_of_day = timedelta(hours=hours, minutes=int(minute), seconds=seconds, microseconds=microseconds)
    midnight = datetime(int(year), int(month), int(day), tzinfo=_parse_offset(zone[1], zone[2]))
    return midnight + time_of_day  # timedelta arithmetic, as midnight may be 24:00 and a leap second :60


def _parse_offset(zone_name: str | None, digits: str | None) -> timezone | None:
    if digits is None:
        return UTC if zone_name else None
    hours, minutes = int(digits[1:3].rstrip(":")), int(digits[-2:]) if len(digits) > 4 else 0
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if digits[0] == "-" else offset)


def _parse_epoch(number: float) -> datetime | None:
    for _ in range(3):
        number = number / 1000 if number > 1e11 else number
    return datetime.fromtimestamp(number, UTC) if 1e9 < number <= 1e11 else None


def resolve_now(now: datetime | None) -> datetime:
    """Return the given current time, or the machine's clock in UTC if it is None.

    Raises InvalidQueryError if the given time has no time zone.
    """
    if now is None:
        return datetime.now(UTC)
    if not isinstance(now, datetime) or now.tzinfo is None:
        raise InvalidValueError("now", now, "Use a datetime with a time zone.")
    return now


def to_microseconds(moment: datetime) -> int:
    """Convert a time to microseconds since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(microseconds: int) -> datetime:
    """Convert microseconds since 1970 to an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
