"""The table of runs: a page of the history in, a table out; a narrow one loses columns, not runs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from . import marks
from .costs import all_spending, record_and_beyond, short_cost
from .numbers import counted, duration, moment, money, tokens
from .table import Column, GiveWay, fit, grid
from .text import UNKNOWN, joined, lines_of, one_line

Run = Mapping[str, Any]

NARROWER = (
    GiveWay("tokens"),
    GiveWay("workflow", "template"),
    GiveWay("template"),
    GiveWay("project"),
    GiveWay("model"),
    GiveWay("id", "short"),
    GiveWay("when", "day"),
    GiveWay("duration"),
    GiveWay("status", "mark"),
    GiveWay("day"),
)
"""What goes first where the width does not do; the id's beginning, request and cost always stay."""

LEAST_REQUEST = 28  # cells, as long as another column can give way
MOST_REQUEST = 120  # cells


class _Cell(NamedTuple):
    key: str
    title: str
    write: Callable[[Run], Text]
    right: bool = False
    most: int = 32  # cells


def run_list(
    runs: Sequence[Run], total: int, width: int, part_costs: Sequence[float | None] | None = None
) -> RenderableType:
    """Return the table of a page of runs with a line of sums below it; `total`: runs on all pages.

    `part_costs`: what was sorted by, US dollars.
    """
    columns = _columns(runs)
    if part_costs is not None:
        cells = tuple(Text(money(cost), "bold") for cost in part_costs)
        columns.append(Column("part", "of it", cells, right=True))
    shown = fit(columns, width, NARROWER, LEAST_REQUEST)
    keys = {column.key for column in shown}
    return Group(grid(shown, width, ruled=True), "", _sums(runs, total), *_legend(runs, keys))


def no_runs(*, filtered: bool) -> Text:
    """Return what to say where there is nothing to list, and what to type next."""
    if filtered:
        return Text("No run matches. All of them: workflow-history list")
    return Text("No runs yet. Read an agents folder: workflow-history sync path/to/project")


def request_line(run: Run) -> Text:
    """Return the first line of a run's request that says something."""
    lines = lines_of(run.get("nl_input") or "")
    return Text(one_line(lines[0])) if lines else Text("no request found", style="dim")


def full_id(run: Run) -> str:
    """Return a run's id with its project, as every command takes it."""
    project = run.get("project")
    return one_line(f"{project}/{run.get('id')}" if project else run.get("id"))


def _columns(runs: Sequence[Run]) -> list[Column]:
    several = len({run.get("project") for run in runs}) > 1
    cells = (
        _Cell("id", "id", lambda run: Text(one_line(run.get("id")), "bold")),
        _Cell("short", "id", lambda run: Text(one_line(run.get("id")), "bold"), most=15),
        _Cell("project", "project", lambda run: Text(one_line(run.get("project")) if several else UNKNOWN)),
        _Cell("when", "when", _when),
        _Cell("day", "when", _day),
        _Cell("status", "status", lambda run: marks.status(run.get("status"), gone=_gone(run))),
        _Cell("mark", "", lambda run: marks.status(run.get("status"), gone=_gone(run), sign_only=True)),
        _Cell("request", "request", request_line),
        _Cell("workflow", "workflow", _workflow),
        _Cell("template", "workflow", lambda run: Text(_workflow(run).plain.partition(" ")[0])),
        _Cell("model", "model", lambda run: Text(marks.short_model(run.get("model_used")))),
        _Cell("cost", "cost", lambda run: Text(short_cost(run)), right=True),
        _Cell("duration", "time", lambda run: Text(duration(run.get("duration_seconds"))), right=True),
        _Cell("tokens", "tokens", lambda run: Text(tokens(run.get("total_tokens"))), right=True),
    )
    columns = [_column(cell, runs) for cell in cells]
    optional = {"project", "workflow", "template", "model", "tokens"}
    return [c for c in columns if c.key not in optional or any(cell.plain != UNKNOWN for cell in c.cells)]


def _column(cell: _Cell, runs: Sequence[Run]) -> Column:
    written = tuple(cell.write(run) for run in runs)
    flexible = cell.key == "request"
    most = MOST_REQUEST if flexible else cell.most
    return Column(cell.key, cell.title, written, right=cell.right, flexible=flexible, most=most)


def _when(run: Run) -> Text:
    when = _moment(run)
    return Text(f"~{when}" if _derived(run) else when)


def _day(run: Run) -> Text:
    return Text(_when(run).plain.partition(" ")[0])


def _workflow(run: Run) -> Text:
    template, kind = run.get("workflow_template"), run.get("issue_class")
    named = one_line(template).removeprefix("adw_") if template else None
    return Text(" ".join(word for word in (named, one_line(kind) if kind else None) if word) or UNKNOWN)


def _sums(runs: Sequence[Run], total: int) -> Text:
    spent = all_spending(runs)
    count = counted(total, "run") if len(runs) == total else f"{len(runs):,} of {counted(total, 'run')}"
    cost = record_and_beyond(spent.recorded, spent.beyond)
    return joined([count, cost if len(runs) == total else f"these: {cost}"])


def _legend(runs: Sequence[Run], keys: set[str]) -> list[Text]:
    """Explain the signs that this very table shows."""
    timed = {"when", "day"} & keys
    notes = [
        "~ time taken from the files" if timed and any(_derived(run) for run in runs) else None,
        "Z UTC, local time unknown" if "when" in keys and any(_utc(run) for run in runs) else None,
        "? time zone unknown" if "when" in keys and any(_moment(run).endswith("?") for run in runs) else None,
        "≥ at least" if any("≥" in short_cost(run) for run in runs) else None,
        "† its files are gone" if any(_gone(run) for run in runs) else None,
    ]
    line = joined([*notes])
    line.stylize("dim")
    return [line] if line.plain else []


def _derived(run: Run) -> bool:
    return run.get("times_basis") == "derived" and run.get("created_at") is not None


def _utc(run: Run) -> bool:
    return _moment(run).endswith("Z")


def _moment(run: Run) -> str:
    known = run.get("time_zone_known")
    return moment(run.get("created_at"), run.get("utc_offset_minutes"), zone_known=known)


def _gone(run: Run) -> bool:
    return run.get("source_state") == "gone"
