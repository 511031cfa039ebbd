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
from .run_times import END_KEYS, PHASE_KEYS, START_KEYS, FileTimeSpan, moments_of_id, state_phases
from .small_files import Log
from .state_words import quoted


@dataclass(frozen=True, slots=True)
class Possible:
    """Data that the times of a run come from, without impossible times."""

    run_id: str  # empty if a time in it is impossible
    state: dict[str, Any]
    logs: tuple[Log, ...]
    streams: tuple[StreamFacts, ...]
    window: FileTimeSpan | None  # file times of the files that have a possible time
    refused: tuple[tuple[str, str], ...]  # path in the run, and the problem with a time in it
    file_time: tuple[str, str] | None  # path and problem of the newest file, if no file has a possible time
    again_at: datetime | None  # when the earliest time in the future becomes possible


def possible(
    folder: RunFolder,
    state: dict[str, Any],
    logs: Sequence[Log],
    streams: Sequence[StreamFacts],
    now: datetime,
) -> Possible:
    """Return a run's data without impossible times; `now` is aware."""
    looked = _Looked(now)
    likely = [when for found in folder.files if not looked.why_not(when := _written(found.mtime_ns))]
    newest = max(folder.files, key=lambda found: found.mtime_ns, default=None)
    file_time = None
    if newest is not None and not likely:
        written = _written(newest.mtime_ns)
        file_time = newest.path, f"its file's time {written} {looked.why_not(written)}"
    looked.ahead.clear()  # file times in the future are handled separately, by the fingerprint's prefix
    return Possible(
        "" if any(map(looked.why_not, moments_of_id(folder.id))) else folder.id,
        looked.state(state),
        tuple(map(looked.log, logs)),
        tuple(map(looked.stream, streams)),
        FileTimeSpan(min(likely), max(likely)) if likely else None,
        tuple(looked.refused),
        file_time,
        min(looked.ahead) - MAX_CLOCK_SKEW if looked.ahead else None,
    )


def _written(mtime_ns: int) -> datetime:
    return datetime.fromtimestamp(mtime_ns / 1e9, UTC)


@dataclass(slots=True)
class _Looked:
    """Filter of impossible times, which records the ones that it removes."""

    now: datetime
    refused: list[tuple[str, str]] = field(default_factory=list)  # path in the run, reason
    ahead: list[datetime] = field(default_factory=list)  # times in the future that become possible

    def why_not(self, when: datetime | None) -> str | None:
        """Return why a time, naive or aware, is impossible for a run; None if it is possible or None."""
        aware = when.replace(tzinfo=UTC) if when is not None and when.tzinfo is None else when
        if aware is None or is_plausible(aware, self.now):
            return None
        if aware >= EARLIEST and is_possible(aware):
            self.ahead.append(aware)
        return f"is {'before 2000' if aware < EARLIEST else 'in the future'}: no run was made then"

    def state(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return a state file's object with null for its impossible times."""
        kept = self._fields(given, dict.fromkeys((*START_KEYS, *END_KEYS)))
        phases = state_phases(given)
        likely = [self._fields(phase, PHASE_KEYS, f"phase_results[{at}].") for at, phase in enumerate(phases)]
        return {**kept, "phase_results": likely} if likely != phases else kept

    def _fields(self, holder: dict[str, Any], keys: Iterable[str], inside: str = "") -> dict[str, Any]:
        odd = {key: why for key in keys if (why := self.why_not(read_moment(holder.get(key))))}
        self.refused += [(STATE_FILE, f"{inside}{key} {quoted(holder[key])} {odd[key]}") for key in odd]
        return {**holder, **dict.fromkeys(odd)} if odd else holder

    def log(self, log: Log) -> Log:
        """Return a log, without its times if one of them is impossible."""
        ends = (log.first, log.last)
        return dataclasses.replace(log, first=None, last=None) if self._clock(log.path, ends) else log

    def stream(self, stream: StreamFacts) -> StreamFacts:
        """Return a stream without its own times if one is impossible, and without an impossible file time."""
        if self._clock(stream.path, (stream.started_at, stream.ended_at)):
            stream = replace(stream, started_at=None, ended_at=None)
        written = stream.modified_at
        is_odd = written is not None and not is_plausible(written, self.now)
        return replace(stream, modified_at=None) if is_odd else stream

    def _clock(self, path: str, ends: Iterable[datetime | None]) -> bool:
        """Return whether one of two times is impossible, and record the first one that is."""
        odd = next(((when, why) for when in ends if (why := self.why_not(when))), None)
        if odd is not None:
            self.refused.append((path, f"its lines' time {odd[0]} {odd[1]}"))
        return odd is not None
