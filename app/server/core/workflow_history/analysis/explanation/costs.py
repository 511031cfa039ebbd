"""Explain costs of a run: each contributing agent run with its file, line and rule. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Any

from ...common.coercion import coerce_number, worked_seconds
from ...common.models import RECORDED_BASES, CostBasis
from ...common.outcomes import Outcome
from ...common.spending import NO_COST, agent_cost, is_whole, run_cost, to_usd, why_no_cost
from ...costs.accounting.money import sum_known, to_decimal
from .context import Agent, ExplanationContext, agent_name, sum_parts
from .price_arithmetic import price_terms
from .records import Component, Explanation, Source

DOCS = "docs/costs.md"

_BASIS_RULES = {
    CostBasis.REPORTED: "last result message of the process; its cost is cumulative",
    CostBasis.COMPUTED: "no reported cost: final token counts × price on the run's date",
    CostBasis.LOWER_BOUND: "no result message: tokens of its messages × price on the run's date; "
    "a lower bound",
    CostBasis.UNPRICED: "the model has no known price on the run's date",
}


_WORK_FIELDS = (
    "turns",
    "tool_calls",
    "tool_errors",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
)


def explain_cost(context: ExplanationContext) -> Explanation:
    """Explain the known cost: recorded cost plus lower bounds."""
    cost = run_cost(context.run)
    value = to_usd(cost.minimum)
    inputs = {"cost_basis": context.run.get("cost_basis")}
    if (beyond := context.run.get("lower_bound_cost")) is not None:
        inputs |= {"recorded_cost": context.run.get("total_cost"), "lower_bound_cost": beyond}
    return context.explain_sum(
        "cost", "sum over its agent runs, with superseded attempts: recorded costs and lower bounds",
        [*_spending_parts(context, context.agents), *map(_silent_part, context.silent_agents)],
        unit="USD", docs=DOCS, value=value, prices=context.prices,
        inputs=inputs,
        is_lower_bound=value is not None and not cost.complete,
        unknown_parts=_count_unknown(context.agents) + len(context.silent_agents),
        why_unknown=None if value is not None else why_no_cost(context.agents),
    )  # fmt: skip


def explain_total_cost(context: ExplanationContext) -> Explanation:
    """Explain the recorded cost; if there is none, the lower bound that replaces it."""
    is_lower_bound = _is_lower_bound_only(context)
    parts = [
        agent_part(context, agent, _lower_bound_cost(agent) if is_lower_bound else _recorded_cost(agent))
        for agent in context.agents
    ]
    rule = (
        "no agent run has a recorded cost: sum of the lower bounds"
        if is_lower_bound
        else "sum of the reported and computed costs of its agent runs, with superseded attempts"
    )
    is_complete = is_whole(context.run.get("cost_basis"), context.agents)
    return context.explain_sum(
        "total_cost", rule, [*parts, *map(_silent_part, context.silent_agents)],
        unit="USD", docs=DOCS, prices=context.prices, notes=_lower_bound_notes(context),
        inputs={key: context.run.get(key) for key in ("cost_basis", "lower_bound_cost")},
        is_lower_bound=not is_complete and context.run.get("total_cost") is not None,
        unknown_parts=_count_unknown(context.agents) + len(context.silent_agents),
        why_unknown=_reason_if_unknown(context, "total_cost", why_no_cost(context.agents)),
    )  # fmt: skip


def explain_lower_bound(context: ExplanationContext) -> Explanation:
    """Explain the known spending beyond the recorded cost."""
    is_lower_bound = _is_lower_bound_only(context)
    parts = [
        agent_part(context, agent, None if is_lower_bound else _lower_bound_cost(agent))
        for agent in context.agents
    ]
    reason = (
        "the total itself is the lower bound: there is no recorded cost"
        if is_lower_bound
        else why_no_cost(context.agents)
        if context.run.get("cost_basis") == CostBasis.UNPRICED
        else "no transcript has cost beyond its recorded cost"
    )
    return context.explain_sum(
        "lower_bound_cost",
        "known cost of agent runs whose usage is incomplete, or after their last result; never in the total",
        [part for part in parts if part.adds],
        unit="USD",
        docs=DOCS,
        why_unknown=_reason_if_unknown(context, "lower_bound_cost", reason),
    )


def explain_computed_cost(context: ExplanationContext) -> Explanation:
    """Explain the computed cost of the streams in the total."""
    recorded = [agent for agent in context.agents if agent.get("cost_basis") in RECORDED_BASES]
    parts = [agent_part(context, agent, agent.get("computed_cost")) for agent in recorded]
    return context.explain_sum(
        "computed_cost", "tokens × price on the run's date, over the agent runs with a recorded cost", parts,
        unit="USD", docs=DOCS, prices=context.prices,
        inputs={"total_cost": context.run.get("total_cost"),
                "cost_difference_percent": context.run.get("cost_difference_percent")},
        why_unknown=_reason_if_unknown(context, "computed_cost", _why_not_computed(context, recorded)),
    )  # fmt: skip


def _why_not_computed(context: ExplanationContext, recorded: Sequence[Agent]) -> str:
    if recorded:
        return "the price or the tokens of some agent runs are unknown"
    has_lower_bound = any(_lower_bound_cost(agent) is not None for agent in context.agents)
    return f"there is no recorded cost{'; cost shows the lower bound' if has_lower_bound else ''}"


def explain_retry_cost(context: ExplanationContext) -> Explanation:
    """Explain the cost of retries."""
    retried = [agent for agent in context.agents if coerce_number(agent.get("retries"))]
    parts = [agent_part(context, agent, agent.get("retry_cost")) for agent in retried]
    return context.explain_sum(
        "retry_cost",
        "cost of superseded attempts, later iterations and restarts; part of the total",
        parts,
        unit="USD",
        docs=DOCS,
        inputs={"retry_count": context.run.get("retry_count")},
        why_unknown=_reason_if_unknown(context, "retry_cost", "the cost of the retries is unknown"),
    )


def explain_retry_count(context: ExplanationContext) -> Explanation:
    """Explain the number of retries."""
    retried = [agent for agent in context.agents if coerce_number(agent.get("retries"))]
    parts = [agent_part(context, agent, agent.get("retries")) for agent in retried]
    rule = "superseded attempts, later iterations of one agent, and restarts in one file"
    return context.explain_sum("retry_count", rule, parts, unit="count", docs=DOCS)


def explain_cost_basis(context: ExplanationContext) -> Explanation:
    """Explain how the total cost was obtained."""
    parts = [
        agent_part(context, agent, agent.get("cost_basis"), adds=False, priced=False)
        for agent in context.agents
    ]
    return context.explain_value(
        "cost_basis",
        "the weakest basis of its agent runs: unpriced, else lower_bound, else computed, else reported; "
        "at best lower_bound if an agent left no transcript",
        docs=DOCS,
        parts=(*parts, *map(_silent_part, context.silent_agents)),
        notes=_lower_bound_notes(context),
        why_unknown=_reason_if_unknown(context, "cost_basis", why_no_cost(context.agents)),
    )


def explain_cost_difference(
    context: ExplanationContext, name: str = "cost_difference_percent"
) -> Explanation:
    """Explain the difference between computed and reported cost."""
    compared = [
        agent for agent in context.agents if coerce_number(agent.get("cost_difference_percent")) is not None
    ]
    parts = [agent_part(context, agent, agent["cost_difference_percent"], adds=False) for agent in compared]
    return context.explain_value(
        name,
        "computed minus reported cost, in percent of the reported cost, over the agent runs with both; "
        "a cost discrepancy if one of them differs by more than 1%",
        unit="percent" if name == "cost_difference_percent" else None,
        docs=DOCS,
        parts=tuple(parts),
        prices=context.prices,
        why_unknown=_reason_if_unknown(context, name, "no agent run has both a reported and a computed cost"),
    )


def explain_cost_disputed(context: ExplanationContext) -> Explanation:
    """Explain whether a computed cost differs much from the reported one."""
    return explain_cost_difference(context, "cost_disputed")


def explain_price_version(context: ExplanationContext) -> Explanation:
    """Explain which price table the computed costs use."""
    return context.explain_value(
        "price_version",
        "version of genai-prices when the run was last read, and of own prices in the config file",
        docs=DOCS,
        prices=context.prices,
        why_unknown=_reason_if_unknown(context, "price_version", "the run has no transcript to price"),
    )


def explain_unpriced_tokens(context: ExplanationContext) -> Explanation:
    """Explain which tokens have no known price."""
    unpriced = [agent for agent in context.agents if coerce_number(agent.get("unpriced_tokens"))]
    parts = [agent_part(context, agent, agent["unpriced_tokens"]) for agent in unpriced]
    rule = "tokens of models that are not in the price table and have no reported cost"
    return context.explain_sum("unpriced_tokens", rule, parts, unit="tokens", docs=DOCS)


def explain_agents(
    context: ExplanationContext, name: str, agents: Sequence[Agent], silent_agents: Sequence[Agent]
) -> Explanation:
    """Explain the cost of a phase or an agent: recorded cost and lower bounds of its agent runs.

    `silent_agents` are its agents without a stream.
    """
    parts = _spending_parts(context, agents)
    total, cost = sum_parts(parts), sum(map(agent_cost, [*agents, *silent_agents]), NO_COST)
    return context.explain_sum(
        name, "sum over its agent runs: recorded costs and lower bounds",
        [*parts, *map(_silent_part, silent_agents)],
        unit="USD", docs=DOCS, value=None if total is None else float(total), prices=context.prices,
        inputs=_work_totals(agents, silent_agents),
        is_lower_bound=total is not None and not cost.complete,
        unknown_parts=_count_unknown(agents) + len(silent_agents),
        why_unknown=None if total is not None else why_no_cost(agents),
    )  # fmt: skip


def _spending_parts(context: ExplanationContext, agents: Sequence[Agent]) -> list[Component]:
    """Return the spending of each agent run: recorded cost and lower bound."""
    parts: list[Component] = []
    for agent in agents:
        recorded, lower_bound = _recorded_cost(agent), _lower_bound_cost(agent)
        parts.append(
            agent_part(
                context, agent, recorded if recorded is not None or lower_bound is None else lower_bound
            )
        )
        if recorded is not None and lower_bound is not None:
            parts.append(_lower_bound_part(context, agent, lower_bound))
    return parts


def _silent_part(agent: Agent) -> Component:
    """Return an agent without a stream as a component of unknown cost."""
    rule = "no transcript: cost unknown"
    return Component(
        name=str(agent["agent"]), value=None, adds=False, rule=rule, inputs={"phase": agent["phase"]}
    )


def _count_unknown(agents: Sequence[Agent]) -> int:
    """Count the agent runs with entirely unknown spending; copies and empty streams spent nothing."""
    return sum(cost.minimum is None and not cost.complete for cost in map(agent_cost, agents))


def agent_part(
    context: ExplanationContext, agent: Agent, value: Any, *, adds: bool = True, priced: bool = True
) -> Component:
    """Return one agent run as a component; without a value it adds nothing, and its rule is the reason."""
    return Component(
        name=agent_name(agent),
        value=value,
        adds=adds and value is not None,
        rule=describe_rule(agent),
        basis=agent.get("cost_basis"),
        inputs={
            "phase": agent.get("phase"),
            "outcome": agent.get("outcome"),
            "attempt": agent.get("attempt"),
            "cost": agent.get("cost"),
            "computed_cost": agent.get("computed_cost"),
            "cost_difference_percent": agent.get("cost_difference_percent"),
        },
        sources=sources_of(context, agent),
        arithmetic=price_terms(context, agent) if priced else (),
    )


def describe_rule(agent: Agent) -> str:
    """Describe how an agent run's cost was obtained.

    >>> describe_rule({"explain_cost_basis": None, "duplicate_of": "plan/raw_output.jsonl"})
    'a copy: its cost is counted in plan/raw_output.jsonl'
    """
    if agent.get("duplicate_of"):
        return f"a copy: its cost is counted in {agent['duplicate_of']}"
    basis = agent.get("cost_basis")
    restarts = int(coerce_number(agent.get("restarts")) or 0)
    if basis == CostBasis.REPORTED and restarts:
        rule = f"{restarts + 1} processes wrote into one file: sum of the last result of each"
    elif basis is None:
        empty = agent.get("outcome") == Outcome.EMPTY
        rule = "empty transcript: no cost" if empty else "its transcript contains no cost"
    elif basis == CostBasis.UNPRICED and agent.get("lower_bound_cost") is not None:
        rule = "lower bound: the priced tokens; other tokens are unpriced"
    elif basis == CostBasis.LOWER_BOUND and agent.get("line"):
        rule = "lower bound: its result messages do not cover all cost; see the problems of the run"
    else:
        rule = _BASIS_RULES.get(basis, str(basis))
    for other in agent.get("inherited") or ():
        rule += f"; {other['messages']} of its messages are counted in {other['stream']}"
    if agent.get("superseded"):
        rule += "; superseded, and its cost stays in the sum"
    return rule


def sources_of(context: ExplanationContext, agent: Agent) -> tuple[Source, ...]:
    """Return the stream that contains an agent run's cost."""
    if not agent.get("path"):
        return ()
    description = "its last result message" if agent.get("line") else "its messages"
    overwritten = bool(agent.get("superseded"))
    return (context.source(agent["path"], agent.get("line"), description, overwritten=overwritten),)


def _recorded_cost(agent: Agent) -> Any:
    return agent.get("cost") if agent.get("cost_basis") in RECORDED_BASES else None


def _lower_bound_cost(agent: Agent) -> Any:
    """Return the known spending of an agent run beyond its recorded cost."""
    lower_bound = agent.get("lower_bound_cost")
    if agent.get("cost_basis") != CostBasis.LOWER_BOUND or agent.get("cost") is None:
        return lower_bound
    amounts = (to_decimal(coerce_number(value)) for value in (agent["cost"], lower_bound))
    total = sum_known(amounts)
    return None if total is None else float(total)


def _lower_bound_part(context: ExplanationContext, agent: Agent, lower_bound: Any) -> Component:
    rule = "lower bound: messages that its result messages leave out"
    sources = (context.source(agent["path"], None, "its messages"),) if agent.get("path") else ()
    return Component(agent_name(agent), lower_bound, True, rule, CostBasis.LOWER_BOUND, sources=sources)


def _is_lower_bound_only(context: ExplanationContext) -> bool:
    """Return whether the total is a lower bound because there is no recorded cost."""
    recorded = any(_recorded_cost(agent) is not None for agent in context.agents)
    return context.run.get("cost_basis") == CostBasis.LOWER_BOUND and not recorded


def _reason_if_unknown(context: ExplanationContext, name: str, reason: str) -> str | None:
    return reason if context.run.get(name) is None else None


def _lower_bound_notes(context: ExplanationContext) -> tuple[str, ...]:
    has_lower_bound = context.run.get("lower_bound_cost") is not None
    return ("the cost is higher: see lower_bound_cost",) if has_lower_bound else ()


def _work_totals(agents: Sequence[Agent], silent_agents: Sequence[Agent]) -> dict[str, Any]:
    seconds = worked_seconds([*agents, *silent_agents])
    totals: dict[str, Any] = {"agent_runs": len(agents), "duration_seconds": seconds}
    for key in _WORK_FIELDS:
        values = [value for agent in agents if (value := coerce_number(agent.get(key))) is not None]
        totals[key] = fsum(values) if values else None
    return totals
