"""What is disturbed: a history before, a command, and the history that it makes when nobody disturbs it."""

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
    """Change nothing: a small folder is read by one process and stored in one transaction."""


def in_batches() -> None:
    """Store few runs in one transaction, as a large folder has many."""
    batches.MAX_BATCH_RUNS = 6
    parallel_read.RUNS_PER_TASK = 3


def with_workers() -> None:
    """Read with several processes too, as a large folder is read."""
    in_batches()
    process_pool.MIN_PARALLEL_SECONDS = -1.0
    process_pool.can_fork = lambda: True  # on a single core too


@dataclass
class Story:
    """One command on one history, and what it comes to."""

    name: str
    words: tuple[str, ...]
    before: Path | None  # None: there is no history yet
    scratch: Path
    hook: Hook = as_ever
    measured: list[Ended] = field(default_factory=list)

    @cached_property
    def end(self) -> State:
        """What the history holds in the end, undisturbed."""
        self.measured = [self._undisturbed() for _ in range(2)]
        return state_of(self._file)

    @property
    def usual(self) -> Ended:
        """How the command ends undisturbed: the slower of two times."""
        self.end  # noqa: B018 - measures
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
        """Put the history before at a place."""
        remove_history(database)
        if self.before is not None:
            copy_history(self.before, database)

    def start(self, database: Path, heard: Path, hook: Hook = as_ever) -> Child:
        """Start the command, in its way and with a fault."""
        return start(self.words, database, heard, hook=partial(_both, self.hook, hook))


def miscount(database: Path | str) -> None:
    """Change the stored costs so that they are not what the files say."""
    with History.open(database) as history, history._writing() as connection:
        change = workflows.c.computed_cost_nanodollars + 1000
        connection.execute(update(workflows).values(computed_cost_nanodollars=change))


def _both(first: Hook, second: Hook) -> None:
    first()
    second()


class Bench:
    """Where faults are tried: a scratch folder with agents folders and histories, and a seeded chance."""

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
        self.known = scratch / "known.db"  # as a sync left it before the old folder changed
        run(("sync", str(self.old), "--quiet"), self.known, self.heard)
        change_world(self.old, self.began)

    def kept(self, name: str, opened: Callable[[], AbstractContextManager[T]]) -> T:
        """Return what is opened at the first call, and stays so until the bench is closed."""
        return self.kept_value(name, lambda: self.closing.enter_context(opened()))

    def kept_value(self, name: str, make: Callable[[], T]) -> T:
        """Return what is made at the first call."""
        if name not in self._kept:
            self._kept[name] = make()
        found: T = self._kept[name]
        return found

    @cached_property
    def syncs(self) -> list[Story]:
        """A first sync and a later one, in each of the ways in which a sync works."""
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
        """Counting costs anew that are not what the files say."""
        wrong = self.scratch / "miscounted.db"
        copy_history(self.syncs[0].before or self.known, wrong)
        miscount(wrong)
        return Story("a resync", ("resync", "--all", "--quiet"), wrong, self.scratch)
