"""Scenarios for fault trials: an initial history, a command and the history it leaves if undisturbed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from sqlalchemy import update

from app.server.core.workflow_history.pipeline import batches, parallel_read
from app.server.core.workflow_history.pipeline.workers import process_pool
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import workflows

from .child import Child, Ended, Hook, run, start
from .ready import import_all
from .state import State, copy_history, damages_of, remove_history, state_of
from .world import change_world, make_world

T = TypeVar("T")


def as_ever() -> None:
    """Change nothing: one process reads a small directory and stores it in one transaction."""


def in_batches() -> None:
    """Store few runs per transaction, so that a sync needs many, as for a large directory."""
    batches.MAX_BATCH_RUNS = 6
    parallel_read.RUNS_PER_TASK = 3


def with_workers() -> None:
    """Store few runs per transaction and read with several processes, as for a large directory."""
    in_batches()
    process_pool.MIN_PARALLEL_SECONDS = -1.0
    process_pool.can_fork = lambda: True  # also on a single core


@dataclass
class Story:
    """One command on one initial history, with its undisturbed result."""

    name: str
    words: tuple[str, ...]
    before: Path | None  # initial history; None if there is none yet
    scratch: Path
    hook: Hook = as_ever
    measured: list[Ended] = field(default_factory=list)

    @cached_property
    def end(self) -> State:
        """All rows of the history after an undisturbed command."""
        self.measured = [self._undisturbed() for _ in range(2)]
        return state_of(self._file)

    @property
    def usual(self) -> Ended:
        """Result of the undisturbed command: the slower of two measurements."""
        self.end  # noqa: B018 - the property measures
        return sorted(self.measured, key=lambda ended: ended.seconds)[1]

    @property
    def _file(self) -> Path:
        return self.scratch / "undisturbed.db"

    def _undisturbed(self) -> Ended:
        self.put(self._file)
        ended = run(self.words, self._file, self.scratch / "undisturbed", hook=self.hook)
        if ended.code or ended.err or damages_of(self._file, self.scratch):
            raise RuntimeError(f"{self.name}, undisturbed: {ended} {damages_of(self._file, self.scratch)}")
        return ended

    def put(self, database: Path) -> None:
        """Copy the initial history to `database`, replacing any history there."""
        remove_history(database)
        if self.before is not None:
            copy_history(self.before, database)

    def start(self, database: Path, heard: Path, hook: Hook = as_ever) -> Child:
        """Start the command with its own hook followed by `hook`, which causes the fault."""
        return start(self.words, database, heard, hook=partial(_both, self.hook, hook))


def miscount(database: Path | str) -> None:
    """Change the stored computed costs so that they differ from the transcripts."""
    with History.open(database) as history, history._writing() as connection:
        change = workflows.c.computed_cost_nanodollars + 1000
        connection.execute(update(workflows).values(computed_cost_nanodollars=change))


def _both(first: Hook, second: Hook) -> None:
    first()
    second()


class Bench:
    """Environment of trials: a scratch directory with agents directories and histories, and a seeded RNG."""

    def __init__(self, scratch: Path, seed: int) -> None:
        import_all()
        self.closing = ExitStack()
        self._kept: dict[str, Any] = {}
        self.scratch = scratch
        self.chance = Random(seed)
        self.began = time.time()
        self.database = scratch / "history.db"
        self.heard = scratch / "heard"
        for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "TMPDIR"):
            os.environ[name] = str(scratch)
        self.young, self.old = scratch / "young" / "shop" / "agents", scratch / "old" / "shop" / "agents"
        make_world(self.young, self.began)
        make_world(self.old, self.began)
        self.known = scratch / "known.db"  # synced before the old agents directory changed
        run(("sync", str(self.old), "--quiet"), self.known, self.heard)
        change_world(self.old, self.began)

    def kept(self, name: str, opened: Callable[[], AbstractContextManager[T]]) -> T:
        """Return a cached context value: opened at the first call, closed with the bench."""
        return self.kept_value(name, lambda: self.closing.enter_context(opened()))

    def kept_value(self, name: str, make: Callable[[], T]) -> T:
        """Return a cached value, created by `make` at the first call."""
        if name not in self._kept:
            self._kept[name] = make()
        found: T = self._kept[name]
        return found

    @cached_property
    def syncs(self) -> list[Story]:
        """A first and a later sync in each mode: plain, in batches, with workers."""
        ways = ((as_ever, ""), (in_batches, ", in batches"), (with_workers, ", with workers"))
        return [
            Story(f"{name}{way}", ("sync", str(agents), "--quiet"), before, self.scratch, hook)
            for hook, way in ways
            for name, agents, before in (
                ("a first sync", self.young, None),
                ("a later sync", self.old, self.known),
            )
        ]

    @cached_property
    def resync(self) -> Story:
        """A resync of stored costs that differ from the transcripts."""
        wrong = self.scratch / "miscounted.db"
        copy_history(self.syncs[0].before or self.known, wrong)
        miscount(wrong)
        return Story("a resync", ("resync", "--all", "--quiet"), wrong, self.scratch)
