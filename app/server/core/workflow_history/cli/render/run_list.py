"""The table of runs: a page of runs in, a table out; narrow terminals drop columns, not runs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.agents import short_model
from ...common.formatting.costs import format_minimum, format_run_cost
from ...common.formatting.numbers import format_tokens
from ...common.formatting.text import single_line
from ...common.spending import UNKNOWN, Spending
from ...presentation.run_list import (
    NO_REQUEST,
    copy_words,
    format_date,
    is_source_deleted,
    lasted_words,
    list_footer,
    list_legend,
    request_summary,
    short_ids,
    workflow_summary,
)
from ...presentation.sync_summary import all_pruned_words
from . import symbols
from .table import Column, DropColumn, build_table, fit_columns, ids_column
from .text import in_lines

Run = Mapping[str, Any]

NARROWER = (
    DropColumn("tokens"),
    DropColumn("workflow", "template"),
    DropColumn("template"),
    DropColumn("project"),
    DropColumn("model"),
    DropColumn("id", "short"),
    DropColumn("when", "day"),
    DropColumn("duration"),
    DropColumn("status", "mark"),
    DropColumn("day"),
)
"""Columns to drop or shorten, in this order, to fit the width; short id, request and cost always stay."""

LEAST_REQUEST = 28  # cells, as long as another column can be dropped
MOST_REQUEST = 120  # cells
LONG_ID, SHORT_ID = 40, 15  # cells that an id is shortened to, if it stays unique


class _Cell(NamedTuple):
    key: str
    title: str
    write: Callable[[Run], Text]
    right: bool = False
    most: int = 32  # cells


def render_run_list(
    runs: Sequence[Run],
    total: int,
    spent: Spending,
    width: int,
    part_costs: tuple[str, Sequence[Spending]] | None = None,
    *,
    zone: tzinfo | None = None,
) -> RenderableType:
    """Render a page of runs as a table with a line of totals below it.

    `total`, `spent`: number and cost of the runs on all pages. `part_costs`: name of the phase or agent cost
    that the runs are sorted by, and that cost of each run. `zone`: time zone of the times; None: local.
    """
    columns = _columns(runs, zone)
    if part_costs is not None:
        title, costs = part_costs
        cells = tuple(Text(format_minimum(cost), "bold") for cost in costs)
        columns.append(Column("part", title, cells, right=True))
    shown = fit_columns(columns, width, NARROWER, LEAST_REQUEST)
    keys = {column.key for column in shown}
    sums = in_lines(list_footer(len(runs), total, spent), width)
    return Group(build_table(shown, width, ruled=True), "", sums, *_legend(runs, keys, width))


def render_no_runs(*, filtered: bool, pruned: int = 0) -> Text:
    """Return the message of an empty list; `pruned`: number of runs that were pruned."""
    if filtered:
        return Text("No run matches.")
    return Text(f"{all_pruned_words(pruned, 'this history')}." if pruned else "No runs yet.")


def after_no_runs(*, filtered: bool, pruned: int = 0) -> tuple[str, str]:
    """Return the next command for an empty list, with its purpose."""
    if filtered:
        return "workflow-history list", "all runs"
    if pruned:
        return "workflow-history sync path/to/project --with-pruned", "read them again where they still lie"
    return "workflow-history sync path/to/project", "read a project's runs"


def render_request(run: Run) -> Text:
    """Return the first non-empty line of a run's request, after the original's name if it is a copy."""
    words, copied = request_summary(run), copy_words(run)
    request = Text(NO_REQUEST, style="dim") if words is None else Text(words)
    return request if copied is None else Text.assemble((copied, "dim"), " · ", request)


def _columns(runs: Sequence[Run], zone: tzinfo | None) -> list[Column]:
    several = len({run.get("project") for run in runs}) > 1
    cells = (
        _Cell(
            "project", "project", lambda run: Text(single_line(run.get("project")) if several else UNKNOWN)
        ),
        _Cell("when", "when", lambda run: Text(format_date(run, zone))),
        _Cell("day", "when", lambda run: Text(format_date(run, zone).partition(" ")[0])),
        _Cell(
            "status",
            "status",
            lambda run: symbols.status_text(run.get("status"), gone=is_source_deleted(run)),
        ),
        _Cell(
            "mark",
            "",
            lambda run: symbols.status_text(run.get("status"), gone=is_source_deleted(run), sign_only=True),
        ),
        _Cell("request", "request", render_request),
        _Cell("workflow", "workflow", lambda run: Text(workflow_summary(run))),
        _Cell("template", "workflow", lambda run: Text(workflow_summary(run).partition(" ")[0])),
        _Cell("model", "model", lambda run: Text(short_model(run.get("model_used")))),
        _Cell("cost", "cost", lambda run: Text(format_run_cost(run)), right=True),
        _Cell("duration", "time", lambda run: Text(lasted_words(run)), right=True),
        _Cell("tokens", "tokens", lambda run: Text(format_tokens(run.get("total_tokens"))), right=True),
    )
    ids = [single_line(run.get("id")) for run in runs]
    columns = [
        ids_column("id", "id", short_ids(ids, LONG_ID)),
        ids_column("short", "id", short_ids(ids, SHORT_ID)),
        *(_column(cell, runs) for cell in cells),
    ]
    optional = {"project", "workflow", "template", "model", "tokens"}
    return [c for c in columns if c.key not in optional or any(cell.plain != UNKNOWN for cell in c.cells)]


def _column(cell: _Cell, runs: Sequence[Run]) -> Column:
    written = tuple(cell.write(run) for run in runs)
    flexible = cell.key == "request"
    most = MOST_REQUEST if flexible else cell.most
    return Column(cell.key, cell.title, written, right=cell.right, flexible=flexible, max_width=most)


def _legend(runs: Sequence[Run], keys: set[str], width: int) -> list[Text]:
    """Explain the signs that this table contains."""
    lines = in_lines(list_legend(runs, timed=bool({"when", "day"} & keys), zoned="when" in keys), width)
    lines.stylize("dim")
    return [lines] if lines.plain else []
