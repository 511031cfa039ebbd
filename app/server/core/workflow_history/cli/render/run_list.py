"""The table of runs: a page of runs in, a table out; narrow terminals drop columns, not runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from functools import partial
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ...common.formatting.agents import short_model
from ...common.formatting.costs import format_minimum, format_run_cost
from ...common.formatting.numbers import format_tokens
from ...common.formatting.text import single_line
from ...common.spending import UNKNOWN, Cost
from ...presentation.run_list import (
    NO_REQUEST,
    copy_note,
    format_date,
    format_run_duration,
    is_source_deleted,
    list_footer,
    list_legend,
    request_summary,
    run_title,
    short_ids,
    workflow_summary,
)
from . import symbols
from .table import Column, DropColumn, build_table, fit_columns, id_column, text_column
from .text import join_parts, wrap_parts

Run = Mapping[str, Any]

DROP_ORDER = (
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

MIN_REQUEST_WIDTH = 28  # cells, as long as another column can be dropped
MAX_REQUEST_WIDTH = 120  # cells
LONG_ID_WIDTH, SHORT_ID_WIDTH = 40, 15  # cells that an id is shortened to, if it stays unique


MAX_CELL_WIDTH = 32  # cells of the other columns


def render_run_list(
    runs: Sequence[Run],
    total: int,
    cost: Cost,
    width: int,
    part_costs: tuple[str, Sequence[Cost]] | None = None,
    *,
    zone: tzinfo | None = None,
) -> RenderableType:
    """Render a page of runs as a table with a line of totals below it.

    `total`, `cost`: number and cost of the runs on all pages. `part_costs`: name of the phase or agent
    cost that the runs are sorted by, and that cost of each run. `zone`: time zone of the times; None: local.
    """
    columns = _columns(runs, zone)
    if part_costs is not None:
        title, costs = part_costs
        cells = tuple(Text(format_minimum(cost), "bold") for cost in costs)
        columns.append(Column("part", title, cells, right=True))
    shown = fit_columns(columns, width, DROP_ORDER, MIN_REQUEST_WIDTH)
    keys = {column.key for column in shown}
    footer = wrap_parts(list_footer(len(runs), total, cost), width)
    notes = list_legend(runs, has_dates=bool({"when", "day"} & keys), has_times="when" in keys)
    if "mark" in keys:
        statuses = dict.fromkeys(run.get("status") for run in runs)
        notes = [*(symbols.status_text(status).plain for status in statuses), *notes]
    legend = wrap_parts(notes, width)
    legend.stylize("dim")
    return Group(build_table(shown, width, ruled=True), "", footer, *([legend] if legend else []))


def request_text(run: Run) -> Text:
    """Return a run's title and the first line of its request, after the original's name if it is a copy."""
    summary, copy, title = request_summary(run), copy_note(run), run_title(run)
    request = Text(NO_REQUEST, style="dim") if summary is None else Text(summary, "dim" if title else "")
    return join_parts([Text(copy, "dim") if copy else None, Text(title) if title else None, request])


def _columns(runs: Sequence[Run], zone: tzinfo | None) -> list[Column]:
    """Return all columns; optional ones only if they have a value."""
    ids = [single_line(run.get("id")) for run in runs]
    has_projects = len({run.get("project") for run in runs}) > 1
    projects = [single_line(run.get("project")) if has_projects else UNKNOWN for run in runs]
    dates = [format_date(run, zone) for run in runs]
    workflows = [workflow_summary(run) for run in runs]
    requests = tuple(map(request_text, runs))
    column = partial(text_column, max_width=MAX_CELL_WIDTH)
    columns = [
        id_column("id", "ID", short_ids(ids, LONG_ID_WIDTH)),
        id_column("short", "ID", short_ids(ids, SHORT_ID_WIDTH)),
        column("project", "project", projects),
        column("when", "created", dates),
        column("day", "created", [date.partition(" ")[0] for date in dates]),
        Column("status", "status", _statuses(runs), max_width=MAX_CELL_WIDTH),
        Column("mark", "", _statuses(runs, sign_only=True), max_width=MAX_CELL_WIDTH),
        Column("request", "request", requests, flexible=True, max_width=MAX_REQUEST_WIDTH),
        column("workflow", "workflow", workflows),
        column("template", "workflow", [workflow.partition(" ")[0] for workflow in workflows]),
        column("model", "model", [short_model(run.get("model_used")) for run in runs]),
        column("cost", "cost", map(format_run_cost, runs), right=True),
        column("duration", "duration", map(format_run_duration, runs), right=True),
        column("tokens", "tokens", [format_tokens(run.get("total_tokens")) for run in runs], right=True),
    ]
    optional = {"project", "workflow", "template", "model", "tokens"}
    return [c for c in columns if c.key not in optional or any(cell.plain != UNKNOWN for cell in c.cells)]


def _statuses(runs: Sequence[Run], *, sign_only: bool = False) -> tuple[Text, ...]:
    return tuple(
        symbols.status_text(run.get("status"), gone=is_source_deleted(run), sign_only=sign_only)
        for run in runs
    )
