"""Decide what a sync has to read: stored runs and folders as they are now in, answers out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from ..ingest.runs.build_run import FUTURE_PREFIX, NOT_YET, RUNNING_PREFIX, SILENT_PREFIX
from ..ingest.runs.file_times import FileTimes
from ..ingest.runs.records import RunFolder
from ..ingest.runs.status import is_in_future, is_timed_out
from ..storage.reading.runs import StoredRunState

GROWTH_WINDOW = 2 * 24 * 3600
"""Seconds after its last line in which a stream is expected to grow, and its mark is kept."""

_LAST_SECOND = datetime(9999, 1, 1, tzinfo=UTC).timestamp()  # some file systems know later ones


def is_unchanged(
    stored: StoredRunState | None, folder: RunFolder, home: str, now: datetime, copied: str | None = None
) -> bool:
    """Return whether a run needs no reading: nothing was written, and time alone changes nothing.

    `copied`: the fingerprint of a copy that was read in this folder, of a run that is found in another.
    """
    if stored is None:
        return False
    is_there = stored.source_state == "present"  # in the other folder; else this copy stands for it
    known = stored.fingerprint if stored.agents_dir == home else copied if is_there else None
    if known is None or not known.endswith(folder.fingerprint):
        return False
    return _clock_agrees(known, folder.file_times[1], now)


def _clock_agrees(fingerprint: str, written_ns: int, now: datetime) -> bool:
    """Return whether the clock says what it said when the run was judged; clocks may have been wrong."""
    if fingerprint.startswith(NOT_YET):
        return now.timestamp() < float(fingerprint.removeprefix(NOT_YET).partition(" ")[0])
    seconds = written_ns / 1e9
    if seconds <= now.timestamp() and not fingerprint.startswith(
        (RUNNING_PREFIX, SILENT_PREFIX, FUTURE_PREFIX)
    ):
        return True
    written = datetime.fromtimestamp(min(max(seconds, 0.0), _LAST_SECOND), UTC)
    if fingerprint.startswith(FUTURE_PREFIX) or is_in_future(written, now):
        return fingerprint.startswith(FUTURE_PREFIX) and is_in_future(written, now)
    return not fingerprint.startswith((RUNNING_PREFIX, SILENT_PREFIX)) or (
        fingerprint.startswith(SILENT_PREFIX) == is_timed_out(written, now)
    )


def places_left(
    known: Mapping[str, StoredRunState], keys: Mapping[str, int], home: str
) -> dict[int, tuple[str, str]]:
    """Return by key the folder and the fingerprint of runs that were found in another folder until now."""
    return {
        keys[run_id]: (stored.agents_dir, stored.fingerprint)
        for run_id in keys
        if (stored := known.get(run_id)) is not None
        and stored.agents_dir not in {None, home}
        and stored.fingerprint
        and stored.source_state == "present"
    }


def has_grown(stored: StoredRunState | None, folder: RunFolder, home: str) -> bool:
    """Return whether something of a run was written since it was read; a new copy writes all of its files."""
    if stored is None or stored.agents_dir != home or stored.last_written_ns is None:
        return False
    first, last = folder.file_times
    return last > stored.last_written_ns and (first == stored.first_written_ns or len(folder.files) == 1)


def file_times_of(runs: Iterable[StoredRunState], home: str) -> dict[str, FileTimes]:
    """Return by id when the files of this agents folder's runs were written, gone ones included."""
    return {
        run.id: FileTimes(run.file_times, run.first_written_ns, run.last_written_ns)
        for run in runs
        if run.agents_dir == home and run.first_written_ns is not None and run.last_written_ns is not None
    }
