"""Sum the costs of any agent runs or model entries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from .money import TOKEN_FIELDS, sum_known, to_decimal, to_usd_float
from .run_cost import RECORDED_BASES, TOTAL_TOKEN_FIELDS

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
    every = list(entries)
    tokens = {key: _count(every, key) for key in TOKEN_FIELDS}
    known = [count for key in TOTAL_TOKEN_FIELDS if (count := tokens[key]) is not None]
    return {
        "recorded_cost": to_usd_float(sum_known(_cost(entry) for entry in every if _is_recorded(entry))),
        "lower_bound_cost": to_usd_float(sum_known(_bounds(every))),
        "partial": any(map(_is_partial, every)),
        **tokens,
        "total_tokens": sum(known) if known else None,
        "unpriced_tokens": sum(entry.get("unpriced_tokens") or 0 for entry in every),
    }


def minimum_cost(sums: Entry) -> Decimal:
    """Return recorded cost plus lower bound in US dollars; 0 if both are unknown."""
    known = sum_known(to_decimal(sums.get(key)) for key in ("recorded_cost", "lower_bound_cost"))
    return known or Decimal(0)


def _is_recorded(entry: Entry) -> bool:
    return entry.get("cost_basis") in RECORDED_BASES


def _cost(entry: Entry) -> Decimal | None:
    return to_decimal(entry.get("cost"))


def _bounds(entries: Iterable[Entry]) -> Iterator[Decimal | None]:
    for entry in entries:
        yield to_decimal(entry.get("lower_bound_cost"))
        if not _is_recorded(entry):
            yield _cost(entry)


def _is_partial(entry: Entry) -> bool:
    """Return whether more may have been spent than an entry shows; an empty stream spent nothing."""
    if entry.get("lower_bound_cost") is not None or entry.get("unpriced_tokens"):
        return True
    counted = entry.get("outcome") != "empty" and not entry.get("duplicate_of")
    return counted and not _is_recorded(entry)


def _count(entries: Sequence[Entry], key: str) -> int | None:
    known = [entry[key] for entry in entries if entry.get(key) is not None]
    return sum(known) if known else None
