"""Explain costs of a run: each contributing agent run with its file, line and rule. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from typing import Any

from ...common.coercion import coerce_number, worked_seconds
from ...common.spending import agent_spending, is_whole, run_spending, why_no_cost
from ...costs.accounting.cost_sums import sum_costs
from ...costs.accounting.money import to_usd_float
from ...costs.accounting.run_cost import RECORDED_BASES
from .context import Agent, ExplanationContext, sum_parts
from .price_arithmetic import price_terms
from .records import Component, Explanation, Source

DOCS_PAGE = "docs/costs.md"

_BASES = {
    "reported": "the last result line of its process says so; a result's cost is cumulative",
    "computed": "no result gives a cost: final token counts times the price of the day",
    "lower_bound": "no result line: what its messages show, at the price of the day; maybe more was spent",
    "unpriced": "tokens were spent on a model without a known price",
}


_WORK = (
    "turns",
    "tool_calls",
    "tool_errors",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
)


def explain_cost(known: ExplanationContext) -> Explanation:
    """Explain the known cost: recorded cost plus lower bounds."""
    spent = run_spending(known.run)
    value = to_usd_float(spent.minimum)
    apart = () if known.run.get("lower_bound_cost") is None else ("total_cost", "lower_bound_cost")
    return known.explain_sum(
        "cost", "the sum over its agent runs, former attempts included: on record, and at least beyond it",
        [*_spent_parts(known, known.agents), *map(_silent_part, known.silent)],
        unit="USD", docs=DOCS_PAGE, value=value, prices=known.prices,
        inputs={key: known.run.get(key) for key in ("cost_basis", *apart)},
        at_least=value is not None and spent.partial,
        unknown_parts=_unknown(known.agents) + len(known.silent),
        why_unknown=None if value is not None else why_no_cost(known.agents),
    )  # fmt: skip


def explain_total_cost(known: ExplanationContext) -> Explanation:
    """Explain the recorded cost; if there is none, the lower bound that replaces it."""
    bounds_alone = _bounds_alone(known)
    parts = [
        agent_part(known, agent, _bound(agent) if bounds_alone else _recorded(agent))
        for agent in known.agents
    ]
    rule = (
        "no agent run has a cost on record: the sum of what was spent at least"
        if bounds_alone
        else "the sum of the reported and computed costs of its agent runs, former attempts included"
    )
    certain = is_whole(known.run.get("cost_basis"), known.agents)
    return known.explain_sum(
        "total_cost", rule, [*parts, *map(_silent_part, known.silent)],
        unit="USD", docs=DOCS_PAGE, prices=known.prices, notes=_notes(known),
        inputs={key: known.run.get(key) for key in ("cost_basis", "lower_bound_cost")},
        at_least=not certain and known.run.get("total_cost") is not None,
        unknown_parts=_unknown(known.agents) + len(known.silent),
        why_unknown=_why_unknown(known, "total_cost", why_no_cost(known.agents)),
    )  # fmt: skip


def explain_lower_bound(known: ExplanationContext) -> Explanation:
    """Explain the known spending beyond the recorded cost."""
    alone = _bounds_alone(known)
    parts = [agent_part(known, agent, None if alone else _bound(agent)) for agent in known.agents]
    why = (
        "what was spent at least is the total itself: nothing is on record"
        if alone
        else why_no_cost(known.agents)
        if known.run.get("cost_basis") == "unpriced"
        else "no stream shows spending beyond its record"
    )
    return known.explain_sum(
        "lower_bound_cost",
        "what was spent at least in streams without a result, or after their last one; never in the total",
        [part for part in parts if part.adds],
        unit="USD",
        docs=DOCS_PAGE,
        why_unknown=_why_unknown(known, "lower_bound_cost", why),
    )


def explain_computed_cost(known: ExplanationContext) -> Explanation:
    """Explain the computed cost of the streams in the total."""
    recorded = [agent for agent in known.agents if agent.get("cost_basis") in RECORDED_BASES]
    parts = [agent_part(known, agent, agent.get("computed_cost")) for agent in recorded]
    return known.explain_sum(
        "computed_cost", "tokens times the price of the day, over what is on record", parts,
        unit="USD", docs=DOCS_PAGE, prices=known.prices,
        inputs={"total_cost": known.run.get("total_cost"),
                "cost_difference_percent": known.run.get("cost_difference_percent")},
        why_unknown=_why_unknown(known, "computed_cost", _why_no_own_sum(known, recorded)),
    )  # fmt: skip


def _why_no_own_sum(known: ExplanationContext, recorded: Sequence[Agent]) -> str:
    if recorded:
        return "of some of what is on record, the price or the tokens are not known"
    beyond = any(_bound(agent) is not None for agent in known.agents)
    return f"nothing is on record{': what was spent at least is told by cost' if beyond else ''}"


def explain_retry_cost(known: ExplanationContext) -> Explanation:
    """Explain the cost of retries."""
    again = [agent for agent in known.agents if coerce_number(agent.get("retries"))]
    parts = [agent_part(known, agent, agent.get("retry_cost")) for agent in again]
    return known.explain_sum(
        "retry_cost",
        "what overwritten attempts, later iterations and processes started anew spent; a part of the total",
        parts,
        unit="USD",
        docs=DOCS_PAGE,
        inputs={"retry_count": known.run.get("retry_count")},
        why_unknown=_why_unknown(known, "retry_cost", "the cost of no retry is known"),
    )


def explain_retry_count(known: ExplanationContext) -> Explanation:
    """Explain the number of retries."""
    again = [agent for agent in known.agents if coerce_number(agent.get("retries"))]
    parts = [agent_part(known, agent, agent.get("retries")) for agent in again]
    rule = "overwritten attempts, later iterations of one agent, and processes started anew in one file"
    return known.explain_sum("retry_count", rule, parts, unit="count", docs=DOCS_PAGE)


def explain_cost_basis(known: ExplanationContext) -> Explanation:
    """Explain how the total cost was obtained."""
    parts = [
        agent_part(known, agent, agent.get("cost_basis"), adds=False, priced=False) for agent in known.agents
    ]
    return known.explain_value(
        "cost_basis",
        "that of its weakest agent run: unpriced, else lower_bound, else computed, else reported; "
        "with an agent that left no stream it is no better than lower_bound",
        docs=DOCS_PAGE,
        parts=(*parts, *map(_silent_part, known.silent)),
        notes=_notes(known),
        why_unknown=_why_unknown(known, "cost_basis", why_no_cost(known.agents)),
    )


def explain_cost_difference(known: ExplanationContext, name: str = "cost_difference_percent") -> Explanation:
    """Explain the difference between computed and reported cost."""
    both = [
        agent for agent in known.agents if coerce_number(agent.get("cost_difference_percent")) is not None
    ]
    parts = [agent_part(known, agent, agent["cost_difference_percent"], adds=False) for agent in both]
    return known.explain_value(
        name,
        "our own sum less the reported cost, in percent of it, over the agent runs that have both; "
        "disputed where one of them is more than 1% off",
        unit="percent" if name == "cost_difference_percent" else None,
        docs=DOCS_PAGE,
        parts=tuple(parts),
        prices=known.prices,
        why_unknown=_why_unknown(known, name, "no agent run has both a reported cost and an own sum"),
    )


def explain_cost_disputed(known: ExplanationContext) -> Explanation:
    """Explain whether a computed cost differs much from the reported one."""
    return explain_cost_difference(known, "cost_disputed")


def explain_price_version(known: ExplanationContext) -> Explanation:
    """Explain which price table the computed costs use."""
    return known.explain_value(
        "price_version",
        "the version of genai-prices that was installed when the run was last read",
        docs=DOCS_PAGE,
        prices=known.prices,
        why_unknown=_why_unknown(known, "price_version", "the run has no stream to price"),
    )


def explain_unpriced_tokens(known: ExplanationContext) -> Explanation:
    """Explain which tokens have no known price."""
    some = [agent for agent in known.agents if coerce_number(agent.get("unpriced_tokens"))]
    parts = [agent_part(known, agent, agent["unpriced_tokens"]) for agent in some]
    rule = "tokens of models that the price table does not know, and whose cost no result gives"
    return known.explain_sum("unpriced_tokens", rule, parts, unit="tokens", docs=DOCS_PAGE)


def explain_agents(
    known: ExplanationContext, name: str, agents: Sequence[Agent], silent: Sequence[Agent]
) -> Explanation:
    """Explain the cost of a phase or an agent: recorded cost and lower bounds of its agent runs.

    `silent` are its agents without a stream.
    """
    parts = _spent_parts(known, agents)
    total = _sum(parts)
    return known.explain_sum(
        name, "the sum over its agent runs: what is on record, and what was spent at least beyond it",
        [*parts, *map(_silent_part, silent)],
        unit="USD", docs=DOCS_PAGE, value=total, prices=known.prices,
        inputs=_work(agents, silent),
        at_least=total is not None and sum_costs([*agents, *silent])["partial"],
        unknown_parts=_unknown(agents) + len(silent),
        why_unknown=None if total is not None else why_no_cost(agents),
    )  # fmt: skip


def _spent_parts(known: ExplanationContext, agents: Sequence[Agent]) -> list[Component]:
    """Return the spending of each agent run: recorded cost and lower bound."""
    parts: list[Component] = []
    for agent in agents:
        recorded, bound = _recorded(agent), _bound(agent)
        parts.append(agent_part(known, agent, recorded if recorded is not None or bound is None else bound))
        if recorded is not None and bound is not None:
            parts.append(_beyond(known, agent, bound))
    return parts


def _silent_part(agent: Agent) -> Component:
    """Return an agent without a stream as a component of unknown cost."""
    rule = "it left no stream: unknown what it spent"
    return Component(
        name=str(agent["agent"]), value=None, adds=False, rule=rule, inputs={"phase": agent["phase"]}
    )


def _unknown(agents: Sequence[Agent]) -> int:
    """Count the agent runs with entirely unknown spending; copies and empty streams spent nothing."""
    return sum(spent.minimum is None and spent.partial for spent in map(agent_spending, agents))


def agent_part(
    known: ExplanationContext, agent: Agent, value: Any, *, adds: bool = True, priced: bool = True
) -> Component:
    """Return one agent run as a component; without a value it adds nothing, and its rule is the reason."""
    return Component(
        name=str(agent.get("agent") or "unnamed"),
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
        sources=sources_of(known, agent),
        arithmetic=price_terms(known, agent) if priced else (),
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
    if basis == "reported" and restarts:
        rule = f"{restarts + 1} processes wrote into one file: the last result of each, added up"
    elif basis is None:
        empty = agent.get("outcome") == "empty"
        rule = "an empty stream: nothing shows that it spent anything" if empty else "its stream does not say"
    elif basis == "unpriced" and agent.get("lower_bound_cost") is not None:
        rule = "the priced part, spent at least: other tokens were spent on a model without a known price"
    elif basis == "lower_bound" and agent.get("line"):
        rule = "its results cannot be all that was spent, see the run's problems: what is known at least"
    else:
        rule = _BASES.get(basis, str(basis))
    for other in agent.get("inherited") or ():
        rule += f"; {other['messages']} of its messages are counted in {other['stream']}"
    if agent.get("superseded"):
        rule += "; overwritten since, and what it spent stays in the sum"
    return rule


def sources_of(known: ExplanationContext, agent: Agent) -> tuple[Source, ...]:
    """Return the stream that contains an agent run's cost."""
    if not agent.get("path"):
        return ()
    says = "its last result line" if agent.get("line") else "its messages"
    overwritten = bool(agent.get("superseded"))
    return (known.source(agent["path"], agent.get("line"), says, overwritten=overwritten),)


def _recorded(agent: Agent) -> Any:
    return agent.get("cost") if agent.get("cost_basis") in RECORDED_BASES else None


def _bound(agent: Agent) -> Any:
    """Return the known spending of an agent run beyond its recorded cost."""
    beyond = agent.get("lower_bound_cost")
    if agent.get("cost_basis") != "lower_bound" or agent.get("cost") is None:
        return beyond
    return _sum([_amount(agent["cost"]), _amount(beyond)])


def _amount(value: Any) -> Component:
    return Component("", value, value is not None, "")


def _sum(parts: Sequence[Component]) -> float | None:
    total = sum_parts(parts)
    return None if total is None else float(total)


def _beyond(known: ExplanationContext, agent: Agent, bound: Any) -> Component:
    name = str(agent.get("agent") or "unnamed")
    rule = "messages that its results leave out: spent at least"
    sources = (known.source(agent["path"], None, "its messages"),) if agent.get("path") else ()
    return Component(name, bound, True, rule, "lower_bound", sources=sources)


def _bounds_alone(known: ExplanationContext) -> bool:
    """Return whether the total is a lower bound because there is no recorded cost."""
    recorded = any(_recorded(agent) is not None for agent in known.agents)
    return known.run.get("cost_basis") == "lower_bound" and not recorded


def _why_unknown(known: ExplanationContext, name: str, why: str) -> str | None:
    return why if known.run.get(name) is None else None


def _notes(known: ExplanationContext) -> tuple[str, ...]:
    beyond = known.run.get("lower_bound_cost") is not None
    return ("more was spent: see lower_bound_cost",) if beyond else ()


def _work(agents: Sequence[Agent], silent: Sequence[Agent]) -> dict[str, Any]:
    seconds = worked_seconds([*agents, *silent])
    found: dict[str, Any] = {"agent_runs": len(agents), "duration_seconds": seconds}
    for key in _WORK:
        values = [value for agent in agents if (value := coerce_number(agent.get(key))) is not None]
        found[key] = fsum(values) if values else None
    return found
