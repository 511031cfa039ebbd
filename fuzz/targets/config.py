"""Fuzz target: the config file with budgets. It is either checked or rejected with a documented error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.server.core.workflow_history.queries.budgets import check_budgets
from app.server.core.workflow_history.queries.json.encoding import to_json
from app.server.core.workflow_history.queries.settings_file import TEMPLATE, read_config

from .. import histories
from ..dice import Dice
from ..oracle import numbers_are_numbers
from ..seeds import END
from .asking import answered

KEYS = (
    "run",
    "day",
    "week",
    "month",
    "time_zone",
    "templates",
    "projects",
    "nope",
    "a.b",
    '"x y"',
    "templates.a.run",
)
VALUES = (
    "5.00",
    "0",
    "-1",
    "inf",
    "nan",
    "1e999999999",
    "1e-999999999",
    "9" * 5000,
    '"Europe/Berlin"',
    '"../../etc/passwd"',
    '"\\u0000"',
    "true",
    "[]",
    "{}",
    "2026-03-01",
    "0x7fffffffffffffff",
    "1_0",
    "[" * 3000,
    '"' + "x" * 300 + '"',
)
TABLES = (
    "[budget]",
    "[budget.templates.adw_plan]",
    "[budget.projects.shop]",
    "[[budget]]",
    "[nope]",
    '[budget.projects."a\\nb"]',
)


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that writes a config file from input bytes and checks its budgets."""
    histories.make(folder)
    file = folder / "budgets.toml"

    def once(data: bytes) -> None:
        dice = Dice(data)
        file.write_bytes(_file(dice))
        found = answered(lambda: check_budgets(read_config(file), now=END))
        if found is not None:
            numbers_are_numbers(to_json(found))

    return once


def _file(dice: Dice) -> bytes:
    lines = ["[budget]"] if not dice.one_in(4) else []
    for _ in range(dice.whole(0, 6)):
        if dice.one_in(4):
            lines.append(dice.pick(TABLES))
        else:
            lines.append(f"{dice.pick(KEYS)} = {dice.pick(VALUES)}")
    raw = ("\n".join(lines) if not dice.one_in(4) else TEMPLATE).encode()
    if dice.one_in(3):
        at = dice.whole(0, len(raw))
        raw = raw[:at] + dice.taken(12) + raw[at:]
    return raw
