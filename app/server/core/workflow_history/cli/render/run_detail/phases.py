"""Agent runs by phase, and models of a run: phase_costs in, tables out. Pure; bars are to scale."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ....common.coercion import worked_seconds
from ....common.formatting.agents import agent_notes, group_by_phase, short_model
from ....common.formatting.costs import format_minimum
from ....common.formatting.numbers import format_duration, format_tokens, pluralize
from ....common.formatting.text import single_line
from ....common.models import RunStatus
from ....common.spending import NO_COST, UNKNOWN, Cost, agent_cost, number
from ....costs.accounting.missing_parts import silent_agents
from ....presentation.run_detail import format_model_cost, models_used
from .. import symbols
from ..table import (
    Column,
    DropColumn,
    bar_column,
    bar_columns,
    build_table,
    fit_columns,
    number_column,
    share_of,
    text_column,
)
from ..text import section_rule

Agent = Mapping[str, Any]

BAR_WIDTH, SHORT_BAR_WIDTH = 8, 4  # cells
DROP_ORDER = (
    DropColumn("cache"),
    DropColumn("turns"),
    DropColumn("time_bar"),
    DropColumn("model"),
    DropColumn("cost_bar", "short_cost_bar"),
    DropColumn("in"),
    DropColumn("out"),
    DropColumn("short_cost_bar"),
)
"""Columns to drop, in this order, until the table fits the width."""

MIN_AGENT_WIDTH = 40  # cells


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the sum of a phase, or one agent run. Tokens and seconds are None if unknown."""

    phase: str
    name: Text
    sign: Text
    cost: Cost
    seconds: float | None
    turns: float | None
    counts: Mapping[str, float | None] = field(default_factory=dict)  # tokens by kind: in, out, cache
    model: str = ""
    is_sum: bool = False  # of the rows below it


def render_phases(run: Mapping[str, Any], width: int) -> RenderableType | None:
    """Render the table of phases, one row per agent run; several in a phase have their sum above them."""
    agents = [*(run.get("phase_costs") or ()), *silent_agents(run)]
    is_running = run.get("status") == RunStatus.RUNNING
    rows = [
        row
        for phase, members in group_by_phase(agents)
        for row in _phase_rows(phase, members, is_running=is_running)
    ]
    if not rows:
        return None
    shown = fit_columns(_columns(rows), width, DROP_ORDER, MIN_AGENT_WIDTH)
    return Group(section_rule("Phases", width), build_table(shown, width))


def render_models(run: Mapping[str, Any], width: int) -> RenderableType | None:
    """Render the tokens and cost of each model, most expensive first."""
    models = models_used(run)
    if not models:
        return None
    columns = [
        text_column("model", "model", [model.get("model") or "unknown" for model in models]),
        number_column("runs", "agent runs", [str(model.get("agent_runs") or UNKNOWN) for model in models]),
        *(
            number_column(key, title, [format_tokens(model.get(key)) for model in models])
            for key, title in (
                ("input_tokens", "input"),
                ("output_tokens", "output"),
                ("cache_read_tokens", "cache read"),
                ("cache_creation_tokens", "cache write"),
            )
        ),
        number_column("cost", "cost", [format_model_cost(run, model) for model in models]),
    ]
    if not any(model.get("agent_runs") for model in models):
        columns = [column for column in columns if column.key != "runs"]
    steps = (DropColumn("runs"), DropColumn("cache_creation_tokens"), DropColumn("cache_read_tokens"))
    return Group(section_rule("Models", width), build_table(fit_columns(columns, width, steps), width))


def _phase_rows(phase: str, agents: Sequence[Agent], *, is_running: bool) -> list[Row]:
    if len(agents) == 1:
        return [_agent_row(phase, agents[0], is_running=is_running)]
    rows = [_agent_row("", agent, is_running=is_running) for agent in agents]
    total = Row(
        phase,
        Text(pluralize(len(agents), "agent run"), style="dim"),
        Text(""),
        sum((row.cost for row in rows), NO_COST),
        worked_seconds(agents),
        _sum(row.turns for row in rows),
        {key: _sum(row.counts.get(key) for row in rows) for key in ("in", "out", "cache")},
        is_sum=True,
    )
    return [total, *rows]


def _agent_row(phase: str, agent: Agent, *, is_running: bool) -> Row:
    name = Text(("" if phase else "  ") + single_line(agent.get("agent") or "unnamed"))
    if notes := agent_notes(agent, at_work=is_running):
        name.append("  " + ", ".join(notes), style="magenta")
    cached = _sum(number(agent.get(key)) for key in ("cache_read_tokens", "cache_creation_tokens"))
    return Row(
        phase,
        name,
        symbols.outcome_text(agent.get("outcome")),
        agent_cost(agent),
        number(agent.get("duration_seconds")),
        number(agent.get("turns")),
        {"in": number(agent.get("input_tokens")), "out": number(agent.get("output_tokens")), "cache": cached},
        short_model(agent.get("model")),
    )


def _columns(rows: Sequence[Row]) -> list[Column]:
    agents = [row for row in rows if not row.is_sum]  # only these have bars
    max_cost = max((row.cost.minimum or 0 for row in agents), default=0)
    max_seconds = max((row.seconds or 0.0 for row in agents), default=0.0)
    has_models = len({row.model for row in agents}) > 1
    cost_shares = [None if row.is_sum else share_of(row.cost.minimum, max_cost) for row in rows]
    time_shares = [None if row.is_sum else share_of(row.seconds, max_seconds) for row in rows]
    return [
        Column("phase", "phase", tuple(Text(row.phase, style="bold") for row in rows), max_width=14),
        Column("sign", "", tuple(row.sign for row in rows)),
        Column("agent", "agent", tuple(row.name for row in rows), flexible=True),
        *([text_column("model", "model", [row.model for row in rows])] if has_models else []),
        number_column(
            "turns", "turns", [UNKNOWN if row.turns is None else f"{row.turns:.0f}" for row in rows]
        ),
        *(
            number_column(key, title, [format_tokens(row.counts.get(key)) for row in rows])
            for key, title in (("in", "input"), ("out", "output"), ("cache", "cache"))
        ),
        number_column("cost", "cost", [format_minimum(row.cost) for row in rows]),
        *bar_columns(cost_shares, (BAR_WIDTH, SHORT_BAR_WIDTH), key="cost_bar"),
        number_column("time", "duration", [format_duration(row.seconds) for row in rows]),
        bar_column(time_shares, BAR_WIDTH, "cyan", key="time_bar"),
    ]


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
