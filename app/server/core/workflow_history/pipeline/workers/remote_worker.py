"""Read runs in a worker on any machine: a pickled task in, pickled results out.

Before its first task the worker checks that it reads exactly as the sync's own process: the same version,
the same price table, the same files.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from typing import Any

from ...analysis.similarity.version import MODEL_VERSION
from ...common.errors import ExecutorError, WorkflowHistoryError
from ...costs.pricing import table_version
from ...ingest.files import open_file, to_path
from ...ingest.runs.records import READER_VERSION
from ..read_run import prepare_worker, read_runs
from ..tasks import ReadResult, ReadTask, TaskBatch

Versions = tuple[tuple[str, str], ...]
"""Names and versions of everything that affects how runs are read."""

Sample = tuple[str, int]
"""Path of a file that a worker must be able to open, and its size in bytes."""

SAMPLE_SIZE = 8  # number of files: a single one may have been deleted since


def environment_versions() -> Versions:
    """Return the versions that affect how this process reads runs."""
    try:
        installed_version = metadata.version("workflow-history")
    except metadata.PackageNotFoundError:
        installed_version = "not installed"
    return (
        ("workflow-history", installed_version),
        ("its reader", str(READER_VERSION)),
        ("genai-prices", table_version()),
        ("its words", str(MODEL_VERSION)),
    )


def sample_files(tasks: Sequence[ReadTask]) -> tuple[Sample, ...]:
    """Return a sample of the files to read, each from a different run."""
    return tuple((task.folder.files[0].file, task.folder.files[0].size) for task in tasks[:SAMPLE_SIZE])


def run_remote_task(
    versions: Versions, agents_dir: str, samples: tuple[Sample, ...], pickled_batch: bytes
) -> bytes:
    """Read the runs of a pickled task; raise ExecutorError if this worker's environment differs.

    Arguments are plain tuples, strings and bytes, since they pass through other programs with other versions.
    """
    if reason := _why_incompatible(versions, agents_dir, samples):
        raise ExecutorError(reason)
    batch: TaskBatch = pickle.loads(pickled_batch)  # noqa: S301 - our own sync's, by the cluster that its user chose
    return pickle.dumps(read_runs(batch), pickle.HIGHEST_PROTOCOL)


@lru_cache(maxsize=64)
def _why_incompatible(versions: Versions, agents_dir: str, samples: tuple[Sample, ...]) -> str | None:
    """Return the reason why this process must not read, or None; checked once."""
    worker = f"the worker on {socket.gethostname()} (process {os.getpid()})"
    for (name, theirs), (_, ours) in zip(versions, environment_versions(), strict=True):
        if theirs != ours:
            return f"{worker} has {name} {ours}, and this sync {theirs}: install the same version on both"
    if reason := _why_not_visible(agents_dir, samples):
        return f"{worker} does not see {agents_dir} as this sync does ({reason}). Share that path with it."
    prepare_worker()
    return None


def _why_not_visible(agents_dir: str, samples: tuple[Sample, ...]) -> str | None:
    """Return why the agents folder differs here, or None if at least one sample file is as expected."""
    try:
        if not to_path(agents_dir).is_dir():
            return "the directory does not exist there"
        reasons = [_why_unreadable(file, size) for file, size in samples]
    except (OSError, WorkflowHistoryError) as error:
        return str(error)
    return None if None in reasons else reasons[0]


def _why_unreadable(file: str, size: int) -> str | None:
    try:
        handle, status = open_file(file)
        with handle:
            return None if status.st_size >= size else f"{file} is shorter there"
    except OSError as error:
        return str(error)


def dump_task(batch: TaskBatch) -> bytes:
    """Pickle a task."""
    return pickle.dumps(batch, pickle.HIGHEST_PROTOCOL)


def load_results(pickled_results: bytes) -> list[ReadResult]:
    """Unpickle the results of a worker."""
    results: Any = pickle.loads(pickled_results)  # noqa: S301 - see run_remote_task
    return list(results)
