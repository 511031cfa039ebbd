"""Fuzz target: filter values as users type them. The result is matching runs or a documented error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.server.core.workflow_history.common.filter_options import FILTER_OPTIONS, build_filter, parse_recent
from app.server.core.workflow_history.common.filters import parse_period
from app.server.core.workflow_history.queries.anomalies import find_anomalies
from app.server.core.workflow_history.queries.forecast import forecast
from app.server.core.workflow_history.queries.json.encoding import to_json
from app.server.core.workflow_history.queries.list_runs import find_runs
from app.server.core.workflow_history.queries.similar import similar_runs
from app.server.core.workflow_history.queries.statistics import run_statistics, trend, waste

from .. import histories, hostile
from ..dice import Dice
from ..oracle import numbers_are_numbers
from .asking import answered

AMOUNTS = (
    "1",
    "1..5",
    "..5",
    "5..",
    "..",
    "1e9",
    "1e999..",
    "nan..",
    "inf",
    "-1..",
    "1h30m",
    "5m..1h",
    "$1..$2",
    "500k..2M",
    "1.5b",
    "\u0663",
    "\u00b2",
    "1_000",
    "0x1f",
    "9" * 400,
    "9" * 5000 + "d",
    "1d1d",
    "5..1",
    "1...2",
    "--1",
)
MOMENTS = (
    "2026-03-01",
    "7d",
    "0d",
    "99999d",
    "9" * 20 + "w",
    "today",
    "yesterday",
    "0001-01-01",
    "9999-12-31",
    "2026-W10",
    "2026-03-01T12:00:00+23:59",
    "20260301",
    "2026-03-01T24:00",
    "\u0667d",
    "-7d",
)
NAMES = (
    "failed",
    "completed",
    "plan",
    "sdlc_iso",
    "bug",
    "quality:..50",
    "quality:",
    ":1",
    "clarity:a..b",
    "nope:1..2",
)


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that builds a filter from input bytes and runs one query with it."""
    histories.make(folder)

    def once(data: bytes) -> None:
        dice = Dice(data)
        wanted = answered(lambda: build_filter(_given(dice)))
        if wanted is None:
            return
        match dice.whole(0, 7):
            case 0:
                found = answered(
                    lambda: run_statistics(dice.pick(("phase", "day", "model", "nope", "status")), wanted)
                )
            case 1:
                period = answered(lambda: parse_period(dice.pick(("7d", "4w", *MOMENTS))))
                found = answered(lambda: trend(period, wanted)) if period is not None else None
            case 2:
                found = answered(lambda: waste(wanted))
            case 3:
                recent = answered(lambda: parse_recent(dice.pick((*AMOUNTS, *MOMENTS))))
                found = (
                    answered(lambda: find_anomalies(wanted, recent=recent)) if recent is not None else None
                )
            case 4:
                found = answered(lambda: forecast(hostile.text(dice), hostile.text(dice), hostile.text(dice)))
            case 5:
                found = answered(lambda: similar_runs(text=hostile.text(dice), where=wanted))
            case _:
                found = answered(lambda: find_runs(wanted))
        if found is not None:
            numbers_are_numbers(to_json(found))

    return once


def _given(dice: Dice) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for _ in range(dice.whole(1, 3)):
        option = dice.pick(FILTER_OPTIONS)
        word = hostile.text(dice) if dice.one_in(3) else dice.pick((*AMOUNTS, *MOMENTS, *NAMES))
        if option.metavar is None:
            given[option.name] = bool(dice.whole(0, 1))
        else:
            given[option.name] = [word] if option.multiple else word
    return given
