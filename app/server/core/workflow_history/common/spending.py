"""Read the costs of runs and agent runs from their dicts, sum them and format amounts in US dollars. Pure."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, overload

from .models import RECORDED_BASES, CostBasis
from .outcomes import Outcome

UNKNOWN = "\N{EN DASH}"
"""Displayed in place of an unknown value; never 0."""

ANOTHER_RUN = ": "
"""Separator between run and stream path in `duplicate_of`; a path alone refers to the same run."""

_CENT, _SMALL = Decimal("0.01"), Decimal("0.0001")
NANODOLLARS: Final = 1_000_000_000  # in one US dollar
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


def to_nanodollars(value: Any) -> int | None:
    """Convert US dollars to whole nanodollars; None if the value is no number.

    >>> to_nanodollars(0.036000000000000004), to_nanodollars("0.1")
    (36000000, None)
    """
    amount = to_decimal(value)
    return None if amount is None else round(amount * NANODOLLARS)


@overload
def to_usd(nanodollars: float) -> float: ...
@overload
def to_usd(nanodollars: float | None) -> float | None: ...
def to_usd(nanodollars: float | None) -> float | None:
    """Convert nanodollars to the nearest float of US dollars; None stays None.

    >>> to_usd(1_500_000_000), to_usd(None)
    (1.5, None)
    """
    return None if nanodollars is None else nanodollars / NANODOLLARS


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one or several runs, agent runs or models, in whole nanodollars; no dollar is in both amounts.

    >>> Cost(5, None, complete=True) + Cost(1, 2, complete=False)
    Cost(recorded=6, extra=2, complete=False, unknown_runs=0)
    """

    recorded: int | None  # reported and computed cost; None: unknown
    extra: int | None  # lower bound of the cost beyond the recorded cost; None: none is known
    complete: bool  # False: more may have been spent than both amounts together
    unknown_runs: int = 0  # number of runs without any known cost, copies excluded

    @classmethod
    def from_usd(cls, recorded: Any, extra: Any, *, complete: bool, unknown_runs: int = 0) -> Cost:
        """Return the cost of amounts in US dollars."""
        return cls(to_nanodollars(recorded), to_nanodollars(extra), complete, unknown_runs)

    @property
    def minimum(self) -> int | None:
        """Recorded cost plus the lower bound beyond it, or None if both are unknown."""
        return _add(self.recorded, self.extra)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            _add(self.recorded, other.recorded),
            _add(self.extra, other.extra),
            self.complete and other.complete,
            self.unknown_runs + other.unknown_runs,
        )


NO_COST: Final = Cost(None, None, complete=True)
"""Sum of no costs."""


def _add(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other


def run_cost(run: Mapping[str, Any]) -> Cost:
    """Return the cost of a run; a total that is only a lower bound is not a recorded cost.

    >>> run_cost({"total_cost": 0.07, "cost_basis": "lower_bound"})
    Cost(recorded=None, extra=70000000, complete=False, unknown_runs=0)
    """
    total, extra = run.get("total_cost"), run.get("lower_bound_cost")
    amounts = (total, extra) if has_recorded_cost(run) else (None, total)
    return Cost.from_usd(*amounts, complete=is_whole(run.get("cost_basis"), run.get("phase_costs") or ()))


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
    return "its cost is counted in other runs" if is_copy(agents) else "no transcript contains its cost"


def _unpriced_parts(parts: Any) -> list[Mapping[str, Any]]:
    return [part for part in parts or () if part.get("unpriced_tokens")]


def agent_cost(agent: Mapping[str, Any]) -> Cost:
    """Return the cost of one agent run, or of one of its models; copies and empty streams have none.

    >>> agent_cost({"cost": 0.5, "cost_basis": "reported", "lower_bound_cost": 0.25}).minimum
    750000000
    """
    cost, extra = to_nanodollars(agent.get("cost")), to_nanodollars(agent.get("lower_bound_cost"))
    is_priced = not agent.get("unpriced_tokens")
    if agent.get("cost_basis") in RECORDED_BASES:
        return Cost(cost, extra, complete=is_priced and extra is None)
    extra = _add(cost, extra)
    has_none = bool(agent.get("duplicate_of")) or agent.get("outcome") == Outcome.EMPTY
    return Cost(None, extra, complete=is_priced and extra is None and has_none)


def has_recorded_cost(workflow: Mapping[str, Any]) -> bool:
    """Return whether a run's total contains a recorded cost, and is not only a lower bound."""
    if workflow.get("cost_basis") != CostBasis.LOWER_BOUND or workflow.get("lower_bound_cost") is not None:
        return True
    agents = workflow.get("phase_costs")
    if agents:
        return any(agent.get("cost_basis") in RECORDED_BASES for agent in agents)
    return bool(workflow.get("agents_without_stream"))
