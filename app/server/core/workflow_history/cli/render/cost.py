"""Costs of the runs in an agents directory as tables: sums in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.agents import short_model
from ...common.formatting.costs import format_minimum
from ...common.formatting.numbers import format_timestamp, format_tokens, pluralize
from ...common.formatting.text import single_line
from ...common.spending import Spending, to_decimal
from ...presentation.run_list import copies_words, copy_words, short_ids
from . import symbols
from .table import Column, DropColumn, build_table, fit_columns, ids_column
from .text import join_parts, render_problems, render_sum, section_rule

Sums = Mapping[str, Any]

TITLES = {"phase": "Phases", "agent": "Agents", "model": "Models", "run": "Runs, the costliest first"}
BAR = 8  # cells
MOST_NAME = 48  # cells
MOST_ID = 24  # cells that an id is shortened to, if it stays unique
TOKENS = (
    ("input_tokens", "in"),
    ("output_tokens", "out"),
    ("cache_read_tokens", "cache read"),
    ("cache_creation_tokens", "written"),
)
NARROWER = (
    DropColumn("cache_creation_tokens"),
    DropColumn("cache_read_tokens"),
    DropColumn("bar"),
    DropColumn("agent_runs"),
    DropColumn("input_tokens"),
    DropColumn("output_tokens"),
    DropColumn("when"),
)
"""Columns to drop, in this order, until the table fits the width."""


def render_cost_report(found: Sums, width: int) -> RenderableType:
    """Render the totals, one table per grouping, and the read problems."""
    if not found["runs"]:
        return Group(Text("No run in it can be read."), *_problems(found, width))
    lines: list[RenderableType] = [_head(found), render_cost_line(found)]
    lines += [line for line in (_unpriced(found), _tokens(found)) if line is not None]
    for kind, groups in found["by"].items():
        if groups:
            listed = found["runs"] + found["copies"]
            some = kind == "run" and len(groups) < listed
            note = f"{len(groups)} of {listed:,}; all: --by run" if some else ""
            lines += ["", section_rule(TITLES[kind], width, note), _table(kind, groups, width)]
    return Group(*lines, *_problems(found, width))


def render_cost_line(found: Sums) -> Text:
    """Format the recorded cost, the lower-bound cost and the number of runs of unknown cost."""
    return render_sum(to_spending(found))


def to_spending(sums: Sums) -> Spending:
    """Convert sums to a Spending."""
    amounts = to_decimal(sums["recorded_cost"]), to_decimal(sums["lower_bound_cost"])
    return Spending(*amounts, sums["partial"], sums.get("runs_without_cost", 0))


def _head(found: Sums) -> Text:
    where = f" in {single_line(found['project'])}" if found["project"] else ""
    folders = found.get("folders") or ()
    where += f", from {pluralize(len(folders), 'folder')}" if len(folders) > 1 else ""
    runs = Text.assemble((pluralize(found["runs"], "run"), "bold"), where)
    return join_parts([runs, copies_words(found["copies"]), pluralize(found["agent_runs"], "agent")])


def _unpriced(found: Sums) -> Text | None:
    if not found["unpriced_tokens"]:
        return None
    parts = [
        (format_tokens(part["tokens"]), single_line(part["name"] or "a model that is not named"))
        for part in found["unpriced_by_model"]
    ]
    (tokens, name), *others = parts
    each = [f"{tokens} tokens of {name}", *(f"{count} of {other}" for count, other in others)]
    return Text(f"{' and '.join(each)} without a known price", "magenta")


def _tokens(found: Sums) -> Text | None:
    if found["total_tokens"] is None:
        return None
    named = [f"{word} {format_tokens(found[key])}" for key, word in TOKENS]
    return join_parts([f"{format_tokens(found['total_tokens'])} tokens", *named])


def _problems(found: Sums, width: int) -> list[RenderableType]:
    problems = found["problems"]
    if not problems:
        return []
    return ["", Text(pluralize(len(problems), "problem"), "bold"), *render_problems(problems, width)]


def _table(kind: str, groups: Sequence[Sums], width: int) -> RenderableType:
    most = max((to_spending(group).minimum or Decimal(0) for group in groups), default=Decimal(0))
    columns = [
        _names(kind, groups),
        *(
            _of_a_run(groups)
            if kind == "run"
            else [_numbers("runs", "runs", [_count(g["runs"]) for g in groups])]
        ),
        _numbers("agent_runs", "agents", [_count(group["agent_runs"]) for group in groups]),
        *(_numbers(key, title, [format_tokens(group[key]) for group in groups]) for key, title in TOKENS),
        _numbers("cost", "cost", [_cost(group) for group in groups]),
        Column("bar", "", tuple(Text(symbols.bar(_share(group, most), BAR), "green") for group in groups)),
    ]
    return build_table(fit_columns(columns, width, NARROWER), width)


def _of_a_run(groups: Sequence[Sums]) -> list[Column]:
    return [
        Column(
            "when",
            "when",
            tuple(Text(format_timestamp(group["created_at"])) for group in groups),
        ),
        Column("status", "", tuple(symbols.status_text(group["status"], sign_only=True) for group in groups)),
    ]


def _names(kind: str, groups: Sequence[Sums]) -> Column:
    if kind == "run":
        return ids_column("name", "run", short_ids([single_line(group["name"]) for group in groups], MOST_ID))
    return Column("name", kind, tuple(_name(kind, group) for group in groups), max_width=MOST_NAME)


def _name(kind: str, group: Sums) -> Text:
    name = group["name"]
    if kind == "model":
        return Text(short_model(name) if name else "unknown", "bold")
    return Text(single_line(name), "bold")


def _count(value: int) -> str:
    return f"{value:,}"


def _cost(group: Sums) -> str:
    if (copied := copy_words(group)) is not None:
        return copied
    amount = to_spending(group)
    return "no price" if amount.minimum is None and group["unpriced_tokens"] else format_minimum(amount)


def _share(group: Sums, most: Decimal) -> float | None:
    known = to_spending(group).minimum
    return None if known is None or not most else float(known / most)


def _numbers(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)
