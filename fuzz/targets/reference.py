"""Fuzz target: ids of runs and patterns. The result is a match or a documented error, never another run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.server.core.workflow_history import database
from app.server.core.workflow_history.queries.compare import compare_runs
from app.server.core.workflow_history.queries.explain import explain_run
from app.server.core.workflow_history.queries.forecast import forecast_run
from app.server.core.workflow_history.queries.patterns import decide_pattern, show_pattern
from app.server.core.workflow_history.queries.similar import similar_runs
from app.server.core.workflow_history.resync import resync_workflow_cost

from .. import histories, hostile
from ..dice import Dice
from ..oracle import Broken
from .asking import answered

FIELDS = ("cost", "status", "tokens", "duration", "quality", "created_at", "nl_input", "similar")


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that looks up a run by a hostile or partial id in several ways."""
    histories.make(folder)
    known = [f"{run['project']}/{run['id']}" for run in database.get_workflow_history(limit=40)["workflows"]]

    def once(data: bytes) -> None:
        dice = Dice(data)
        name = _name(dice, known)
        found = answered(lambda: database.load_workflow(name))
        begun = name.rstrip("…")
        if found is not None and not any(
            n.startswith(begun) for n in (found["id"], f"{found['project']}/{found['id']}")
        ):
            raise Broken(f"{name!r} gives {found['project']}/{found['id']}")
        exact = answered(lambda: database.get_workflow_by_id(name))
        if exact is not None and name not in (exact["id"], f"{exact['project']}/{exact['id']}"):
            raise Broken(f"{name!r} gives {exact['project']}/{exact['id']}")
        _others(dice, name, dice.pick(known))

    return once


def _name(dice: Dice, known: list[str]) -> str:
    whole = dice.pick(known)
    how = dice.whole(0, 5)
    if how == 0:
        return hostile.text(dice)
    if how == 1:
        return whole[: dice.whole(0, len(whole))]
    if how == 2:
        return whole.rpartition("/")[2][: dice.whole(0, 8)] + dice.pick(
            ("%", "_", "*", "…", "\x00", "'", "\\")
        )
    if how == 3:
        return f"{hostile.text(dice)}/{whole.rpartition('/')[2]}"
    return f"{whole}/{hostile.text(dice)}" if how == 4 else whole


def _others(dice: Dice, name: str, other: str) -> None:
    """Run one other query with the same id."""
    match dice.whole(0, 7):
        case 0:
            answered(lambda: compare_runs(name, other))
        case 1:
            answered(lambda: explain_run(name, dice.pick(FIELDS)))
        case 2:
            answered(lambda: explain_run(other, hostile.text(dice)))
        case 3:
            answered(lambda: similar_runs(name))
        case 4:
            answered(lambda: forecast_run(name))
        case 5:
            answered(lambda: show_pattern(name))
        case 6:
            answered(lambda: decide_pattern(name, "dismissed"))
        case _:
            done = resync_workflow_cost(name)
            if not done["message"]:
                raise Broken("a resync says nothing")
