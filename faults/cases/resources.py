"""Trials that exhaust a resource: disk, memory, file handles, space in /tmp, or kill a worker."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from app.server.core.workflow_history import sync
from app.server.core.workflow_history.pipeline import read_run
from app.server.core.workflow_history.pipeline.similarity_update import SimilarityUpdater

from ..linux import apart, mount, remount
from ..stories import Bench, Story
from ..trying import Outcome, struck

ROOM = 64 << 20  # bytes, more than any history here needs
MEMORY = 12 << 20  # bytes, upper limit of the additional memory that a sync may allocate


def full_disk(bench: Bench) -> Outcome:
    """Run a sync with the history on a disk that becomes full at a random point."""
    story = bench.chance.choice(bench.syncs)
    least = story.before.stat().st_size if story.before else 0
    size = least + bench.chance.randint(4096, 1_200_000)
    return apart(partial(_on_small_disk, bench, story, size))


def _on_small_disk(bench: Bench, story: Story, size: int) -> Outcome:
    disk = bench.scratch / "disk"
    disk.mkdir(exist_ok=True)
    mount(disk, size)
    database = disk / "history.db"
    story.put(database)
    return struck(bench, story, lambda: None, [0, 1], heal=partial(remount, disk, ROOM), database=database)


def file_too_large(bench: Bench) -> Outcome:
    """Limit the size of files, as a quota does."""
    story = bench.chance.choice(bench.syncs)
    least = story.before.stat().st_size if story.before else 0
    size = bench.chance.randint(4096, least + 900_000)
    return _limited(bench, story, resource.RLIMIT_FSIZE, size)


def few_pages(bench: Bench) -> Outcome:
    """Limit the number of pages of the database."""
    story = bench.chance.choice(bench.syncs)
    least = story.before.stat().st_size if story.before else 0
    pages = least // 4096 + bench.chance.randint(1, 150)
    story.put(bench.database)

    def limit() -> None:
        @event.listens_for(Engine, "connect")
        def connected(connection: Any, _record: object) -> None:
            connection.execute(f"PRAGMA max_page_count = {pages}")

    return struck(bench, story, limit, [0, 1])


def few_handles(bench: Bench) -> Outcome:
    """Limit the number of files that the process can open at a time."""
    story = bench.chance.choice(bench.syncs)
    return _limited(bench, story, resource.RLIMIT_NOFILE, bench.chance.randint(4, 24), [0, 1, 3])


def little_memory(bench: Bench) -> Outcome:
    """Limit the address space of the process to its current size plus a random amount."""
    story = bench.chance.choice(bench.syncs)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    size = used + bench.chance.randint(0, MEMORY)
    return _limited(bench, story, resource.RLIMIT_AS, size, [0, 1, 3])


def _limited(
    bench: Bench, story: Story, what: int, most: int, codes: tuple[int, ...] | list[int] = (0, 1)
) -> Outcome:
    story.put(bench.database)
    return struck(bench, story, lambda: resource.setrlimit(what, (most, most)), codes)


def memory_error(bench: Bench) -> Outcome:
    """Raise MemoryError in one of the sync stages."""
    story = bench.chance.choice(bench.syncs)
    owner, name, most, codes = bench.chance.choice(_SEAMS)
    story.put(bench.database)
    # Each reading process counts its own calls.
    number = 1 if story.name.endswith("workers") else bench.chance.randint(1, most)
    return struck(bench, story, partial(_fail_at, owner, name, number, MemoryError), codes)


_SEAMS: tuple[tuple[Any, str, int, tuple[int, ...]], ...] = (
    (read_run, "_phase_1_read", 7, (3,)),
    (read_run, "_phase_2_enrich", 7, (3,)),
    (read_run, "_detect_patterns", 7, (3,)),
    (SimilarityUpdater, "compute_changes", 1, (1,)),
    (sync, "_phase_4_store", 1, (1,)),
    (sync, "_phase_5_learn", 1, (1,)),
    (sync, "finalize", 1, (1,)),
)
"""Owner and name of a function, minimum number of its calls in a sync, and the expected exit codes.

3: only one run failed. 1: the whole sync failed.
"""


def _fail_at(owner: Any, name: str, number: int, error: Callable[[], BaseException]) -> None:
    work = getattr(owner, name)
    passed: list[int] = []

    def failing(*given: Any, **named: Any) -> Any:
        passed.append(1)
        if len(passed) == number:
            raise error()
        return work(*given, **named)

    setattr(owner, name, failing)


def killed_worker(bench: Bench) -> Outcome:
    """Kill one of the reading processes, as a system does if it is out of memory."""
    story = bench.chance.choice([story for story in bench.syncs if story.name.endswith("workers")])
    story.put(bench.database)
    number = bench.chance.randint(1, 5)
    parent = os.getpid()

    def arm() -> None:
        starter = os.getpid()
        work = read_run._phase_1_read
        passed: list[int] = []

        def read(*given: Any) -> Any:
            passed.append(1)
            if os.getpid() not in (starter, parent) and len(passed) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return work(*given)

        setattr(read_run, "_phase_1_read", read)

    return struck(bench, story, arm, [0])


def full_tmp(bench: Bench) -> Outcome:
    """Run a sync with little space for temporary files."""
    story = bench.chance.choice([story for story in bench.syncs if story.name.endswith("workers")])
    story.put(bench.database)
    return apart(partial(_with_full_tmp, bench, story, bench.chance.randint(4096, 200_000)))


def _with_full_tmp(bench: Bench, story: Story, size: int) -> Outcome:
    folder = bench.scratch / "tmp"
    folder.mkdir(exist_ok=True)
    mount(folder, size)
    _ = story.end

    def fill() -> None:
        os.environ["TMPDIR"] = os.environ["SQLITE_TMPDIR"] = str(folder)
        tempfile.tempdir = None

    return struck(bench, story, fill, [0])
