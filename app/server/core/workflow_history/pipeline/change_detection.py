"""Decide which runs a sync must read, by comparing stored runs with the current folders. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from ..common.models import SourceState
from ..ingest.runs.build_run import FUTURE_PREFIX, NOT_YET_PREFIX, RUNNING_PREFIX, SILENT_PREFIX
from ..ingest.runs.file_times import FileTimes
from ..ingest.runs.records import RunFolder
from ..ingest.runs.status import is_in_future, is_timed_out
from ..storage.reading.runs import StoredRunState

GROWTH_WINDOW = 2 * 24 * 3600
"""Seconds after its last line during which a stream may still grow and its checkpoint is kept."""

_MAX_TIMESTAMP = datetime(9999, 1, 1, tzinfo=UTC).timestamp()  # some file systems support later times


def is_unchanged(
    stored: StoredRunState | None,
    folder: RunFolder,
    agents_dir: str,
    now: datetime,
    copy_fingerprint: str | None = None,
) -> bool:
    """Return whether a run need not be read: no file changed, and the time since changes no status.

    `copy_fingerprint`: if the run is stored under another folder, the fingerprint of its copy in this one.
    """
    if stored is None:
        return False
    # If it is missing in the other folder, this copy replaces it.
    is_there = stored.source_state == SourceState.PRESENT
    known_fingerprint = (
        stored.fingerprint if stored.agents_dir == agents_dir else copy_fingerprint if is_there else None
    )
    if known_fingerprint is None or not known_fingerprint.endswith(folder.fingerprint):
        return False
    return _has_same_status_now(known_fingerprint, folder.file_times[1], now)


def _has_same_status_now(fingerprint: str, written_ns: int, now: datetime) -> bool:
    """Return whether the current time leads to the same status as at the last read; clocks may be wrong."""
    if fingerprint.startswith(NOT_YET_PREFIX):
        return now.timestamp() < float(fingerprint.removeprefix(NOT_YET_PREFIX).partition(" ")[0])
    seconds = written_ns / 1e9
    if seconds <= now.timestamp() and not fingerprint.startswith(
        (RUNNING_PREFIX, SILENT_PREFIX, FUTURE_PREFIX)
    ):
        return True
    written = datetime.fromtimestamp(min(max(seconds, 0.0), _MAX_TIMESTAMP), UTC)
    if fingerprint.startswith(FUTURE_PREFIX) or is_in_future(written, now):
        return fingerprint.startswith(FUTURE_PREFIX) and is_in_future(written, now)
    return not fingerprint.startswith((RUNNING_PREFIX, SILENT_PREFIX)) or (
        fingerprint.startswith(SILENT_PREFIX) == is_timed_out(written, now)
    )


def previous_directories(
    known: Mapping[str, StoredRunState], keys: Mapping[str, int], agents_dir: str
) -> dict[int, tuple[str, str]]:
    """Return by key the previous folder and fingerprint of runs that were stored under another folder."""
    return {
        keys[run_id]: (stored.agents_dir, stored.fingerprint)
        for run_id in keys
        if (stored := known.get(run_id)) is not None
        and stored.agents_dir not in {None, agents_dir}
        and stored.fingerprint
        and stored.source_state == SourceState.PRESENT
    }


def has_grown(stored: StoredRunState | None, folder: RunFolder, agents_dir: str) -> bool:
    """Return whether a run was written to since it was read; a new copy, which rewrites all files, is not."""
    if stored is None or stored.agents_dir != agents_dir or stored.last_written_ns is None:
        return False
    first, last = folder.file_times
    return last > stored.last_written_ns and (first == stored.first_written_ns or len(folder.files) == 1)


def content_of(fingerprint: str | None) -> str | None:
    """Return the digest of the content that a run had when it was read; None if unknown.

    >>> content_of("running 0011223344556677 8-aa"), content_of("8-aa")
    ('0011223344556677', None)
    """
    parts = (fingerprint or "").split(" ")
    return parts[-2] if len(parts) > 1 else None


def file_times_of(runs: Iterable[StoredRunState], agents_dir: str) -> dict[str, FileTimes]:
    """Return the file times of this agents folder's stored runs by id, including missing runs."""
    return {
        run.id: FileTimes(run.file_times, run.first_written_ns, run.last_written_ns)
        for run in runs
        if run.agents_dir == agents_dir
        and run.first_written_ns is not None
        and run.last_written_ns is not None
    }
