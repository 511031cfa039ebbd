"""Stacked bars of agent runs' tokens by kind, in percent of the largest bar. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...common.spending import number

Agent = Mapping[str, Any]

KINDS: Final = (
    ("cache_read_tokens", "cache read"),
    ("cache_creation_tokens", "cache write"),
    ("input_tokens", "input"),
    ("output_tokens", "output"),
)
"""Kinds of tokens: key and display name, in the order of a bar's segments."""


@dataclass(frozen=True, slots=True)
class TokenSegment:
    """One kind of tokens in a bar; `x` and `width` are in percent of the full width."""

    kind: str
    count: float  # tokens
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class TokenBar:
    """Tokens of one agent run."""

    agent: Agent
    segments: tuple[TokenSegment, ...]
    total: float | None  # tokens; None: no kind is known
    cache_hit_rate: float | None  # cache hit rate, 0 to 1; None: unknown


def token_bars(agents: Sequence[Agent]) -> list[TokenBar]:
    """Build a bar for each agent run, all on one scale."""
    totals = [_total_tokens(agent) for agent in agents]
    largest = max((total for total in totals if total is not None), default=0.0)
    return [
        TokenBar(agent, _segments(agent, largest), total, cache_hit_rate(agent))
        for agent, total in zip(agents, totals, strict=True)
    ]


def cache_hit_rate(counts: Mapping[str, Any]) -> float | None:
    """Compute the cache hit rate, 0 to 1; None if a kind of input tokens is unknown or all are 0.

    >>> cache_hit_rate({"input_tokens": 10, "cache_read_tokens": 80, "cache_creation_tokens": 10})
    0.8
    """
    read, *others = (number(counts.get(key)) for key, _ in KINDS[:3])
    if read is None or any(other is None for other in others):
        return None
    total = read + sum(other for other in others if other is not None)
    return read / total if total else None


def _total_tokens(agent: Agent) -> float | None:
    known = [count for key, _ in KINDS if (count := number(agent.get(key))) is not None]
    return sum(known) if known else None


def _segments(agent: Agent, largest: float) -> tuple[TokenSegment, ...]:
    segments: list[TokenSegment] = []
    x = 0.0
    for key, _ in KINDS:
        count = number(agent.get(key))
        if count and count > 0 and largest:
            width = 100 * count / largest
            segments.append(TokenSegment(key, count, round(x, 3), round(width, 3)))
            x += width
    return tuple(segments)
