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
    CostBasis.REPORTED: "the last result line of its process says so; a result's cost is cumulative",
    CostBasis.COMPUTED: "no result gives a cost: final token counts times the price of the day",
    CostBasis.LOWER_BOUND: "no result line: what its messages show, at the price of the day; "
    "maybe more was spent",
    CostBasis.UNPRICED: "tokens were spent on a model without a known price",
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
    separate_costs = () if context.run.get("lower_bound_cost") is None else ("total_cost", "lower_bound_cost")
    return context.explain_sum(
        "cost", "the sum over its agent runs, former attempts included: on record, and at least beyond it",
        [*_spending_parts(context, context.agents), *map(_silent_part, context.silent_agents)],
        unit="USD", docs=DOCS, value=value, prices=context.prices,
        inputs={key: context.run.get(key) for key in ("cost_basis", *separate_costs)},
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
        "no agent run has a cost on record: the sum of what was spent at least"
        if is_lower_bound
        else "the sum of the reported and computed costs of its agent runs, former attempts included"
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
        "what was spent at least is the total itself: nothing is on record"
        if is_lower_bound
        else why_no_cost(context.agents)
        if context.run.get("cost_basis") == CostBasis.UNPRICED
        else "no stream shows spending beyond its record"
    )
    return context.explain_sum(
        "lower_bound_cost",
        "what was spent at least in streams without a result, or after their last one; never in the total",
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
        "computed_cost", "tokens times the price of the day, over what is on record", parts,
        unit="USD", docs=DOCS, prices=context.prices,
        inputs={"total_cost": context.run.get("total_cost"),
                "cost_difference_percent": context.run.get("cost_difference_percent")},
        why_unknown=_reason_if_unknown(context, "computed_cost", _why_not_computed(context, recorded)),
    )  # fmt: skip


def _why_not_computed(context: ExplanationContext, recorded: Sequence[Agent]) -> str:
    if recorded:
        return "of some of what is on record, the price or the tokens are not known"
    has_lower_bound = any(_lower_bound_cost(agent) is not None for agent in context.agents)
    return f"nothing is on record{': what was spent at least is told by cost' if has_lower_bound else ''}"


def explain_retry_cost(context: ExplanationContext) -> Explanation:
    """Explain the cost of retries."""
    retried = [agent for agent in context.agents if coerce_number(agent.get("retries"))]
    parts = [agent_part(context, agent, agent.get("retry_cost")) for agent in retried]
    return context.explain_sum(
        "retry_cost",
        "what overwritten attempts, later iterations and processes started anew spent; a part of the total",
        parts,
        unit="USD",
        docs=DOCS,
        inputs={"retry_count": context.run.get("retry_count")},
        why_unknown=_reason_if_unknown(context, "retry_cost", "the cost of no retry is known"),
    )


def explain_retry_count(context: ExplanationContext) -> Explanation:
    """Explain the number of retries."""
    retried = [agent for agent in context.agents if coerce_number(agent.get("retries"))]
    parts = [agent_part(context, agent, agent.get("retries")) for agent in retried]
    rule = "overwritten attempts, later iterations of one agent, and processes started anew in one file"
    return context.explain_sum("retry_count", rule, parts, unit="count", docs=DOCS)


def explain_cost_basis(context: ExplanationContext) -> Explanation:
    """Explain how the total cost was obtained."""
    parts = [
        agent_part(context, agent, agent.get("cost_basis"), adds=False, priced=False)
        for agent in context.agents
    ]
    return context.explain_value(
        "cost_basis",
        "that of its weakest agent run: unpriced, else lower_bound, else computed, else reported; "
        "with an agent that left no stream it is no better than lower_bound",
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
        "our own sum less the reported cost, in percent of it, over the agent runs that have both; "
        "disputed where one of them is more than 1% off",
        unit="percent" if name == "cost_difference_percent" else None,
        docs=DOCS,
        parts=tuple(parts),
        prices=context.prices,
        why_unknown=_reason_if_unknown(context, name, "no agent run has both a reported cost and an own sum"),
    )


def explain_cost_disputed(context: ExplanationContext) -> Explanation:
    """Explain whether a computed cost differs much from the reported one."""
    return explain_cost_difference(context, "cost_disputed")


def explain_price_version(context: ExplanationContext) -> Explanation:
    """Explain which price table the computed costs use."""
    return context.explain_value(
        "price_version",
        "the version of genai-prices that was installed when the run was last read",
        docs=DOCS,
        prices=context.prices,
        why_unknown=_reason_if_unknown(context, "price_version", "the run has no stream to price"),
    )


def explain_unpriced_tokens(context: ExplanationContext) -> Explanation:
    """Explain which tokens have no known price."""
    unpriced = [agent for agent in context.agents if coerce_number(agent.get("unpriced_tokens"))]
    parts = [agent_part(context, agent, agent["unpriced_tokens"]) for agent in unpriced]
    rule = "tokens of models that the price table does not know, and whose cost no result gives"
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
        name, "the sum over its agent runs: what is on record, and what was spent at least beyond it",
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
    rule = "it left no stream: unknown what it spent"
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
    'a copy: what it spent is counted in plan/raw_output.jsonl'
    """
    if agent.get("duplicate_of"):
        return f"a copy: what it spent is counted in {agent['duplicate_of']}"
    basis = agent.get("cost_basis")
    restarts = int(coerce_number(agent.get("restarts")) or 0)
    if basis == CostBasis.REPORTED and restarts:
        rule = f"{restarts + 1} processes wrote into one file: the last result of each, added up"
    elif basis is None:
        empty = agent.get("outcome") == Outcome.EMPTY
        rule = "an empty stream: nothing shows that it spent anything" if empty else "its stream does not say"
    elif basis == CostBasis.UNPRICED and agent.get("lower_bound_cost") is not None:
        rule = "the priced part, spent at least: other tokens were spent on a model without a known price"
    elif basis == CostBasis.LOWER_BOUND and agent.get("line"):
        rule = "its results cannot be all that was spent, see the run's problems: what is known at least"
    else:
        rule = _BASIS_RULES.get(basis, str(basis))
    for other in agent.get("inherited") or ():
        rule += f"; {other['messages']} of its messages are counted in {other['stream']}"
    if agent.get("superseded"):
        rule += "; overwritten since, and what it spent stays in the sum"
    return rule


def sources_of(context: ExplanationContext, agent: Agent) -> tuple[Source, ...]:
    """Return the stream that contains an agent run's cost."""
    if not agent.get("path"):
        return ()
    description = "its last result line" if agent.get("line") else "its messages"
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
    rule = "messages that its results leave out: spent at least"
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
    return ("more was spent: see lower_bound_cost",) if has_lower_bound else ()


def _work_totals(agents: Sequence[Agent], silent_agents: Sequence[Agent]) -> dict[str, Any]:
    seconds = worked_seconds([*agents, *silent_agents])
    totals: dict[str, Any] = {"agent_runs": len(agents), "duration_seconds": seconds}
    for key in _WORK_FIELDS:
        values = [value for agent in agents if (value := coerce_number(agent.get(key))) is not None]
        totals[key] = fsum(values) if values else None
    return totals
