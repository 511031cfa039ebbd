"""Judge whether file times are those of the runs or of a copy of their files. Pure.

A clone, a checkout and `cp -r` write all files again within moments. A stream written by an agent was open as
long as the agent worked, and the file times in a directory written by runs are as far apart as the runs.
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
"""Verdicts on a run's file times.

Contradicted: a copy's, since the agents worked for longer. Live: the run's own, since a stream's file was
being written while its agent worked. Checked out: later than the commit that has the same content.
The others depend on the other runs of the directory: kept (the run's own, preserved by the copying program),
own, copied (a copy's), or alone: there is nothing to compare them with, so they date no run.
"""

_FINAL_VERDICTS: Final = frozenset({CONTRADICTED, LIVE, CHECKED_OUT})

_SECOND: Final = 10**9  # nanoseconds
_COPY_TOLERANCE: Final = 30 * _SECOND
_MAX_COPY_GAP: Final = 2 * _SECOND  # maximum time between two files that a copy writes
_MAX_COPY_TIME: Final = _SECOND // 2  # maximum time that a copy takes per run
_MIN_WORKED: Final = 10.0  # seconds: shorter work proves nothing
_MIN_OPEN: Final = 0.1  # seconds: copying a stream takes less
_MIN_OPEN_UNENDED: Final = 1.0  # seconds that a stream without a result must have been open
_MAX_OPEN_EXTRA: Final = 3600.0
"""Seconds that a stream may be open beyond its agent's work; else it was overwritten."""


class FileTimes(NamedTuple):
    """File times of a run, and the verdict on them."""

    file_times: str | None  # verdict, such as OWN or COPIED; None: not judged
    first: int  # earliest file time, nanoseconds since 1970
    last: int  # latest file time, nanoseconds since 1970

    @property
    def is_copied(self) -> bool:
        """Whether the times are those of a copy."""
        return self.file_times in (CONTRADICTED, CHECKED_OUT, COPIED)

    @property
    def is_alone(self) -> bool:
        """Whether there is no evidence whether the times are the run's own or a copy's."""
        return self.file_times == ALONE


def evidence_of(folder: RunFolder, streams: Sequence[StreamFacts], births: Mapping[str, int]) -> str | None:
    """Return the verdict that a run's own files allow: CONTRADICTED, LIVE, KEPT, or None if unclear.

    `births` has the creation times of files by path, in nanoseconds since 1970.
    """
    files = {file.path: file for file in folder.files}
    worked_seconds = {stream.path: stream_duration(stream) for stream in streams if stream.path in files}
    open_seconds = {
        path: (files[path].mtime_ns - born) / _SECOND for path, born in births.items() if path in files
    }
    both_known = open_seconds.keys() & worked_seconds.keys()
    if any(_was_open(open_seconds[path], worked_seconds[path]) for path in both_known):
        return LIVE
    if _contradicts(folder.files, {files[path]: worked or 0.0 for path, worked in worked_seconds.items()}):
        return CONTRADICTED
    return KEPT if any(seconds * _SECOND < -_MAX_COPY_GAP for seconds in open_seconds.values()) else None


def _was_open(open_seconds: float, worked_seconds: float | None) -> bool:
    """Return whether a file was being written for about as long as its agent worked; seconds."""
    if worked_seconds is None:
        return _MIN_OPEN_UNENDED <= open_seconds <= 24 * _MAX_OPEN_EXTRA
    return max(worked_seconds / 2, _MIN_OPEN) <= open_seconds <= worked_seconds + _MAX_OPEN_EXTRA


def _contradicts(files: Sequence[ScannedFile], worked: Mapping[ScannedFile, float]) -> bool:
    """Return whether agents worked for much longer than the time span in which their files were written."""
    if not worked:
        return False
    span = (max(f.mtime_ns for f in files) - min(f.mtime_ns for f in files)) / _SECOND
    longest, total = max(worked.values()), sum(worked.values())
    if len(worked) == 1:  # a prompt is written before its agent starts; a state may be written at any time
        has_prompts = any("prompts/" in file.path for file in files)
        return has_prompts and longest >= _MIN_WORKED and span < longest / 2
    if longest - min(worked.values()) >= _MIN_WORKED and span < (longest - min(worked.values())) / 2:
        return True  # even if they ran in parallel, they cannot have ended so close to each other
    return span < min((total - longest) / 10, _MAX_COPY_GAP / _SECOND)


class FileTimeJudge:
    """Judge of file times by comparison with all runs of an agents directory."""

    def __init__(self, runs: Iterable[FileTimes]) -> None:
        """Find the time spans in which runs were copied; `runs` are all known runs, including missing."""
        all_runs = list(runs)
        contradicted = [(run.first, run.last) for run in all_runs if run.file_times == CONTRADICTED]
        copy_spans = sorted([*contradicted, *_bursts(all_runs)])
        self._span_starts = [first for first, _ in copy_spans]
        # The latest end of any span up to here.
        self._latest_ends = list(accumulate((last for _, last in copy_spans), max))
        self._earliest = min((run.first for run in all_runs), default=0)
        self._latest = max((run.last for run in all_runs), default=0)

    def was_copied(self, first: int, last: int) -> bool:
        """Return whether files were written while the tree was copied, with a tolerance of 30 seconds."""
        index = bisect_right(self._span_starts, first + _COPY_TOLERANCE)
        return index > 0 and last <= self._latest_ends[index - 1] + _COPY_TOLERANCE

    def judge(self, run: FileTimes) -> str:
        """Return the verdict on a run's file times."""
        if run.file_times in _FINAL_VERDICTS:
            return str(run.file_times)
        if self.was_copied(run.first, run.last):
            return COPIED
        if run.file_times == KEPT:
            return KEPT
        return OWN if self._latest - self._earliest >= _MAX_COPY_GAP else ALONE

    def misjudged(self, runs: Mapping[str, FileTimes]) -> Iterator[str]:
        """Yield the ids of runs whose recorded verdict differs from the present one."""
        return (run_id for run_id, run in runs.items() if self.judge(run) != run.file_times)


def _bursts(runs: Iterable[FileTimes]) -> Iterator[tuple[int, int]]:
    """Yield the time spans in which several runs were written faster than agents can write."""
    start = end = count = 0
    for first, last in sorted(
        (run.first, run.last)
        for run in runs
        if run.file_times != LIVE and run.last - run.first < _MAX_COPY_GAP
    ):
        if count and first - end <= _MAX_COPY_GAP:
            end, count = max(end, last), count + 1
            continue
        if _is_burst(start, end, count):
            yield start, end
        start, end, count = first, last, 1
    if _is_burst(start, end, count):
        yield start, end


def _is_burst(start: int, end: int, count: int) -> bool:
    return count > 1 and end - start < _MAX_COPY_TIME * (count - 1)


def judge_file_times(
    evidence: str | None, folder: RunFolder, comparison: str, committed: datetime | None
) -> str:
    """Return the verdict on a run's file times from its own files, git, and the other runs (`comparison`)."""
    if evidence in (LIVE, CONTRADICTED):
        return str(evidence)
    if committed is not None and folder.file_times[1] / _SECOND > committed.timestamp() + 2:
        return CHECKED_OUT
    return KEPT if evidence == KEPT and comparison != COPIED else comparison
