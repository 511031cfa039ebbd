"""Explain token counts: by agent run, and the total by kind of token. Pure."""

from __future__ import annotations

from ...common.coercion import coerce_number
from ...costs.accounting.run_cost import TOTAL_TOKEN_FIELDS
from .context import ExplanationContext, agent_name
from .costs import DOCS, sources_of
from .records import Component, Explanation

_RULES = {
    "input_tokens": "input tokens without cache",
    "output_tokens": "output tokens",
    "cache_read_tokens": "cache read tokens",
    "cache_creation_tokens": "cache write tokens, 5 minutes and 1 hour",
    "cache_creation_5m_tokens": "cache write tokens, 5 minutes",
    "cache_creation_1h_tokens": "cache write tokens, 1 hour",
    "web_searches": "web searches of the models",
}


def explain_token_count(context: ExplanationContext, name: str) -> Explanation:
    """Explain one token count: the sum over the agent runs that report it."""
    parts = [
        Component(
            name=agent_name(agent),
            value=agent.get(name),
            adds=agent.get(name) is not None,
            rule="modelUsage of its result message, with subagents"
            if agent.get("line")
            else "its messages, each counted once",
            sources=sources_of(context, agent),
        )
        for agent in context.agents
    ]
    unit = "count" if name == "web_searches" else "tokens"
    reason = "no transcript contains it" if context.run.get(name) is None else None
    return context.explain_sum(
        name, f"{_RULES[name]}, sum over its agent runs", parts, unit=unit, docs=DOCS, why_unknown=reason
    )


def explain_total_tokens(context: ExplanationContext) -> Explanation:
    """Explain the total tokens by kind."""
    parts = [
        Component(name, context.run.get(name), coerce_number(context.run.get(name)) is not None, _RULES[name])
        for name in TOTAL_TOKEN_FIELDS
    ]
    rule = "sum of input, output, cache read and cache write tokens"
    reason = "no transcript contains its tokens" if context.run.get("total_tokens") is None else None
    return context.explain_sum("total_tokens", rule, parts, unit="tokens", docs=DOCS, why_unknown=reason)
