"""What the runs of a folder cost, as tables: sums in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...amounts import Spending, exact
from ...wording.agents import short_model
from ...wording.costs import at_least, sum_words
from ...wording.numbers import counted, moment, tokens
from ...wording.runs import short_ids
from ...wording.text import one_line
from . import marks
from .problems import problem_lines
from .story.section import section
from .table import Column, GiveWay, fit, grid, ids_column
from .text import joined

Sums = Mapping[str, Any]

TITLES = {"phase": "Phases", "agent": "Agents", "model": "Models", "run": "Runs, the costliest first"}
BAR = 8  # cells
MOST_NAME = 48  # cells
MOST_ID = 24  # cells that an id is cut to, if it still means one run
TOKENS = (
    ("input_tokens", "in"),
    ("output_tokens", "out"),
    ("cache_read_tokens", "cache read"),
    ("cache_creation_tokens", "written"),
)
NARROWER = (
    GiveWay("cache_creation_tokens"),
    GiveWay("cache_read_tokens"),
    GiveWay("bar"),
    GiveWay("agent_runs"),
    GiveWay("input_tokens"),
    GiveWay("output_tokens"),
    GiveWay("when"),
)
"""What goes first where the width does not do."""


def cost_report(found: Sums, width: int) -> RenderableType:
    """Return the sums, a table for each kind of groups, and what could not be read."""
    if not found["runs"]:
        return Group(Text("No run in it can be read."), *_problems(found, width))
    lines: list[RenderableType] = [_head(found), cost_line(found)]
    lines += [line for line in (_unpriced(found), _tokens(found)) if line is not None]
    for kind, groups in found["by"].items():
        if groups:
            some = kind == "run" and len(groups) < found["runs"]
            note = f"{len(groups)} of {found['runs']}; all: --by run" if some else ""
            lines += ["", section(TITLES[kind], width, note), _table(kind, groups, width)]
    return Group(*lines, *_problems(found, width))


def cost_line(found: Sums) -> Text:
    """Return what is on record, what was spent beyond it, and of how many runs nothing is known."""
    return joined([Text(words, "bold") for words in sum_words(spent(found))])


def spent(sums: Sums) -> Spending:
    """Return sums as a spending."""
    amounts = exact(sums["recorded_cost"]), exact(sums["lower_bound_cost"])
    return Spending(*amounts, sums["partial"], sums.get("runs_without_cost", 0))


def _head(found: Sums) -> Text:
    where = f" in {one_line(found['project'])}" if found["project"] else ""
    folders = found.get("folders") or ()
    where += f", from {counted(len(folders), 'folder')}" if len(folders) > 1 else ""
    runs = Text.assemble((counted(found["runs"], "run"), "bold"), where)
    return joined([runs, counted(found["agent_runs"], "agent")])


def _unpriced(found: Sums) -> Text | None:
    if not found["unpriced_tokens"]:
        return None
    names = ", ".join(one_line(name) for name in found["unpriced_models"])
    of = f" of {names}" if names else ""
    return Text(f"{tokens(found['unpriced_tokens'])} tokens{of} without a known price", "magenta")


def _tokens(found: Sums) -> Text | None:
    if found["total_tokens"] is None:
        return None
    named = [f"{word} {tokens(found[key])}" for key, word in TOKENS]
    return joined([f"{tokens(found['total_tokens'])} tokens", *named])


def _problems(found: Sums, width: int) -> list[RenderableType]:
    problems = found["problems"]
    if not problems:
        return []
    return ["", Text(counted(len(problems), "problem"), "bold"), *problem_lines(problems, width)]


def _table(kind: str, groups: Sequence[Sums], width: int) -> RenderableType:
    most = max((spent(group).known or Decimal(0) for group in groups), default=Decimal(0))
    columns = [
        _names(kind, groups),
        *(
            _of_a_run(groups)
            if kind == "run"
            else [_numbers("runs", "runs", [_count(g["runs"]) for g in groups])]
        ),
        _numbers("agent_runs", "agents", [_count(group["agent_runs"]) for group in groups]),
        *(_numbers(key, title, [tokens(group[key]) for group in groups]) for key, title in TOKENS),
        _numbers("cost", "cost", [_cost(group) for group in groups]),
        Column("bar", "", tuple(Text(marks.bar(_share(group, most), BAR), "green") for group in groups)),
    ]
    return grid(fit(columns, width, NARROWER), width)


def _of_a_run(groups: Sequence[Sums]) -> list[Column]:
    return [
        Column(
            "when",
            "when",
            tuple(Text(moment(group["created_at"])) for group in groups),
        ),
        Column("status", "", tuple(marks.status(group["status"], sign_only=True) for group in groups)),
    ]


def _names(kind: str, groups: Sequence[Sums]) -> Column:
    if kind == "run":
        return ids_column("name", "run", short_ids([one_line(group["name"]) for group in groups], MOST_ID))
    return Column("name", kind, tuple(_name(kind, group) for group in groups), most=MOST_NAME)


def _name(kind: str, group: Sums) -> Text:
    name = group["name"]
    if kind == "model":
        return Text(short_model(name) if name else "unknown", "bold")
    return Text(one_line(name), "bold")


def _count(value: int) -> str:
    return f"{value:,}"


def _cost(group: Sums) -> str:
    amount = spent(group)
    return "no price" if amount.known is None and group["unpriced_tokens"] else at_least(amount)


def _share(group: Sums, most: Decimal) -> float | None:
    known = spent(group).known
    return None if known is None or not most else float(known / most)


def _numbers(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)
