"""Explain token counts: by agent run, and the total by kind of token. Pure."""

from __future__ import annotations

from ...common.coercion import coerce_number
from ...costs.accounting.money import TOKEN_FIELDS
from ...costs.accounting.run_cost import TOTAL_TOKEN_FIELDS
from .context import ExplanationContext
from .costs import sources_of
from .records import Component, Explanation

DOCS = "docs/costs.md"

_RULES = {
    "input_tokens": "tokens read uncached",
    "output_tokens": "tokens that the models wrote",
    "cache_read_tokens": "tokens read from the cache",
    "cache_creation_tokens": "tokens written to a cache, of 5 minutes or of an hour",
    "cache_creation_5m_tokens": "tokens written to the 5-minute cache",
    "cache_creation_1h_tokens": "tokens written to the 1-hour cache",
    "web_searches": "web searches that the models made",
}


def explain_token_count(known: ExplanationContext, name: str) -> Explanation:
    """Explain one token count: the sum over the agent runs that report it."""
    parts = [
        Component(
            name=str(agent.get("agent") or "unnamed"),
            value=agent.get(name),
            adds=agent.get(name) is not None,
            rule="its result's modelUsage, sub-agents included"
            if agent.get("line")
            else "its messages, each once",
            sources=sources_of(known, agent),
        )
        for agent in known.agents
    ]
    unit = "count" if name == "web_searches" else "tokens"
    why = "no stream tells it" if known.run.get(name) is None else None
    return known.explain_sum(
        name, f"{_RULES[name]}, the sum over its agent runs", parts, unit=unit, docs=DOCS, why_unknown=why
    )


def explain_total_tokens(known: ExplanationContext) -> Explanation:
    """Explain the total tokens by kind."""
    parts = [
        Component(name, known.run.get(name), coerce_number(known.run.get(name)) is not None, _RULES[name])
        for name in TOTAL_TOKEN_FIELDS
    ]
    rule = "uncached, written, read from the cache and written to it, added up"
    why = "no stream tells its tokens" if known.run.get("total_tokens") is None else None
    return known.explain_sum("total_tokens", rule, parts, unit="tokens", docs=DOCS, why_unknown=why)


TOKEN_KIND_LABELS = TOKEN_FIELDS
"""Names of the counts that `explain_token_count` explains."""
