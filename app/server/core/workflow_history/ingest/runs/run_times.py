"""Derive a run's times and duration from its state, logs, id, streams and file times. Pure.

Claude's `stream-json` has no timestamps. If no file reports a time, a stream's file time is the end of its
agent's work, and the times are labelled derived. `file_times.py` judges whether file times are a copy's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import fsum
from typing import Any, Final

from ...common.coercion import coerce_number
from ...common.models import DurationBasis, RunStatus, StreamFacts, StreamFormat, TimeBasis
from ...common.plausible_dates import EARLIEST, MAX_DURATION, SUMMED_DURATIONS, read_moment
from .small_files import Log, last_log
from .state_words import stated_status

_EPOCH = re.compile(r"(?:^|[_-])(1[5-9]\d{8}|2[0-4]\d{8})(?:\d{3})?(?=[_-]|$)")
_STAMP = re.compile(r"(?:^|\D)(20\d\d)(\d\d)(\d\d)[_T-]?(\d\d)(\d\d)(\d\d)(?:\D|$)")
_QUARTER = 15 * 60  # seconds: every UTC offset is a multiple of this
_MAX_SECONDS = MAX_DURATION.total_seconds()
START_KEYS = ("created_at", "started_at", "start_time", "timestamp")
END_KEYS = ("completed_at", "end_time", "ended_at", "finished_at")
PHASE_KEYS = ("started_at", "completed_at")

FILE_TIMES: Final = "file times"
CLOCK: Final = "its transcripts' own times"
FIRST_TO_LAST: Final = f"{CLOCK}: first to last"
FILES_FIRST_TO_LAST: Final = f"{FILE_TIMES}: first agent's start to last agent's end"
SO_FAR: Final = "from its start to the last write so far"
END: Final = "its reported end, less its agents' durations"
COMMIT: Final = "commit: it had ended by then"
ID: Final = "the run's id"
"""Sources of a run's start and duration, other than its files."""

STREAM_DURATION_SOURCES: Final = (FIRST_TO_LAST, FILES_FIRST_TO_LAST, SUMMED_DURATIONS)
"""Sources of a duration that do not cover agents without a stream."""


@dataclass(frozen=True, slots=True)
class RunTimes:
    """Times and duration of a run, with their sources. Times are aware UTC; None is unknown."""

    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    basis: TimeBasis | None = None
    source: str | None = None  # source of created_at
    offset_minutes: int | None = None  # local time of the run minus UTC; None: not known
    zone_known: bool = True  # False: the times were written without a zone and are kept as if they were UTC
    duration: float | None = None  # seconds
    duration_basis: DurationBasis | None = None
    duration_source: str | None = None
    rejected: tuple[tuple[float, str], ...] = ()  # durations too long for a run (seconds), and their sources


@dataclass(frozen=True, slots=True)
class FileTimeSpan:
    """Earliest and latest file time of one run."""

    first: datetime
    last: datetime

    @property
    def seconds(self) -> float:
        """Length of the span in seconds."""
        return (self.last - self.first).total_seconds()


def stream_duration(stream: StreamFacts) -> float | None:
    """Return the duration of a stream's agent run in seconds, all its results together; None if unknown."""
    known = [result.duration_ms for result in stream.results if result.duration_ms is not None]
    if known:
        return sum(known) / 1000
    if stream.started_at is not None and stream.ended_at is not None:
        seconds = (stream.ended_at - stream.started_at).total_seconds()
        return seconds if seconds <= _MAX_SECONDS else None
    return None


def is_later(window: FileTimeSpan, times: RunTimes) -> bool:
    """Return whether all files were written over a day after the reported start, so that they are a copy.

    Without a reported start, the reported end counts.
    """
    began = times.created_at if times.basis == TimeBasis.REPORTED else times.completed_at
    return began is not None and began >= EARLIEST and window.first - began > timedelta(days=1)


def is_ordered(window: FileTimeSpan, streams: Iterable[StreamFacts]) -> bool:
    """Return whether files were written far enough apart to show which agent ran last."""
    longest = max((stream_duration(stream) or 0.0 for stream in streams), default=0.0)
    return window.seconds >= max(longest / 2, 1.0)


def run_times(
    run_id: str,
    state: dict[str, Any],
    logs: Sequence[Log],
    streams: Sequence[StreamFacts],
    window: FileTimeSpan | None,
    *,
    committed: datetime | None = None,
    birth: datetime | None = None,
) -> RunTimes:
    """Compute the times of a run.

    `window` is None if file times can't be used. `committed` is the time of the first commit of the run's
    files. `birth` is when an agent created the first stream that has no end.
    """
    offset = _utc_offset(run_id, state, logs, window)
    spans = _stream_spans(streams, window)
    has_own_times = all(stream.started_at and stream.ended_at for stream in streams)
    created, source = next(iter(_start_candidates(run_id, state, logs, offset)), (None, None))
    basis: TimeBasis | None = TimeBasis.REPORTED if created else None
    completed = reported_end = _completion_time(state, logs, offset)
    is_end_local = offset is None and reported_end != _completion_time(state, logs, 60)  # it has no zone
    started = parse_local_time(state.get("started_at") or state.get("start_time"), offset) or created
    if created is None:
        starts = [start for start, _ in spans] + ([birth] if birth else [])
        created = started = min(starts, default=window.first if window else None)
        source = None if created is None else CLOCK if has_own_times and spans else FILE_TIMES
        basis = None if created is None else TimeBasis.REPORTED if source == CLOCK else TimeBasis.DERIVED
        last_end = max((end for _, end in spans), default=None)
        completed = last_end or completed if is_end_local else completed or last_end
    if created is None and reported_end is not None:
        seconds = [seconds for stream in streams if (seconds := stream_duration(stream)) is not None]
        created = started = reported_end - timedelta(seconds=min(fsum(seconds), _MAX_SECONDS))
        source, basis = END, TimeBasis.DERIVED
    if created is None and committed is not None:
        created, source, basis = committed, COMMIT, TimeBasis.DERIVED
    is_start_unreported = source in (CLOCK, FILE_TIMES, END) or (source == ID and is_end_local)
    reported_start = None if is_start_unreported else started
    durations = list(_duration_candidates(state, reported_start, reported_end, spans, streams))
    plausible = [candidate for candidate in durations if candidate[0] <= _MAX_SECONDS]
    duration, duration_basis, duration_source = plausible[0] if plausible else (None, None, None)
    return RunTimes(
        created,
        started,
        completed,
        basis,
        source,
        offset,
        offset is not None
        or source in (None, FILE_TIMES, CLOCK, COMMIT)
        or (source in (ID, END) and not is_end_local),
        duration,
        duration_basis,
        duration_source,
        tuple((seconds, origin) for seconds, _, origin in durations if seconds > _MAX_SECONDS),
    )


def unparsable_times(state: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield names and values of a state's time fields that cannot be parsed as a time."""
    for key in (*START_KEYS, *END_KEYS):
        if _is_unparsable(state.get(key)):
            yield key, state[key]
    for index, phase in enumerate(state_phases(state)):
        for key in PHASE_KEYS:
            if _is_unparsable(phase.get(key)):
                yield f"phase_results[{index}].{key}", phase[key]


def _is_unparsable(value: Any) -> bool:
    is_given = value is not None and value is not False and not (isinstance(value, str) and not value.strip())
    return is_given and read_moment(value) is None


def _start_candidates(
    run_id: str, state: dict[str, Any], logs: Sequence[Log], offset: int | None
) -> Iterable[tuple[datetime, str]]:
    """Yield the reported starts with their sources, the best source first."""
    for key in START_KEYS:
        if when := parse_local_time(state.get(key), offset):
            yield when, f"adw_state.json: {key}"
    for phase in state_phases(state):
        if when := parse_local_time(phase.get("started_at"), offset):
            yield when, "adw_state.json: phase_results"
    firsts = [(when, log.path) for log in logs if (when := parse_local_time(log.first, offset))]
    if firsts:
        yield min(firsts)
    for when in times_in_id(run_id):
        yield (when, ID) if when.tzinfo else (_naive_to_utc(when, offset), "the stamp in the run's id")


def times_in_id(run_id: str) -> Iterator[datetime]:
    """Yield the times in a run's id: an aware one from an epoch, a naive one from a date and time."""
    if epoch := _EPOCH.search(run_id):
        yield datetime.fromtimestamp(int(epoch.group(1)), UTC)
    if stamp := _parse_stamp(run_id):
        yield stamp


def state_phases(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the phase results of a state file, one dict per phase."""
    results = state.get("phase_results")
    return [item for item in results if isinstance(item, dict)] if isinstance(results, list) else []


def _completion_time(state: dict[str, Any], logs: Sequence[Log], offset: int | None) -> datetime | None:
    for key in END_KEYS:
        if when := parse_local_time(state.get(key), offset):
            return when
    ends = [parse_local_time(phase.get("completed_at"), offset) for phase in state_phases(state)]
    known = [end for end in ends if end]
    if known and stated_status(state) in (RunStatus.COMPLETED, RunStatus.FAILED):
        return max(known)
    last = last_log(logs)
    ended = None if last is None else last.completed_at
    return None if ended is None else parse_local_time(ended, offset)


def _stream_spans(
    streams: Sequence[StreamFacts], window: FileTimeSpan | None
) -> list[tuple[datetime, datetime]]:
    """Return (start, end) of each stream from its own times, else from its file time and duration."""
    spans = []
    for stream in streams:
        if stream.started_at and stream.ended_at:
            spans.append((stream.started_at, stream.ended_at))
        elif window is not None and stream.modified_at is not None:
            seconds = stream_duration(stream) or 0.0
            spans.append((stream.modified_at - timedelta(seconds=seconds), stream.modified_at))
    return spans


def _duration_candidates(
    state: dict[str, Any],
    started: datetime | None,
    completed: datetime | None,
    spans: Sequence[tuple[datetime, datetime]],
    streams: Sequence[StreamFacts],
) -> Iterator[tuple[float, DurationBasis, str]]:
    """Yield durations of the run as (seconds, basis, source), the best source first."""
    stated = coerce_number(state.get("duration_seconds"))
    if stated is not None:
        yield stated, DurationBasis.REPORTED, "adw_state.json: duration_seconds"
    if started and completed and completed >= started:
        yield (completed - started).total_seconds(), DurationBasis.REPORTED, "its reported start and end"
    known = [seconds for stream in streams if (seconds := stream_duration(stream)) is not None]
    if known and spans:
        span = (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()
        if all(stream.started_at and stream.ended_at for stream in streams):
            yield round(span, 3), DurationBasis.REPORTED, FIRST_TO_LAST
        else:
            yield round(span, 3), DurationBasis.DERIVED, FILES_FIRST_TO_LAST
    if known:
        is_complete = len(known) == sum(stream.format != StreamFormat.EMPTY for stream in streams)
        yield (
            round(fsum(known), 3),
            DurationBasis.DERIVED if is_complete else DurationBasis.LOWER_BOUND,
            SUMMED_DURATIONS,
        )


def _utc_offset(
    run_id: str, state: dict[str, Any], logs: Sequence[Log], window: FileTimeSpan | None
) -> int | None:
    """Return the run's UTC offset in minutes, from a time with an offset, the id's epoch, or file times."""
    texts = [state.get(key) for key in ("created_at", "started_at", "completed_at", "timestamp")]
    of_state = [when for text in texts if (when := read_moment(text)) is not None]
    of_logs = [when for log in logs for when in (log.first, log.last) if when is not None]
    for when in (*of_state, *of_logs):
        if (delta := when.utcoffset()) is not None:
            return round(delta.total_seconds() / 60)
    naive = [when.replace(tzinfo=UTC) for when in of_state]
    starts = [when for key in START_KEYS if (when := read_moment(state.get(key))) is not None]
    epoch = _EPOCH.search(run_id)
    if starts and epoch:
        seconds = starts[0].replace(tzinfo=UTC).timestamp() - int(epoch.group(1))
        return _round_to_offset(seconds, slack=600)
    written = [*naive, *(log.last.replace(tzinfo=UTC) for log in logs if log.last)]
    if written and window is not None:
        return _round_to_offset(max(written).timestamp() - window.last.timestamp(), slack=60)
    return None


def _round_to_offset(seconds: float, *, slack: float) -> int | None:
    """Return the UTC offset in minutes for a difference in seconds; None if it is not close to one."""
    nearest = round(seconds / _QUARTER) * _QUARTER
    is_offset = abs(seconds - nearest) <= slack and abs(nearest) <= 14 * 3600
    return nearest // 60 if is_offset else None


def _parse_stamp(run_id: str) -> datetime | None:
    match = _STAMP.search(run_id)
    if match is None:
        return None
    try:
        return datetime(*(int(part) for part in match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001 - local time of a machine unknown
    except ValueError:
        return None


def parse_local_time(value: Any, offset: int | None) -> datetime | None:
    """Parse a time into aware UTC; None if invalid.

    A naive time is local: `offset`, local time minus UTC in minutes, is subtracted if known.
    """
    when = value if isinstance(value, datetime) else read_moment(value)
    if when is None:
        return None
    try:
        return when.astimezone(UTC) if when.tzinfo else _naive_to_utc(when, offset)
    except OverflowError:
        return None


def _naive_to_utc(naive: datetime, offset: int | None) -> datetime:
    return naive.replace(tzinfo=UTC) - timedelta(minutes=offset or 0)
