"""Start a small Dask cluster of real processes and kill its workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster, WorkerPlugin

from app.server.core.workflow_history.pipeline import read_run
from app.server.tests.support.patience import PATIENCE


@contextmanager
def a_cluster(workers: int) -> Iterator[LocalCluster]:
    """Start a cluster whose workers are restarted when they die."""
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # any free port
        silence_logs=60,  # killed workers are expected
    ) as cluster:
        yield cluster


def engine_of(cluster: LocalCluster) -> str:
    """Return the cluster's address as a value of `--executor`."""
    return str(cluster.scheduler_address).replace("tcp://", "dask://")


class Deadly(WorkerPlugin):
    """Worker plugin that kills a worker when it starts to read one run.

    With `mark`, only one worker is killed; the file `mark` records it.
    """

    name = "deadly"

    def __init__(self, run_id: str, mark: Path | None = None) -> None:
        self.run_id, self.mark = run_id, mark
        self.original: Any = None

    def setup(self, worker: Any) -> None:  # noqa: ARG002 - signature required by Dask
        self.original = original = read_run._phase_1_read

        def killed(task: Any, order: Any) -> Any:
            if order.folder.id == self.run_id and not (self.mark and self.mark.exists()):
                if self.mark:
                    self.mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return original(task, order)

        read_run._phase_1_read = killed

    def teardown(self, worker: Any) -> None:  # noqa: ARG002
        read_run._phase_1_read = self.original


@contextmanager
def deadly(cluster: LocalCluster, run_id: str, mark: Path | None = None) -> Iterator[None]:
    """Kill each worker that reads the run, including the workers that replace killed ones."""
    with Client(cluster, set_as_default=False) as client:
        client.register_plugin(Deadly(run_id, mark))
        try:
            yield
        finally:
            if mark is None:  # a replacement that is just starting would still have the plugin
                client.wait_for_workers(2, timeout=PATIENCE)
                client.unregister_worker_plugin(Deadly.name)
