"""Sum the costs of any agent runs or model entries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from ...common.models import RECORDED_BASES
from ...common.outcomes import Outcome
from .money import sum_counts, sum_known, sum_token_fields, to_decimal, to_usd_float
from .run_cost import TOTAL_TOKEN_FIELDS

Entry = Mapping[str, Any]


def sum_costs(entries: Iterable[Entry]) -> dict[str, Any]:
    """Return the sums over agent runs, or over one model's entries; an unknown sum is None.

    Recorded cost and lower bound are separate amounts. `partial` is True if more than both may have been
    spent.
    >>> found = sum_costs([{"cost": 0.1, "cost_basis": "reported"}, {"cost": 0.2,
    ... "cost_basis": "lower_bound"}])
    >>> found["recorded_cost"], found["lower_bound_cost"], found["partial"]
    (0.1, 0.2, True)
    """
    entries = list(entries)
    tokens = sum_token_fields(entries)
    recorded = sum_known(to_decimal(entry.get("cost")) for entry in entries if _is_recorded(entry))
    return {
        "recorded_cost": to_usd_float(recorded),
        "lower_bound_cost": to_usd_float(sum_known(_lower_bounds(entries))),
        "partial": any(map(_is_partial, entries)),
        **tokens,
        "total_tokens": sum_counts([tokens[key] for key in TOTAL_TOKEN_FIELDS]),
        "unpriced_tokens": sum(entry.get("unpriced_tokens") or 0 for entry in entries),
    }


def minimum_cost(sums: Entry) -> Decimal:
    """Return recorded cost plus lower bound in US dollars; 0 if both are unknown."""
    known = sum_known(to_decimal(sums.get(key)) for key in ("recorded_cost", "lower_bound_cost"))
    return known or Decimal(0)


def _is_recorded(entry: Entry) -> bool:
    return entry.get("cost_basis") in RECORDED_BASES


def _lower_bounds(entries: Iterable[Entry]) -> Iterator[Decimal | None]:
    for entry in entries:
        yield to_decimal(entry.get("lower_bound_cost"))
        if not _is_recorded(entry):
            yield to_decimal(entry.get("cost"))


def _is_partial(entry: Entry) -> bool:
    """Return whether more may have been spent than an entry shows; an empty stream spent nothing."""
    if entry.get("lower_bound_cost") is not None or entry.get("unpriced_tokens"):
        return True
    counted = entry.get("outcome") != Outcome.EMPTY and not entry.get("duplicate_of")
    return counted and not _is_recorded(entry)
