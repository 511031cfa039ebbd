"""Tell when a run was: state, logs, id, file times and durations in; times with their provenance out.

Agents' streams carry no clock. Where nothing reports a time, the file's own time is the end of what it
records, and the times are labelled derived. In a copied or checked-out folder file times are those of
the copy, and tell nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from math import fsum
from typing import Any, Literal

from ..dating import FIRST, LONGEST
from ..evidence import number
from ..models import StreamFacts
from .documents import Log

Basis = Literal["reported", "derived"]

_EPOCH = re.compile(r"(?:^|[_-])(1[5-9]\d{8}|2[0-4]\d{8})(?:\d{3})?(?=[_-]|$)")
_STAMP = re.compile(r"(?:^|\D)(20\d\d)(\d\d)(\d\d)[_T-]?(\d\d)(\d\d)(\d\d)(?:\D|$)")
_QUARTER = 15 * 60  # seconds: every offset from UTC is a multiple of it
_LONGEST = LONGEST.total_seconds()
_SLACK = 30 * 10**9  # nanoseconds
_CONTRADICTION = 120.0  # seconds: an agent that worked longer than this shows a copied tree


@dataclass(frozen=True, slots=True)
class RunTimes:
    """When a run was, and how that is known. Times are aware UTC; None is unknown."""

    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    basis: Basis | None = None
    source: str | None = None  # the place that created_at comes from
    offset_minutes: int | None = None  # the run's local time minus UTC; None: not known
    zone_known: bool = True  # False: the times were written without a zone and stand as if they were UTC
    duration: float | None = None  # seconds
    duration_basis: Basis | None = None
    duration_source: str | None = None
    refused: tuple[tuple[float, str], ...] = ()  # longer than any run, seconds, and where each comes from


@dataclass(frozen=True, slots=True)
class Window:
    """The span of the file times of one run."""

    first: datetime
    last: datetime

    @property
    def seconds(self) -> float:
        """Its length."""
        return (self.last - self.first).total_seconds()


def stream_seconds(stream: StreamFacts) -> float | None:
    """Return how long a stream's agent worked, all its segments together; None: unknown."""
    known = [segment.duration_ms for segment in stream.results if segment.duration_ms is not None]
    if known:
        return sum(known) / 1000
    if stream.started_at is not None and stream.ended_at is not None:
        seconds = (stream.ended_at - stream.started_at).total_seconds()
        return seconds if seconds <= _LONGEST else None
    return None


def is_later(window: Window, times: RunTimes) -> bool:
    """Tell whether all files were written long after the run says it began: they are somebody's copy."""
    began = times.created_at if times.basis == "reported" else None
    return began is not None and began >= FIRST and window.first - began > timedelta(days=1)


def tells_an_order(window: Window, streams: Iterable[StreamFacts]) -> bool:
    """Tell whether files were written far enough apart to show which agent worked last."""
    longest = max((stream_seconds(stream) or 0.0 for stream in streams), default=0.0)
    return window.seconds >= max(longest / 2, 1.0)


def contradicts(window: Window, streams: Iterable[StreamFacts]) -> bool:
    """Tell whether an agent worked much longer than the span in which all files were written."""
    longest = max((stream_seconds(stream) or 0.0 for stream in streams), default=0.0)
    return longest >= _CONTRADICTION and window.seconds < longest / 2


class CopiedSpans:
    """The spans in which a tree was copied: those of the runs whose file times contradict their agents."""

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        """Take spans as (first, last) file time, in nanoseconds since 1970."""
        ordered = sorted(spans)
        self._firsts = [first for first, _ in ordered]
        self._latest = list(accumulate((last for _, last in ordered), max))  # end of any span up to here

    def hold(self, first: int, last: int) -> bool:
        """Tell whether a run's files were all written within one of the spans, give or take half a minute.

        >>> minute = 60 * 10**9
        >>> CopiedSpans([(0, minute)]).hold(minute, minute), CopiedSpans([(0, minute)]).hold(0, 2 * minute)
        (True, False)
        """
        before = bisect_right(self._firsts, first + _SLACK)
        return before > 0 and last <= self._latest[before - 1] + _SLACK

    def __bool__(self) -> bool:
        return bool(self._firsts)


def run_times(
    run_id: str,
    state: dict[str, Any],
    logs: Sequence[Log],
    streams: Sequence[StreamFacts],
    window: Window | None,
) -> RunTimes:
    """Return the times of a run. `window` is None where file times tell nothing."""
    offset = _offset(run_id, state, logs, window)
    derived = _file_times(streams, window)
    end_of_work = max((end for _, end in derived), default=None)
    start_of_work = min((start for start, _ in derived), default=None)
    places = _starts(run_id, state, logs, offset)
    created, source = next(iter(places), (None, None))
    basis: Basis | None = "reported" if created else None
    if created is None and (start := start_of_work or (window.first if window else None)):
        created, source, basis = start, "file times", "derived"
    started = instant(state.get("started_at") or state.get("start_time"), offset) or created
    completed = _completed(state, logs, offset)
    reported_end = completed
    if completed is None and basis == "derived":  # a file's time is no end to a start that was reported
        completed = end_of_work
    durations = list(
        _durations(state, started if basis == "reported" else None, reported_end, derived, streams)
    )
    likely = [found for found in durations if found[0] <= _LONGEST]
    duration, duration_basis, duration_source = likely[0] if likely else (None, None, None)
    zone_known = offset is not None or source in (None, "file times", "the run's id")
    return RunTimes(
        created,
        started,
        completed,
        basis,
        source,
        offset,
        zone_known,
        duration,
        duration_basis,
        duration_source,
        tuple((seconds, told) for seconds, _, told in durations if seconds > _LONGEST),
    )


def _starts(
    run_id: str, state: dict[str, Any], logs: Sequence[Log], offset: int | None
) -> Iterable[tuple[datetime, str]]:
    """Yield the reported starts, the best place first."""
    for key in ("created_at", "started_at", "start_time", "timestamp"):
        if when := instant(state.get(key), offset):
            yield when, f"adw_state.json: {key}"
    for phase in phase_results(state):
        if when := instant(phase.get("started_at"), offset):
            yield when, "adw_state.json: phase_results"
    firsts = sorted(log.first for log in logs if log.first)
    if firsts:
        yield _shifted(firsts[0], offset), "execution.log"
    if epoch := _EPOCH.search(run_id):
        yield datetime.fromtimestamp(int(epoch.group(1)), UTC), "the run's id"
    if stamp := _stamp(run_id):
        yield _shifted(stamp, offset), "the stamp in the run's id"


def phase_results(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a state file tells of its phases, one dict each."""
    results = state.get("phase_results")
    return [item for item in results if isinstance(item, dict)] if isinstance(results, list) else []


def _completed(state: dict[str, Any], logs: Sequence[Log], offset: int | None) -> datetime | None:
    for key in ("completed_at", "end_time", "ended_at", "finished_at"):
        if when := instant(state.get(key), offset):
            return when
    ends = [instant(phase.get("completed_at"), offset) for phase in phase_results(state)]
    known = [end for end in ends if end]
    if known and state.get("status") in ("completed", "failed"):
        return max(known)
    last = max(logs, key=lambda log: log.last or datetime.min, default=None)  # noqa: DTZ901 - logs are naive
    ended = None if last is None else last.completed_at
    return None if ended is None else _shifted(ended, offset)


def _file_times(streams: Sequence[StreamFacts], window: Window | None) -> list[tuple[datetime, datetime]]:
    """Return (start, end) of each stream: its own clock where it has one, else its file's time."""
    spans = []
    for stream in streams:
        if stream.started_at and stream.ended_at:
            spans.append((stream.started_at, stream.ended_at))
        elif window is not None and stream.modified_at is not None:
            seconds = stream_seconds(stream) or 0.0
            spans.append((stream.modified_at - timedelta(seconds=seconds), stream.modified_at))
    return spans


def _durations(
    state: dict[str, Any],
    started: datetime | None,
    completed: datetime | None,
    spans: Sequence[tuple[datetime, datetime]],
    streams: Sequence[StreamFacts],
) -> Iterator[tuple[float, Basis, str]]:
    """Yield what tells how long the run took, the best first: seconds, how that is known, and from where."""
    given = number(state.get("duration_seconds"))
    if given is not None:
        yield given, "reported", "adw_state.json: duration_seconds"
    if started and completed and completed >= started:
        yield (completed - started).total_seconds(), "reported", "its reported start and end"
    known = [seconds for stream in streams if (seconds := stream_seconds(stream)) is not None]
    if known and spans:
        span = (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()
        yield round(span, 3), "derived", "file times: first agent's start to last agent's end"
    if known:
        yield round(fsum(known), 3), "derived", "its agents' own durations added up"


def _offset(run_id: str, state: dict[str, Any], logs: Sequence[Log], window: Window | None) -> int | None:
    """Return the run's minutes from UTC: told by a time with an offset, an epoch, or a file's time."""
    texts = [state.get(key) for key in ("created_at", "started_at", "completed_at", "timestamp")]
    times = [when for text in texts if (when := _parsed(text)) is not None]
    for when in times:
        if when.tzinfo is not None:
            delta = when.utcoffset()
            return round(delta.total_seconds() / 60) if delta is not None else None
    naive = [when.replace(tzinfo=UTC) for when in times]
    epoch = _EPOCH.search(run_id)
    if naive and epoch:
        return _quarter((naive[0].timestamp() - int(epoch.group(1))), slack=600)
    written = [*naive, *(log.last.replace(tzinfo=UTC) for log in logs if log.last)]
    if written and window is not None:
        return _quarter(max(written).timestamp() - window.last.timestamp(), slack=60)
    return None


def _quarter(seconds: float, *, slack: float) -> int | None:
    """Return the offset, in minutes, that a difference in seconds stands for, if it is one."""
    nearest = round(seconds / _QUARTER) * _QUARTER
    plausible = abs(seconds - nearest) <= slack and abs(nearest) <= 14 * 3600
    return nearest // 60 if plausible else None


def _stamp(run_id: str) -> datetime | None:
    found = _STAMP.search(run_id)
    if found is None:
        return None
    try:
        return datetime(*(int(part) for part in found.groups()))  # type: ignore[arg-type]  # noqa: DTZ001 - local time of a machine unknown
    except ValueError:
        return None


def _parsed(value: Any) -> datetime | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        if isinstance(value, (int, float)):
            seconds = value / 1000 if value > 1e11 else value
            return datetime.fromtimestamp(seconds, UTC) if seconds > 1e9 else None
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None


def instant(value: Any, offset: int | None) -> datetime | None:
    """Return aware UTC; a naive time is local, moved by the offset where that is known."""
    when = _parsed(value)
    if when is None:
        return None
    try:
        return when.astimezone(UTC) if when.tzinfo else _shifted(when, offset)
    except OverflowError:
        return None


def _shifted(naive: datetime, offset: int | None) -> datetime:
    return naive.replace(tzinfo=UTC) - timedelta(minutes=offset or 0)
