"""Compare the phases of two runs, and attribute differences in cost and duration to phases. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ...common.coercion import list_agent_runs, worked_seconds
from ...common.phases import PHASES
from ...costs.accounting.missing_parts import silent_agents
from ...costs.accounting.money import TOKEN_FIELDS
from .figures import agents_cost, compare_cost, compare_value, run_cost, sum_counts
from .records import AgentTotals, Contribution, ModelChange, Phase, StepComparison

Run = Mapping[str, Any]
Agents = Sequence[Run]

_WORST = ("error", "false_success", "unreadable", "empty", "stopped", "incomplete", "success")
_TOKENS = TOKEN_FIELDS[:4]


def compare_phases(a: Run, b: Run) -> tuple[Phase, ...]:
    """Compare all phases that one of two runs has, in workflow order.

    An agent without a stream belongs to its phase, whose cost is then a lower bound or unknown.
    """
    ours, theirs = (_grouped([*list_agent_runs(run), *silent_agents(run)], "phase") for run in (a, b))
    names = sorted({**ours, **theirs}, key=lambda name: (_place(name), name))
    return tuple(_phase(name, ours.get(name, []), theirs.get(name, [])) for name in names)


def attribute_cost(a: Run, b: Run, phases: Iterable[Phase]) -> tuple[Contribution, ...]:
    """Return each phase's contribution to the difference in cost, largest first; empty if a cost is unknown.

    Cost outside the agent runs is a contribution without a phase, so that all add up exactly.
    """
    one, other = run_cost(a).amount, run_cost(b).amount
    if one is None or other is None:
        return ()
    whole = other - one
    parts: dict[str | None, Decimal] = {}
    for phase in phases:
        mine, theirs = (None if work is None else work.cost for work in (phase.step.a, phase.step.b))
        parts[phase.step.name] = Decimal(repr(theirs or 0.0)) - Decimal(repr(mine or 0.0))
    parts[None] = whole - sum(parts.values(), Decimal(0))
    return _contributions(parts, whole)


def attribute_duration(phases: Iterable[Phase]) -> tuple[Contribution, ...]:
    """Return each phase's contribution to the difference in working time, largest first."""
    parts: dict[str | None, Decimal] = {}
    for phase in phases:
        seconds = next(each for each in phase.step.figures if each.name == "duration_seconds")
        unknown = (phase.step.a and seconds.a is None) or (phase.step.b and seconds.b is None)
        if not unknown:
            parts[phase.step.name] = Decimal(repr(seconds.b or 0.0)) - Decimal(repr(seconds.a or 0.0))
    return _contributions(parts, sum(parts.values(), Decimal(0)))


def model_changes(phases: Iterable[Phase]) -> tuple[ModelChange, ...]:
    """Return the phases of both runs that used different models."""
    both = [(phase.step.name, phase.step.a, phase.step.b) for phase in phases]
    return tuple(
        ModelChange(name, a.models, b.models)
        for name, a, b in both
        if a is not None and b is not None and set(a.models) != set(b.models)
    )


def _contributions(parts: Mapping[str | None, Decimal], whole: Decimal) -> tuple[Contribution, ...]:
    found = [
        Contribution(name, float(part), round(float(part / whole), 6) if whole else None)
        for name, part in parts.items()
        if part
    ]
    return tuple(sorted(found, key=lambda each: (-abs(each.difference), each.phase or "")))


def _grouped(agents: Agents, key: str) -> dict[str, list[Run]]:
    groups: dict[str, list[Run]] = {}
    for agent in agents:
        groups.setdefault(str(agent.get(key) or "other"), []).append(agent)
    return groups


def _place(phase: str) -> int:
    return PHASES.index(phase) if phase in PHASES else len(PHASES)


def _phase(name: str, a: Agents, b: Agents) -> Phase:
    ours, theirs = _grouped(a, "agent"), _grouped(b, "agent")
    agents = [_step(agent, ours.get(agent, []), theirs.get(agent, [])) for agent in {**ours, **theirs}]
    return Phase(_step(name, a, b), tuple(agents))


def _step(name: str, a: Agents, b: Agents) -> StepComparison:
    """Build one row; differences are unknown if one run has no such row."""
    figures = (
        compare_cost("cost", agents_cost(a), agents_cost(b)),
        compare_value("duration_seconds", "seconds", worked_seconds(a), worked_seconds(b)),
        compare_value("total_tokens", "tokens", _tokens(a), _tokens(b)),
        *(
            compare_value(key, "count", sum_counts(a, key), sum_counts(b, key))
            for key in ("turns", "tool_calls", "tool_errors")
        ),
    )
    return StepComparison(name, _work(a), _work(b), figures)


def _tokens(agents: Agents) -> float | None:
    known = [count for key in _TOKENS if (count := sum_counts(agents, key)) is not None]
    return sum(known) if known else None


def _work(agents: Agents) -> AgentTotals | None:
    if not agents:
        return None
    spent = agents_cost(agents)
    models = {str(agent["model"]): None for agent in agents if agent.get("model")}
    return AgentTotals(
        sum(not agent.get("silent") for agent in agents),
        _outcome(agents),
        tuple(models),
        None if spent.amount is None else float(spent.amount),
        spent.certain,
    )


def _outcome(agents: Agents) -> str | None:
    """Return the worst outcome of the agent runs that were not superseded."""
    outcomes = [agent.get("outcome") for agent in agents if agent.get("superseded") is not True]
    known = [outcome for outcome in outcomes if outcome in _WORST]
    return min(known, key=_WORST.index, default=None)
