"""When a run can have been made at all: times and the clock in; what is plausible, and what not, out. Pure.

Files say 0001-01-01 or 9999-12-31 where they mean nothing, and clocks go wrong. Such a run is kept and
shown as its files date it. No window, day or week has it, and it is never the latest one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from .errors import InvalidQueryError

FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""No agent is as old."""

AHEAD: Final = timedelta(days=1)
"""So far after the clock a run may be dated: without a zone, local time stands as if it were UTC."""

LONGEST: Final = timedelta(days=366)
"""No run lasts longer: one of its ends is misdated."""

SILENT_AFTER: Final = timedelta(minutes=30)
"""A tool call may take long; an agent that writes nothing for longer is gone."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MisdatedRun:
    """A run that cannot have been made when it says."""

    id: str
    project: str | None
    created_at: datetime  # as its files say, UTC


@dataclass(frozen=True, slots=True)
class Misdated:
    """Runs that cannot have been made when they say: before 2000, or more than a day after now."""

    runs: int  # how many; they are in no window, and in no day, week or month
    shown: tuple[MisdatedRun, ...]  # the latest first, at most 5


NONE: Final = Misdated(0, ())


def is_plausible(moment: datetime, now: datetime) -> bool:
    """Tell whether a run can have been made then; both aware.

    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> is_plausible(noon, noon), is_plausible(noon + timedelta(days=2), noon)
    (True, False)
    """
    return moment >= FIRST and moment - now <= AHEAD


def clock(now: datetime | None) -> datetime:
    """Return what the caller takes for now, UTC; the machine's clock where nothing is said.

    Raises InvalidQueryError where it has no time zone.
    """
    if now is None:
        return datetime.now(UTC)
    if not isinstance(now, datetime) or now.tzinfo is None:
        raise InvalidQueryError(f"now={now!r} is not allowed; use a datetime with a time zone")
    return now


def micros(moment: datetime) -> int:
    """Return a moment in µs since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1)
