"""Fuzz target: a history file with changed bytes. Queries return results or raise documented errors."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from app.server.core.workflow_history import database, sync
from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.queries.similar import similar_runs
from app.server.core.workflow_history.queries.statistics import run_statistics
from app.server.core.workflow_history.storage.connection.engine import engine_for

from .. import histories
from ..dice import Dice
from .asking import answered


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that damages the history file and runs one query on it."""
    file = histories.make(folder, runs=12)
    database.check()
    whole = folder / "whole.db"
    shutil.copy(file, whole)
    content = whole.read_bytes()

    def once(data: bytes) -> None:
        dice = Dice(data)
        damaged = bytearray(content)
        for _ in range(dice.whole(1, 4)):
            at = dice.whole(0, len(damaged) - 1) if dice.one_in(2) else dice.whole(0, 4096)
            some = dice.taken(dice.whole(1, 12))
            damaged[at : at + len(some)] = some
        if dice.one_in(6):
            del damaged[dice.whole(0, len(damaged)) :]
        for name in ("-wal", "-shm"):
            Path(f"{file}{name}").unlink(missing_ok=True)
        file.write_bytes(damaged)
        try:
            _asked(dice, folder)
        finally:
            engine_for(database.current_url()).dispose()

    return once


def _asked(dice: Dice, folder: Path) -> None:
    match dice.whole(0, 5):
        case 0:
            answered(find_runs)
        case 1:
            answered(lambda: run_statistics("phase"))
        case 2:
            answered(lambda: find_runs(RunFilter(search="export")))
        case 3:
            answered(lambda: similar_runs(text="csv export"))
        case 4:
            answered(database.check)
        case _:
            answered(lambda: sync.sync_workflow_history(silent=True, agents_dir=folder / "shop" / "agents"))


__all__ = ["WorkflowHistoryError", "made"]
