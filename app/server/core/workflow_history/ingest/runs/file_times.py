"""Judge whether file times are those of the runs or of a copy: stamps, births, durations in. Pure.

A clone, a checkout and `cp -r` write all files anew within moments. A stream that an agent wrote was open
as long as the agent worked, and the files of a folder that was written by runs are as far apart as those.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Final, NamedTuple

from ...common.models import StreamFacts
from .records import RunFolder, ScannedFile
from .run_times import stream_duration

CONTRADICTED: Final = "contradicted"
LIVE: Final = "live"
CHECKED_OUT: Final = "checked out"
KEPT: Final = "kept"
OWN: Final = "own"
COPIED: Final = "copied"
ALONE: Final = "alone"
"""What file times are.

Contradicted: a copy's, since the agents worked for longer. Live: the run's own, since a stream's file was
being written while its agent worked. Checked out: later than the commit that has the same content.
The others depend on the runs beside it: kept (the run's own, kept by what copied it), own, a copy's, or
alone: there is nothing to compare them with, so that they date no run.
"""

_SURE: Final = frozenset({CONTRADICTED, LIVE, CHECKED_OUT})

_SECOND: Final = 10**9  # nanoseconds
_SLACK: Final = 30 * _SECOND
_AT_ONCE: Final = 2 * _SECOND  # a copy writes the next file sooner
_EACH: Final = _SECOND // 2  # that a copy needs for a run at most
_LEAST: Final = 10.0  # seconds: shorter work proves nothing
_LEAST_OPEN: Final = 0.1  # seconds: a copy of a stream takes less
_LEAST_UNENDED: Final = 1.0  # seconds that a stream without a result must have been open
_LONGER: Final = 3600.0  # seconds that a stream may be open beyond its work; else it was written over


class FileTimes(NamedTuple):
    """When a run's files were written, and what these times were taken for."""

    file_times: str | None
    first: int  # nanoseconds since 1970
    last: int

    @property
    def is_copied(self) -> bool:
        """Whether the times are those of a copy."""
        return self.file_times in (CONTRADICTED, CHECKED_OUT, COPIED)

    @property
    def is_alone(self) -> bool:
        """Whether nothing shows that the times are the run's own, or that they are not."""
        return self.file_times == ALONE


def evidence_of(folder: RunFolder, streams: Sequence[StreamFacts], births: Mapping[str, int]) -> str | None:
    """Return what a run's own files show of their times: contradicted, live, kept; None: nothing.

    `births` has by path when streams' files were made, in nanoseconds since 1970.
    """
    stamps = {found.path: found for found in folder.files}
    seconds = {stream.path: stream_duration(stream) for stream in streams if stream.path in stamps}
    opened = {
        path: (stamps[path].mtime_ns - born) / _SECOND for path, born in births.items() if path in stamps
    }
    if any(_was_open(opened[path], seconds[path]) for path in opened.keys() & seconds.keys()):
        return LIVE
    if _contradicts(folder.files, {stamps[path]: known or 0.0 for path, known in seconds.items()}):
        return CONTRADICTED
    return KEPT if any(length * _SECOND < -_AT_ONCE for length in opened.values()) else None


def _was_open(opened: float, worked: float | None) -> bool:
    """Return whether a file was being written for about as long as its agent worked; seconds."""
    if worked is None:
        return _LEAST_UNENDED <= opened <= 24 * _LONGER
    return max(worked / 2, _LEAST_OPEN) <= opened <= worked + _LONGER


def _contradicts(files: Sequence[ScannedFile], worked: Mapping[ScannedFile, float]) -> bool:
    """Return whether agents worked for much longer than the span in which their files were written."""
    if not worked:
        return False
    span = (max(f.mtime_ns for f in files) - min(f.mtime_ns for f in files)) / _SECOND
    longest, total = max(worked.values()), sum(worked.values())
    if len(worked) == 1:  # a prompt is written before its agent starts; a state may be written at any time
        asked = any("prompts/" in found.path for found in files)
        return asked and longest >= _LEAST and span < longest / 2
    if longest - min(worked.values()) >= _LEAST and span < (longest - min(worked.values())) / 2:
        return True  # even side by side they cannot have ended so close to each other
    return span < min((total - longest) / 10, _AT_ONCE / _SECOND)


class Neighbourhood:
    """What all runs of an agents folder together show of their file times."""

    def __init__(self, runs: Iterable[FileTimes]) -> None:
        """Take all runs that are known, those that are gone included."""
        every = list(runs)
        contradicted = [(run.first, run.last) for run in every if run.file_times == CONTRADICTED]
        ordered = sorted([*contradicted, *_bursts(every)])
        self._firsts = [first for first, _ in ordered]
        self._latest = list(accumulate((last for _, last in ordered), max))  # end of any span up to here
        self._begin = min((run.first for run in every), default=0)
        self._end = max((run.last for run in every), default=0)

    def was_copied(self, first: int, last: int) -> bool:
        """Return whether files were written while the tree was copied, give or take half a minute."""
        before = bisect_right(self._firsts, first + _SLACK)
        return before > 0 and last <= self._latest[before - 1] + _SLACK

    def judge(self, run: FileTimes) -> str:
        """Return what a run's file times are to be taken for."""
        if run.file_times in _SURE:
            return str(run.file_times)
        if self.was_copied(run.first, run.last):
            return COPIED
        if run.file_times == KEPT:
            return KEPT
        return OWN if self._end - self._begin >= _AT_ONCE else ALONE

    def misjudged(self, runs: Mapping[str, FileTimes]) -> Iterator[str]:
        """Yield the runs whose file times were taken for something else than they are."""
        return (run_id for run_id, run in runs.items() if self.judge(run) != run.file_times)


def _bursts(runs: Iterable[FileTimes]) -> Iterator[tuple[int, int]]:
    """Yield the spans in which several runs were written faster than agents can."""
    begin = end = count = 0
    for first, last in sorted((run.first, run.last) for run in runs if _is_quick(run)):
        if count and first - end <= _AT_ONCE:
            end, count = max(end, last), count + 1
            continue
        if _is_burst(begin, end, count):
            yield begin, end
        begin, end, count = first, last, 1
    if _is_burst(begin, end, count):
        yield begin, end


def _is_quick(run: FileTimes) -> bool:
    return run.file_times != LIVE and run.last - run.first < _AT_ONCE


def _is_burst(begin: int, end: int, count: int) -> bool:
    return count > 1 and end - begin < _EACH * (count - 1)


def taken_for(evidence: str | None, folder: RunFolder, around: str, committed: datetime | None) -> str:
    """Return what a run's file times are taken for: by its own files, by git, by the runs beside it."""
    if evidence in (LIVE, CONTRADICTED):
        return str(evidence)
    if committed is not None and folder.file_times[1] / _SECOND > committed.timestamp() + 2:
        return CHECKED_OUT
    return KEPT if evidence == KEPT and around != COPIED else around
