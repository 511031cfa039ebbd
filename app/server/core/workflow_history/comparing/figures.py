"""Put two runs' figures side by side: workflow dicts in, differences out. Pure; money is exact inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from ..accounting.money import TOKEN_FIELDS, to_decimal, to_float, total
from ..accounting.sums import spent_at_least, sums_of
from ..evidence import agent_runs, is_at_least_so_long, number
from .shapes import Fact, Figure

Run = Mapping[str, Any]

FACTS: Final = (
    "status",
    "workflow_template",
    "issue_class",
    "model_used",
    "cost_basis",
    "current_phase",
    "error_message",
)
"""What both runs are told by in words."""

TOKENS: Final = (*TOKEN_FIELDS[:4], "total_tokens")
SCORES: Final = ("nl_clarity_score", "cost_efficiency_score", "performance_score", "quality_score")


class Spent(NamedTuple):
    """What is known to have been spent."""

    amount: Decimal | None  # USD, on record and beyond it; None: nothing is known
    certain: bool  # False: more may have been spent


def spent_by_run(run: Run) -> Spent:
    """Return what a run spent, at least."""
    amount = total([to_decimal(number(run.get(key))) for key in ("total_cost", "lower_bound_cost")])
    return Spent(amount, run.get("cost_basis") in ("reported", "computed"))


def spent_by_agents(agents: Iterable[Run]) -> Spent:
    """Return what agent runs spent, at least."""
    sums = sums_of(agents)
    known = sums["recorded_cost"] is not None or sums["lower_bound_cost"] is not None
    return Spent(spent_at_least(sums) if known else None, not sums["partial"])


def figures_of(a: Run, b: Run) -> tuple[Figure, ...]:
    """Return all figures of two runs."""
    return (
        money_figure("cost", spent_by_run(a), spent_by_run(b)),
        *(figure(name, "tokens", a.get(name), b.get(name)) for name in TOKENS),
        figure("cache_hit_share", "share", cache_hit_share(a), cache_hit_share(b)),
        figure(
            "duration_seconds",
            "seconds",
            a.get("duration_seconds"),
            b.get("duration_seconds"),
            certain=(not is_at_least_so_long(a), not is_at_least_so_long(b)),
        ),
        *(
            figure(name, "count", counted(agent_runs(a), name), counted(agent_runs(b), name))
            for name in ("turns", "tool_calls", "tool_errors")
        ),
        figure("agent_runs", "count", len(agent_runs(a)), len(agent_runs(b))),
        figure("retry_count", "count", a.get("retry_count"), b.get("retry_count")),
        figure("retry_cost", "USD", a.get("retry_cost"), b.get("retry_cost")),
        *(figure(name, "score", a.get(name), b.get(name)) for name in SCORES),
    )


def facts_of(a: Run, b: Run) -> tuple[Fact, ...]:
    """Return what both runs say in words; what neither says is left out."""
    pairs = [(name, a.get(name), b.get(name)) for name in FACTS]
    return tuple(
        Fact(name, None if one is None else str(one), None if other is None else str(other), one == other)
        for name, one, other in pairs
        if one is not None or other is not None
    )


def figure(
    name: str, unit: str, a: object, b: object, *, certain: tuple[bool, bool] = (True, True)
) -> Figure:
    """Return one figure of both.

    >>> figure("turns", "count", 10, 15).percent, figure("turns", "count", 0, 15).percent
    (50.0, None)
    """
    one, other = number(a), number(b)
    if one is None or other is None:
        return Figure(name, unit, one, other, None, None, all(certain), *certain)
    # By decimals: 0.3 - 0.1 is 0.2 and nothing beside it.
    difference = Decimal(repr(other)) - Decimal(repr(one))
    percent = round(float(difference / Decimal(repr(one)) * 100), 3) if one else None
    return Figure(name, unit, one, other, float(difference), percent, all(certain), *certain)


def money_figure(name: str, a: Spent, b: Spent) -> Figure:
    """Return an amount of both; uncertain where one is only a lower bound."""
    return figure(name, "USD", to_float(a.amount), to_float(b.amount), certain=(a.certain, b.certain))


def cache_hit_share(run: Run) -> float | None:
    """Return the share, 0 to 1, of the prompt's tokens that came from the cache.

    >>> cache_hit_share({"cache_read_tokens": 90, "input_tokens": 4, "cache_creation_tokens": 6})
    0.9
    """
    read, *others = (
        number(run.get(key)) for key in ("cache_read_tokens", "input_tokens", "cache_creation_tokens")
    )
    if read is None or None in others:
        return None
    prompt = read + sum(other for other in others if other is not None)
    return read / prompt if prompt else None


def counted(agents: Iterable[Run], key: str) -> float | None:
    """Return the sum of a count over the agent runs that know it."""
    known = [value for agent in agents if (value := number(agent.get(key))) is not None]
    return sum(known) if known else None
