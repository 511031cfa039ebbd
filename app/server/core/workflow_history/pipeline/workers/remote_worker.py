"""Read runs in a worker on any machine: a pickled task in, pickled results out.

Before its first task the worker checks that it reads exactly as the sync's own process: the same version,
the same prices, the same files.
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
from ...costs.pricing import price_version
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
    return (
        ("workflow-history", _installed()),
        ("its reader", str(READER_VERSION)),
        ("genai-prices", price_version()),
        ("its words", str(MODEL_VERSION)),
    )


def _installed() -> str:
    try:
        return metadata.version("workflow-history")
    except metadata.PackageNotFoundError:
        return "not installed"


def sample_files(orders: Sequence[ReadTask]) -> tuple[Sample, ...]:
    """Return a sample of the files to read, each from a different run."""
    return tuple((order.folder.files[0].file, order.folder.files[0].size) for order in orders[:SAMPLE_SIZE])


def run_remote_task(wanted: Versions, home: str, samples: tuple[Sample, ...], packed: bytes) -> bytes:
    """Read the runs of a pickled task; raise ExecutorError if this worker's environment differs.

    Arguments are plain tuples, strings and bytes, since they pass through other programs with other versions.
    """
    if trouble := _unfit(wanted, home, samples):
        raise ExecutorError(trouble)
    task: TaskBatch = pickle.loads(packed)  # noqa: S301 - our own sync's, by the cluster that its user chose
    return pickle.dumps(read_runs(task), pickle.HIGHEST_PROTOCOL)


@lru_cache(maxsize=64)
def _unfit(wanted: Versions, home: str, samples: tuple[Sample, ...]) -> str | None:
    """Return the reason why this process must not read, or None; checked once."""
    who = f"the worker on {socket.gethostname()} (process {os.getpid()})"
    for (name, theirs), (_, ours) in zip(wanted, environment_versions(), strict=True):
        if theirs != ours:
            return f"{who} has {name} {ours}, and this sync {theirs}: install the same version on both"
    if trouble := _unseen(home, samples):
        return f"{who} does not see {home} as this sync does ({trouble}): share that path with it"
    prepare_worker()
    return None


def _unseen(home: str, samples: tuple[Sample, ...]) -> str | None:
    """Return why the agents folder differs here, or None if at least one sample file is as expected."""
    try:
        if not to_path(home).is_dir():
            return "there is no such folder"
        troubles = [_trouble(file, size) for file, size in samples]
    except (OSError, WorkflowHistoryError) as error:
        return str(error)
    return None if None in troubles else troubles[0]


def _trouble(file: str, size: int) -> str | None:
    try:
        handle, status = open_file(file)
        with handle:
            return None if status.st_size >= size else f"{file} is shorter there"
    except OSError as error:
        return str(error)


def dump_task(task: TaskBatch) -> bytes:
    """Pickle a task."""
    return pickle.dumps(task, pickle.HIGHEST_PROTOCOL)


def load_results(done: bytes) -> list[ReadResult]:
    """Unpickle the results of a worker."""
    runs: Any = pickle.loads(done)  # noqa: S301 - see run_remote_task
    return list(runs)
