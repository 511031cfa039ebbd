"""Read costs from stored runs and agent runs, sum them and format them in US dollars. Pure.

The recorded cost and the lower bound beyond it are kept apart: no dollar is in both.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .models import RECORDED_BASES, CostBasis
from .outcomes import Outcome

UNKNOWN = "\N{EN DASH}"
"""Displayed in place of an unknown value; never 0."""

ANOTHER_RUN = ": "
"""Separator between run and stream path in `duplicate_of`; a path alone refers to the same run."""

_CENT, _SMALL = Decimal("0.01"), Decimal("0.0001")
_BEYOND_ALL = 1e15  # every cost, count and time of a run is below this


def number(value: Any) -> float | None:
    """Return a number as a float; None for text, bools, NaN and values that are too large.

    >>> number(2), number(True), number("2"), number(float("nan"))
    (2.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    return float(value) if -_BEYOND_ALL < value < _BEYOND_ALL else None


def to_decimal(value: Any) -> Decimal | None:
    """Convert a stored float to the exact decimal amount that it represents; None if it is not a number.

    >>> to_decimal(0.1) + to_decimal(0.2)
    Decimal('0.3')
    """
    return None if number(value) is None else Decimal(str(value))


def format_usd(value: Any) -> str:
    """Format US dollars in cents, or with up to four decimals below ten cents.

    An amount other than 0 is never shown as 0.
    >>> (format_usd(2.6302015), format_usd(0.02149245), format_usd(0.012 * 3), format_usd(1234.5),
    ...  format_usd(-0.0))
    ('$2.63', '$0.0215', '$0.036', '$1,234.50', '$0.00')
    >>> format_usd(0.0000012), format_usd(None) == UNKNOWN
    ('<$0.0001', True)
    """
    amount = to_decimal(value)
    if amount is None:
        return UNKNOWN
    size = abs(amount)
    fine = size.quantize(_SMALL, ROUND_HALF_UP)
    sign = "-" if amount < 0 else ""
    if size == 0:
        return "$0.00"
    if fine == 0:
        return f"{sign}<$0.0001"
    cents = size.quantize(_CENT, ROUND_HALF_UP)
    if fine >= Decimal("0.1") or fine == cents:
        return f"{sign}${cents:,}"
    return f"{sign}${fine.normalize():f}"


def format_fraction(value: Any, digits: int = 0) -> str:
    """Format a share of 0 to 1 in percent; 0% and 100% are only used for exactly these values.

    >>> (format_fraction(0.871), format_fraction(0.999), format_fraction(0.0001), format_fraction(1.0),
    ...  format_fraction(0))
    ('87%', '>99%', '<1%', '100%', '0%')
    >>> format_fraction(0.5, digits=1), format_fraction(0.99999, digits=1), format_fraction(0.0001, digits=1)
    ('50.0%', '>99.9%', '<0.1%')
    """
    part = number(value)
    if part is None:
        return UNKNOWN
    least = 10**-digits
    shown = round(100 * part, digits)
    if shown <= 0 < part:
        return f"<{least:.{digits}f}%"
    return f">{100 - least:.{digits}f}%" if shown >= 100 > 100 * part else f"{shown:.{digits}f}%"


@dataclass(frozen=True, slots=True)
class Spending:
    """Cost of one or several runs in US dollars: recorded cost and the lower bound beyond it."""

    recorded: Decimal | None  # None: no recorded cost
    lower_bound: Decimal | None  # minimum beyond the recorded cost, from streams without a result
    partial: bool  # whether the actual cost may be higher than both amounts together
    unknown_runs: int = 0  # number of runs without any known cost, copies excluded

    @property
    def minimum(self) -> Decimal | None:
        """Recorded cost plus lower bound, or None if both are unknown; no dollar is in both."""
        amounts = [amount for amount in (self.recorded, self.lower_bound) if amount is not None]
        return sum(amounts, Decimal(0)) if amounts else None


def run_spending(workflow: Mapping[str, Any]) -> Spending:
    """Return the spending of a run; a total that is only a lower bound is not a recorded cost.

    >>> run_spending({"total_cost": 0.07, "cost_basis": "lower_bound"})
    Spending(recorded=None, lower_bound=Decimal('0.07'), partial=True, unknown_runs=0)
    """
    basis = workflow.get("cost_basis")
    total, beyond = to_decimal(workflow.get("total_cost")), to_decimal(workflow.get("lower_bound_cost"))
    partial = not is_whole(basis, workflow.get("phase_costs") or ())
    if not has_recorded_cost(workflow):
        return Spending(None, total, partial)
    return Spending(total, beyond, partial)


def is_copy(agents: Collection[Mapping[str, Any]]) -> bool:
    """Return whether other streams count all cost of these agent runs; an empty stream has no cost.

    >>> is_copy([{"duplicate_of": "shop/1: plan/raw_output.jsonl"}, {"outcome": "empty"}]), is_copy([])
    (True, False)
    """
    copied = [agent for agent in agents if agent.get("duplicate_of")]
    return bool(copied) and all(a.get("duplicate_of") or a.get("outcome") == Outcome.EMPTY for a in agents)


def original_of(agents: Collection[Mapping[str, Any]]) -> str | None:
    """Return the run that counts a copy's cost, as "project/id", or None if the agent runs are not a copy.

    >>> original_of([{"duplicate_of": "shop/1: plan/raw_output.jsonl"}]), original_of([])
    ('shop/1', None)
    """
    return min(originals_of(agents), default=None) if is_copy(agents) else None


def originals_of(agents: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the other runs that count cost of these agent runs, each as "project/id".

    >>> originals_of([{"duplicate_of": "shop/1: plan/raw_output.jsonl"}, {"duplicate_of": "other.jsonl"}])
    {'shop/1'}
    """
    named = (str(agent["duplicate_of"]) for agent in agents if agent.get("duplicate_of"))
    return {one.partition(ANOTHER_RUN)[0] for one in named if ANOTHER_RUN in one}


def is_whole(basis: str | None, agents: Collection[Mapping[str, Any]]) -> bool:
    """Return whether a run's cost is completely known, in its own cost of this basis or in other runs.

    >>> is_whole("reported", []), is_whole(None, [])
    (True, False)
    """
    return basis in RECORDED_BASES or (basis is None and is_copy(agents))


def run_basis(
    basis: str | None,
    agents: Collection[Mapping[str, Any]],
    silent: Iterable[str],
    counted_elsewhere: Container[str] = (),
) -> str | None:
    """Return the cost basis of a run from that of its streams; an agent without a stream has unknown cost.

    `silent` lists the agents without a stream. `counted_elsewhere` only matters for a copy: it contains the
    agents of the run that counts the copy's cost, which accounts for them with or without a stream.

    >>> copy = [{"duplicate_of": "shop/1: plan/raw_output.jsonl"}]
    >>> run_basis(None, copy, ["reviewer"]), run_basis(None, copy, ["reviewer"], {"reviewer"})
    ('lower_bound', None)
    """
    unknown = [agent for agent in silent if basis is not None or agent not in counted_elsewhere]
    return CostBasis.LOWER_BOUND.value if unknown and is_whole(basis, agents) else basis


def why_no_cost(agents: Collection[Mapping[str, Any]]) -> str:
    """Explain why a run with these agent runs has no cost of its own.

    >>> why_no_cost([{"model": "nova-9", "unpriced_tokens": 20}])
    'tokens were used, and no price of nova-9 is known'
    >>> why_no_cost([{"model": "a", "unpriced_tokens": 2, "models": [{"model": "a"}, {"model": "nova-9",
    ... "unpriced_tokens": 2}]}])
    'tokens were used, and no price of nova-9 is known'
    """
    unpriced = [
        part for agent in agents for part in _unpriced_parts(agent.get("models")) or _unpriced_parts([agent])
    ]
    if unpriced:
        names = dict.fromkeys(str(part.get("model") or "a model that is not named") for part in unpriced)
        return f"tokens were used, and no price of {', '.join(names)} is known"
    return "other runs count all that it spent" if is_copy(agents) else "no stream says what was spent"


def _unpriced_parts(parts: Any) -> list[Mapping[str, Any]]:
    return [part for part in parts or () if part.get("unpriced_tokens")]


def agent_spending(agent: Mapping[str, Any]) -> Spending:
    """Return the spending of one agent run; a copy and an empty stream have no cost.

    >>> agent_spending({"cost": 0.5, "cost_basis": "reported", "lower_bound_cost": 0.25}).minimum
    Decimal('0.75')
    """
    cost, beyond = to_decimal(agent.get("cost")), to_decimal(agent.get("lower_bound_cost"))
    if agent.get("cost_basis") in RECORDED_BASES:
        return Spending(cost, beyond, beyond is not None or bool(agent.get("unpriced_tokens")))
    known = [amount for amount in (cost, beyond) if amount is not None]
    nothing = bool(agent.get("duplicate_of")) or agent.get("outcome") == Outcome.EMPTY
    return Spending(None, sum(known, Decimal(0)) if known else None, bool(known) or not nothing)


def total_spending(every: Sequence[Spending]) -> Spending:
    """Sum several spendings."""
    recorded = [each.recorded for each in every if each.recorded is not None]
    beyond = [each.lower_bound for each in every if each.lower_bound is not None]
    return Spending(
        sum(recorded, Decimal(0)) if recorded else None,
        sum(beyond, Decimal(0)) if beyond else None,
        any(each.partial for each in every),
        sum(each.unknown_runs for each in every),
    )


def has_recorded_cost(workflow: Mapping[str, Any]) -> bool:
    """Return whether a run's total contains a recorded cost, and is not only a lower bound."""
    if workflow.get("cost_basis") != CostBasis.LOWER_BOUND or workflow.get("lower_bound_cost") is not None:
        return True
    agents = workflow.get("phase_costs")
    if agents:
        return any(agent.get("cost_basis") in RECORDED_BASES for agent in agents)
    return bool(workflow.get("agents_without_stream"))
