"""Detect runs that another process changed since this sync read them.

Syncs of one folder run one after the other. Two folders may still have a run with the same project and id,
and histories can be merged at any time. A result based on outdated data must not overwrite newer data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..storage.reading.runs import StoredRunState
from .sync_state import SyncContext
from .tasks import ReadResult

CONFLICT_MESSAGE = "another process stored this run at the same time; sync again"


def find_conflicts(job: SyncContext, batch: Sequence[ReadResult]) -> set[str]:
    """Return ids of runs that others stored since this sync last looked, and load their stored state."""
    version = job.history.data_version()
    if version == job.version:  # nothing else was stored: the usual case
        return set()
    job.version = version
    ids = {run.id for run in batch if run.rows}
    stored = {run_id: run for run_id, run in job.load_known().items() if run_id in ids}
    changed = {run_id for run_id in ids if _has_changed(job, run_id, stored.get(run_id))}
    for run_id in changed:
        job.known.pop(run_id, None)
        job.keys.pop(run_id, None)
    job.pruned = job.load_pruned()
    job.known.update({run_id: stored[run_id] for run_id in changed if run_id in stored})
    return changed


def _has_changed(job: SyncContext, run_id: str, stored: StoredRunState | None) -> bool:
    if run_id in job.keys:  # stored by this sync; later reads are of the same folder
        return stored is None or stored.agents_dir != job.agents_dir
    return stored != job.known.get(run_id)


def drop_runs(batch: Iterable[ReadResult], ids: set[str]) -> list[ReadResult]:
    """Return the batch without the runs with these ids."""
    return [run for run in batch if run.id not in ids]
