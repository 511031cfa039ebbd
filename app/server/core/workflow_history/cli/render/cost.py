"""Costs of the runs in an agents directory as tables: sums in, renderables out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.agents import short_model
from ...common.formatting.costs import format_minimum
from ...common.formatting.numbers import format_timestamp, format_tokens, pluralize
from ...common.formatting.text import single_line
from ...common.spending import Cost
from ...presentation.run_list import copies_note, copy_note, short_ids
from . import symbols
from .table import (
    Column,
    DropColumn,
    bar_columns,
    build_table,
    fit_columns,
    id_column,
    number_column,
    share_of,
    text_column,
)
from .text import MAX_PROBLEMS, join_parts, render_cost, render_problems, section_rule

Totals = Mapping[str, Any]

TITLES = {"phase": "Phases", "agent": "Agents", "model": "Models", "run": "Most expensive runs"}
BAR_WIDTH, SHORT_BAR_WIDTH = 8, 4  # cells
MAX_NAME_WIDTH = 48  # cells
MAX_ID_WIDTH = 24  # cells that an id is shortened to, if it stays unique
TOKENS = (
    ("input_tokens", "input"),
    ("output_tokens", "output"),
    ("cache_read_tokens", "cache read"),
    ("cache_creation_tokens", "cache write"),
)
DROP_ORDER = (
    DropColumn("cache_creation_tokens"),
    DropColumn("cache_read_tokens"),
    DropColumn("bar", "short_bar"),
    DropColumn("agent_runs"),
    DropColumn("input_tokens"),
    DropColumn("short_bar"),
    DropColumn("output_tokens"),
    DropColumn("when"),
)
"""Columns to drop, in this order, until the table fits the width."""


def render_cost_report(report: Totals, width: int, *, verbose: bool = False) -> RenderableType:
    """Render the totals, one table per grouping, and the read problems; `verbose`: each of them."""
    if not report["runs"]:
        return Group(Text("No run in it can be read."), *_problems(report, width, verbose=verbose))
    lines: list[RenderableType] = [_head(report), render_cost_line(report)]
    if report["unpriced_tokens"]:
        lines.append(_unpriced(report["unpriced_by_model"]))
    if report["total_tokens"] is not None:
        counts = [f"{title} {format_tokens(report[key])}" for key, title in TOKENS]
        lines.append(join_parts([f"{format_tokens(report['total_tokens'])} tokens", *counts]))
    runs = report["runs"] + report["copies"]
    for kind, groups in report["by"].items():
        if groups:
            is_cut = kind == "run" and len(groups) < runs
            note = f"{len(groups)} of {runs:,}; all: --by run" if is_cut else ""
            lines += ["", section_rule(TITLES[kind], width, note), _group_table(kind, groups, width)]
    return Group(*lines, *_problems(report, width, verbose=verbose))


def render_cost_line(report: Totals) -> Text:
    """Format the recorded cost, the lower-bound cost and the number of runs of unknown cost."""
    return render_cost(cost_of(report))


def cost_of(totals: Totals) -> Cost:
    """Return the cost of a report, a group or a run."""
    return Cost.from_usd(
        totals["recorded_cost"],
        totals["lower_bound_cost"],
        complete=not totals["partial"],
        unknown_runs=totals.get("runs_without_cost", 0),
    )


def _head(report: Totals) -> Text:
    project = f" in {single_line(report['project'])}" if report["project"] else ""
    folders = report.get("folders") or ()
    source = f", from {len(folders):,} directories" if len(folders) > 1 else ""
    runs = Text.assemble((pluralize(report["runs"], "run"), "bold"), project, source)
    return join_parts([runs, copies_note(report["copies"]), pluralize(report["agent_runs"], "agent run")])


def _unpriced(models: Sequence[Totals]) -> Text:
    parts = [
        f"{format_tokens(model['tokens'])}{' tokens' if index == 0 else ''} of "
        f"{single_line(model['name'] or 'an unnamed model')}"
        for index, model in enumerate(models)
    ]
    return Text(f"unpriced: {', '.join(parts)}", "magenta")


def _problems(report: Totals, width: int, *, verbose: bool) -> list[RenderableType]:
    problems = report["problems"]
    if not problems:
        return []
    return [
        "",
        Text(pluralize(len(problems), "read error or warning", "read errors and warnings"), "bold"),
        *render_problems(problems, width, None if verbose else MAX_PROBLEMS),
    ]


def _group_table(kind: str, groups: Sequence[Totals], width: int) -> RenderableType:
    amounts = [cost_of(group).minimum for group in groups]
    largest = max((amount or 0 for amount in amounts), default=0)
    columns = [
        *(_run_columns(groups) if kind == "run" else _name_columns(kind, groups)),
        number_column("agent_runs", "agent runs", [f"{group['agent_runs']:,}" for group in groups]),
        *(
            number_column(key, title, [format_tokens(group[key]) for group in groups])
            for key, title in TOKENS
        ),
        number_column("cost", "cost", map(_format_cost, groups)),
        *bar_columns([share_of(amount, largest) for amount in amounts], (BAR_WIDTH, SHORT_BAR_WIDTH)),
    ]
    return build_table(fit_columns(columns, width, DROP_ORDER), width)


def _run_columns(runs: Sequence[Totals]) -> list[Column]:
    ids = short_ids([single_line(run["name"]) for run in runs], MAX_ID_WIDTH)
    return [
        id_column("name", "run", ids),
        text_column("when", "created", [format_timestamp(run["created_at"]) for run in runs]),
        Column("status", "", tuple(symbols.status_text(run["status"], sign_only=True) for run in runs)),
    ]


def _name_columns(kind: str, groups: Sequence[Totals]) -> list[Column]:
    names = [group["name"] for group in groups]
    if kind == "model":
        titles = [short_model(name) if name else "unknown" for name in names]
    else:
        titles = [single_line(name) for name in names]
    cells = tuple(Text(title, "bold") for title in titles)
    return [
        Column("name", kind, cells, max_width=MAX_NAME_WIDTH),
        number_column("runs", "runs", [f"{group['runs']:,}" for group in groups]),
    ]


def _format_cost(group: Totals) -> str:
    if (copy := copy_note(group)) is not None:
        return copy
    cost = cost_of(group)
    no_price = cost.minimum is None and group["unpriced_tokens"]
    return "unpriced" if no_price else format_minimum(cost)
