"""Remove impossible times from a run's data. Pure.

Files contain 0001-01-01 or 9999-12-31 in place of an unknown time, and clocks can be wrong. Such a time
counts as missing, so the next source of a time is used. Each one is reported with its file and value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from ...common.models import StreamFacts
from ...common.plausible_dates import EARLIEST, MAX_CLOCK_SKEW, is_plausible, is_possible, read_moment
from .records import STATE_FILE, RunFolder
from .run_times import END_KEYS, PHASE_KEYS, START_KEYS, FileTimeSpan, state_phases, times_in_id
from .small_files import Log
from .state_words import quote_value


@dataclass(frozen=True, slots=True)
class PlausibleData:
    """Data that the times of a run come from, without impossible times."""

    run_id: str  # empty if a time in it is impossible
    state: dict[str, Any]
    logs: tuple[Log, ...]
    streams: tuple[StreamFacts, ...]
    window: FileTimeSpan | None  # file times of the files that have a possible time
    rejected: tuple[tuple[str, str], ...]  # path in the run, and the problem with a time in it
    file_time: tuple[str, str] | None  # path and problem of the newest file, if no file has a possible time
    plausible_from: datetime | None  # when the earliest time in the future becomes possible


def remove_implausible_times(
    folder: RunFolder,
    state: dict[str, Any],
    logs: Sequence[Log],
    streams: Sequence[StreamFacts],
    now: datetime,
) -> PlausibleData:
    """Return a run's data without impossible times; `now` is aware."""
    time_filter = _TimeFilter(now)
    plausible = [
        when for file in folder.files if not time_filter.implausible_reason(when := _from_ns(file.mtime_ns))
    ]
    newest = max(folder.files, key=lambda file: file.mtime_ns, default=None)
    file_time = None
    if newest is not None and not plausible:
        modified_at = _from_ns(newest.mtime_ns)
        file_time = (
            newest.path,
            f"its file's time {modified_at} {time_filter.implausible_reason(modified_at)}",
        )
    # File times in the future are handled separately, by the fingerprint's prefix.
    time_filter.future_times.clear()
    return PlausibleData(
        "" if any(map(time_filter.implausible_reason, times_in_id(folder.id))) else folder.id,
        time_filter.state(state),
        tuple(map(time_filter.log, logs)),
        tuple(map(time_filter.stream, streams)),
        FileTimeSpan(min(plausible), max(plausible)) if plausible else None,
        tuple(time_filter.rejected),
        file_time,
        min(time_filter.future_times) - MAX_CLOCK_SKEW if time_filter.future_times else None,
    )


def _from_ns(mtime_ns: int) -> datetime:
    return datetime.fromtimestamp(mtime_ns / 1e9, UTC)


@dataclass(slots=True)
class _TimeFilter:
    """Filter of impossible times, which records the ones that it removes."""

    now: datetime
    rejected: list[tuple[str, str]] = field(default_factory=list)  # path in the run, reason
    future_times: list[datetime] = field(default_factory=list)  # times in the future that become possible

    def implausible_reason(self, when: datetime | None) -> str | None:
        """Return why a time, naive or aware, is impossible for a run; None if it is possible or None."""
        aware = when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when
        if aware is None or is_plausible(aware, self.now):
            return None
        if aware >= EARLIEST and is_possible(aware):
            self.future_times.append(aware)
        return f"is {'before 2000' if aware < EARLIEST else 'in the future'}: no run was made then"

    def state(self, raw_state: dict[str, Any]) -> dict[str, Any]:
        """Return a state file's object with null for its impossible times."""
        cleaned = self._clean_fields(raw_state, dict.fromkeys((*START_KEYS, *END_KEYS)))
        phases = state_phases(raw_state)
        plausible_phases = [
            self._clean_fields(phase, PHASE_KEYS, f"phase_results[{index}].")
            for index, phase in enumerate(phases)
        ]
        return {**cleaned, "phase_results": plausible_phases} if plausible_phases != phases else cleaned

    def _clean_fields(self, data: dict[str, Any], keys: Iterable[str], prefix: str = "") -> dict[str, Any]:
        reasons = {
            key: reason for key in keys if (reason := self.implausible_reason(read_moment(data.get(key))))
        }
        self.rejected += [
            (STATE_FILE, f"{prefix}{key} {quote_value(data[key])} {reasons[key]}") for key in reasons
        ]
        return {**data, **dict.fromkeys(reasons)} if reasons else data

    def log(self, log: Log) -> Log:
        """Return a log, without its times if one of them is impossible."""
        ends = (log.first, log.last)
        return (
            dataclasses.replace(log, first=None, last=None)
            if self._has_implausible_time(log.path, ends)
            else log
        )

    def stream(self, stream: StreamFacts) -> StreamFacts:
        """Return a stream without its own times if one is impossible, and without an impossible file time."""
        if self._has_implausible_time(stream.path, (stream.started_at, stream.ended_at)):
            stream = replace(stream, started_at=None, ended_at=None)
        modified_at = stream.modified_at
        is_implausible = modified_at is not None and not is_plausible(modified_at, self.now)
        return replace(stream, modified_at=None) if is_implausible else stream

    def _has_implausible_time(self, path: str, ends: Iterable[datetime | None]) -> bool:
        """Return whether one of two times is impossible, and record the first one that is."""
        implausible = next(
            ((when, reason) for when in ends if (reason := self.implausible_reason(when))), None
        )
        if implausible is not None:
            self.rejected.append((path, f"its lines' time {implausible[0]} {implausible[1]}"))
        return implausible is not None
