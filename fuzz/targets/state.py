"""Fuzz target: a run's state file. The result is the rows of the run or a problem with the file's path."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from app.server.core.workflow_history.ingest.sources.discovery import walk_agents_folder
from app.server.core.workflow_history.pipeline.read_run import read_runs
from app.server.core.workflow_history.pipeline.tasks import ReadResult, ReadTask, TaskBatch

from .. import hostile
from ..dice import Dice
from ..oracle import Broken
from ..seeds import END, make_seeds


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that reads a run with a hostile state file and a valid stream."""
    seeds = make_seeds(folder / "seeds")
    root = folder / "agents"
    run = root / "a1b2c3d4"
    (run / "planner").mkdir(parents=True)
    stream = next((folder / "seeds").rglob("*.jsonl"))
    shutil.copy(stream, run / "planner" / "raw_output.jsonl")

    def once(data: bytes) -> None:
        dice = Dice(data)
        honest = dice.pick(seeds.states)
        wild = (
            hostile.value(dice) if dice.one_in(10) else hostile.mutated(dice, honest, dice.pick((4, 8, 30)))
        )
        (run / "adw_state.json").write_bytes(hostile.encoded(dice, wild))
        (found,) = walk_agents_folder(root)
        (read,) = read_runs(TaskBatch(str(root), END + timedelta(days=1), (ReadTask(found, "shop"),)))
        is_told(read)

    return once


def is_told(read: ReadResult) -> None:
    """Raise Broken if a run was lost without a problem, or a problem lacks a path or a short reason."""
    if read.errors or (read.rows is None and not read.problems):
        raise Broken(f"the run was lost: {read.errors} {read.problems}")
    for problem in read.problems:
        if not problem.path or not problem.reason or len(problem.reason) > 2000:
            raise Broken(f"a problem does not tell what is wrong: {problem!r:.300}")
