"""Compare the phases of two runs, and attribute differences in cost and duration to phases. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ...common.coercion import list_agent_runs, worked_seconds
from ...common.outcomes import Outcome
from ...common.phases import PHASES
from ...common.spending import NANODOLLARS, NO_COST, agent_cost, run_cost, to_usd
from ...costs.accounting.missing_parts import silent_agents
from ...costs.accounting.money import TOKEN_FIELDS
from .figures import compare_cost, compare_value, sum_counts
from .records import AgentTotals, Contribution, ModelChange, Phase, StepComparison

Run = Mapping[str, Any]
Agents = Sequence[Run]

_OUTCOMES_WORST_FIRST = (
    Outcome.ERROR,
    Outcome.FALSE_SUCCESS,
    Outcome.UNREADABLE,
    Outcome.EMPTY,
    Outcome.STOPPED,
    Outcome.INCOMPLETE,
    Outcome.SUCCESS,
)
_TOKENS = TOKEN_FIELDS[:4]


def compare_phases(a: Run, b: Run) -> tuple[Phase, ...]:
    """Compare all phases that one of two runs has, in workflow order.

    An agent without a stream belongs to its phase, whose cost is then a lower bound or unknown.
    """
    a_groups, b_groups = (_group_by([*list_agent_runs(run), *silent_agents(run)], "phase") for run in (a, b))
    order = {phase: position for position, phase in enumerate(PHASES)}
    names = sorted({**a_groups, **b_groups}, key=lambda name: (order.get(name, len(order)), name))
    return tuple(_compare_phase(name, a_groups.get(name, []), b_groups.get(name, [])) for name in names)


def attribute_cost(a: Run, b: Run, phases: Iterable[Phase]) -> tuple[Contribution, ...]:
    """Return each phase's contribution to the difference in cost, largest first; empty if a cost is unknown.

    Cost outside the agent runs is a contribution without a phase, so that all add up exactly.
    """
    a_cost, b_cost = run_cost(a).minimum, run_cost(b).minimum
    if a_cost is None or b_cost is None:
        return ()
    difference = Decimal(b_cost - a_cost) / NANODOLLARS
    by_phase: dict[str | None, Decimal] = {}
    for phase in phases:
        a_phase, b_phase = (None if work is None else work.cost for work in (phase.step.a, phase.step.b))
        by_phase[phase.step.name] = Decimal(repr(b_phase or 0.0)) - Decimal(repr(a_phase or 0.0))
    by_phase[None] = difference - sum(by_phase.values(), Decimal(0))
    return _contributions(by_phase, difference)


def attribute_duration(phases: Iterable[Phase]) -> tuple[Contribution, ...]:
    """Return each phase's contribution to the difference in working time, largest first."""
    by_phase: dict[str | None, Decimal] = {}
    for phase in phases:
        seconds = next(figure for figure in phase.step.figures if figure.name == "duration_seconds")
        unknown = (phase.step.a and seconds.a is None) or (phase.step.b and seconds.b is None)
        if not unknown:
            by_phase[phase.step.name] = Decimal(repr(seconds.b or 0.0)) - Decimal(repr(seconds.a or 0.0))
    return _contributions(by_phase, sum(by_phase.values(), Decimal(0)))


def model_changes(phases: Iterable[Phase]) -> tuple[ModelChange, ...]:
    """Return the phases of both runs that used different models."""
    steps = [(phase.step.name, phase.step.a, phase.step.b) for phase in phases]
    return tuple(
        ModelChange(name, a.models, b.models)
        for name, a, b in steps
        if a is not None and b is not None and set(a.models) != set(b.models)
    )


def _contributions(parts: Mapping[str | None, Decimal], total: Decimal) -> tuple[Contribution, ...]:
    contributions = [
        Contribution(name, float(part), round(float(part / total), 6) if total else None)
        for name, part in parts.items()
        if part
    ]
    return tuple(sorted(contributions, key=lambda part: (-abs(part.difference), part.phase or "")))


def _group_by(agents: Agents, key: str) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for agent in agents:
        groups.setdefault(str(agent.get(key) or "other"), []).append(agent)
    return groups


def _compare_phase(name: str, a: Agents, b: Agents) -> Phase:
    a_groups, b_groups = _group_by(a, "agent"), _group_by(b, "agent")
    agents = tuple(
        _compare_step(agent, a_groups.get(agent, []), b_groups.get(agent, []))
        for agent in {**a_groups, **b_groups}
    )
    return Phase(_compare_step(name, a, b), agents)


def _compare_step(name: str, a: Agents, b: Agents) -> StepComparison:
    """Build one row; differences are unknown if one run has no such row."""
    figures = (
        compare_cost("cost", sum(map(agent_cost, a), NO_COST), sum(map(agent_cost, b), NO_COST)),
        compare_value("duration_seconds", "seconds", worked_seconds(a), worked_seconds(b)),
        compare_value("total_tokens", "tokens", _total_tokens(a), _total_tokens(b)),
        *(
            compare_value(key, "count", sum_counts(a, key), sum_counts(b, key))
            for key in ("turns", "tool_calls", "tool_errors")
        ),
    )
    return StepComparison(name, _agent_totals(a), _agent_totals(b), figures)


def _total_tokens(agents: Agents) -> float | None:
    known = [count for key in _TOKENS if (count := sum_counts(agents, key)) is not None]
    return sum(known) if known else None


def _agent_totals(agents: Agents) -> AgentTotals | None:
    if not agents:
        return None
    cost = sum(map(agent_cost, agents), NO_COST)
    models = {str(agent["model"]): None for agent in agents if agent.get("model")}
    return AgentTotals(
        sum(not agent.get("silent") for agent in agents),
        _worst_outcome(agents),
        tuple(models),
        to_usd(cost.minimum),
        cost.complete,
    )


def _worst_outcome(agents: Agents) -> str | None:
    """Return the worst outcome of the agent runs that were not superseded."""
    outcomes = [agent.get("outcome") for agent in agents if agent.get("superseded") is not True]
    known = [outcome for outcome in outcomes if outcome in _OUTCOMES_WORST_FIRST]
    return min(known, key=_OUTCOMES_WORST_FIRST.index, default=None)
