"""Agent runs by phase, and models of a run: phase_costs in, tables out. Pure; bars are to scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ....common.coercion import worked_seconds
from ....common.formatting.agents import agent_notes, group_by_phase, short_model
from ....common.formatting.costs import format_minimum
from ....common.formatting.numbers import format_duration, format_tokens, pluralize
from ....common.formatting.text import single_line
from ....common.spending import UNKNOWN, Spending, agent_spending, number, total_spending
from ....costs.accounting.missing_parts import silent_agents
from ....presentation.run_detail import model_cost_words, models_used
from .. import symbols
from ..table import Column, DropColumn, build_table, fit_columns
from ..text import section_rule

Agent = Mapping[str, Any]

BAR = 8  # cells
NARROWER = (
    DropColumn("cache"),
    DropColumn("turns"),
    DropColumn("time_bar"),
    DropColumn("model"),
    DropColumn("out"),
    DropColumn("in"),
    DropColumn("cost_bar"),
)
"""Columns to drop, in this order, until the table fits the width."""

LEAST_AGENT = 40  # cells


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the sum of a phase, or one agent run. Tokens and seconds are None if unknown."""

    phase: str
    name: Text
    sign: Text
    spent: Spending
    seconds: float | None
    turns: float | None
    counts: Mapping[str, float | None] = field(default_factory=dict)  # tokens by kind: in, out, cache
    model: str = ""
    counted_twice: bool = False  # the row is a sum of the rows below it


def phases(run: Mapping[str, Any], width: int) -> RenderableType | None:
    """Render the table of phases, one row per agent run; several in a phase have their sum above them."""
    agents = [*(run.get("phase_costs") or ()), *silent_agents(run)]
    at_work = run.get("status") == "running"
    rows = [
        row for phase, members in group_by_phase(agents) for row in _rows(phase, members, at_work=at_work)
    ]
    if not rows:
        return None
    shown = fit_columns(_columns(rows), width, NARROWER, LEAST_AGENT)
    return Group(section_rule("Phases", width), build_table(shown, width))


def models(run: Mapping[str, Any], width: int) -> RenderableType | None:
    """Render the tokens and cost of each model, most expensive first."""
    used = models_used(run)
    if not used:
        return None
    columns = [
        Column("model", "model", tuple(Text(single_line(each.get("model") or "unknown")) for each in used)),
        _numbers("runs", "agents", [str(each.get("agent_runs") or UNKNOWN) for each in used]),
        *(
            _numbers(key, title, [format_tokens(each.get(key)) for each in used])
            for key, title in (
                ("input_tokens", "in"),
                ("output_tokens", "out"),
                ("cache_read_tokens", "cache read"),
                ("cache_creation_tokens", "written"),
            )
        ),
        _numbers("cost", "cost", [model_cost_words(run, each) for each in used]),
    ]
    if not any(each.get("agent_runs") for each in used):
        columns = [column for column in columns if column.key != "runs"]
    steps = (DropColumn("runs"), DropColumn("cache_creation_tokens"), DropColumn("cache_read_tokens"))
    return Group(section_rule("Models", width), build_table(fit_columns(columns, width, steps), width))


def _rows(phase: str, members: Sequence[Agent], *, at_work: bool) -> list[Row]:
    name = "" if len(members) > 1 else phase
    rows = [_agent_row(name, agent, at_work=at_work) for agent in members]
    if len(members) == 1:
        return rows
    sums = {key: _sum(row.counts.get(key) for row in rows) for key in ("in", "out", "cache")}
    total = Row(
        phase,
        Text(pluralize(len(members), "agent"), style="dim"),
        Text(""),
        total_spending([row.spent for row in rows]),
        worked_seconds(members),
        _sum(row.turns for row in rows),
        sums,
        counted_twice=True,
    )
    return [total, *rows]


def _agent_row(phase: str, agent: Agent, *, at_work: bool) -> Row:
    name = Text(("" if phase else "  ") + single_line(agent.get("agent") or "unnamed"))
    if notes := agent_notes(agent, at_work=at_work):
        name.append("  " + ", ".join(notes), style="magenta")
    cached = _sum(number(agent.get(key)) for key in ("cache_read_tokens", "cache_creation_tokens"))
    return Row(
        phase,
        name,
        symbols.styled_outcome(agent.get("outcome")),
        agent_spending(agent),
        number(agent.get("duration_seconds")),
        number(agent.get("turns")),
        {"in": number(agent.get("input_tokens")), "out": number(agent.get("output_tokens")), "cache": cached},
        short_model(agent.get("model")),
    )


def _columns(rows: Sequence[Row]) -> list[Column]:
    single = [row for row in rows if not row.counted_twice]
    most_cost = max((row.spent.minimum or Decimal(0) for row in single), default=Decimal(0))
    most_time = max((row.seconds or 0.0 for row in single), default=0.0)
    several_models = len({row.model for row in single}) > 1
    return [
        Column("phase", "phase", tuple(Text(row.phase, style="bold") for row in rows), max_width=14),
        Column("sign", "", tuple(row.sign for row in rows)),
        Column("agent", "agent", tuple(row.name for row in rows), flexible=True),
        *([_words("model", "model", [row.model for row in rows])] if several_models else []),
        _numbers("turns", "turns", [UNKNOWN if row.turns is None else f"{row.turns:.0f}" for row in rows]),
        *(
            _numbers(key, key, [format_tokens(row.counts.get(key)) for row in rows])
            for key in ("in", "out", "cache")
        ),
        _numbers("cost", "cost", [format_minimum(row.spent) for row in rows]),
        _bars("cost_bar", [_share(row, row.spent.minimum, most_cost) for row in rows], "green"),
        _numbers("time", "time", [format_duration(row.seconds) for row in rows]),
        _bars("time_bar", [_share(row, row.seconds, most_time) for row in rows], "cyan"),
    ]


def _share(row: Row, part: Decimal | float | None, most: Decimal | float) -> float | None:
    """Return a row's share of the largest row; None for a phase's sum, which has no bar."""
    return None if row.counted_twice or part is None or not most else float(part) / float(most)


def _bars(key: str, shares: Sequence[float | None], style: str) -> Column:
    return Column(key, "", tuple(Text(symbols.bar(share, BAR), style=style) for share in shares))


def _numbers(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)


def _words(key: str, title: str, cells: Sequence[str]) -> Column:
    return Column(key, title, tuple(Text(cell) for cell in cells))


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
