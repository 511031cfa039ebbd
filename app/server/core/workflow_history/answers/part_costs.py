"""Sort runs by what some phases or agents cost in them: a filter in, keys and costs out, unknown last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from ..columns import UNKNOWN, Family, known
from ..filters import RunFilter
from ..store.history import History

FAMILIES: Final[dict[str, Family]] = {"phase": "run_phases", "agent": "run_agents"}
_COLUMNS: Final = ("workflow_key", "name", "cost", "lower_bound_cost")


class PartCost(NamedTuple):
    """A run and what the parts asked about cost in it."""

    key: int
    nanodollars: int | None  # at least: on record and beyond it; None: unknown


def by_part_cost(
    history: History, where: RunFilter, part: str, names: Sequence[str], *, descending: bool
) -> list[PartCost]:
    """Return all runs of a filter in this order; of equal costs the run that was stored last first."""
    keys = np.sort(np.asarray(history.matching(where), np.int64))
    shares = history.columns(FAMILIES[part], _COLUMNS)
    asked = np.isin(shares.words["name"].codes, [shares.words["name"].code(name) for name in names])
    some = shares.take(asked & np.isin(shares.whole["workflow_key"], keys))
    places = np.searchsorted(keys, some.whole["workflow_key"])
    total, there = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    for amounts in (some.whole["cost"], some.whole["lower_bound_cost"]):
        np.add.at(total, places, np.where(known(amounts), amounts, 0))
        there[places[known(amounts)]] = True
    costs = np.where(there, total, UNKNOWN)
    order = np.lexsort((-keys, -total if descending else total, ~there))
    return [
        PartCost(key, None if cost == UNKNOWN else cost)
        for key, cost in zip(keys[order].tolist(), costs[order].tolist(), strict=True)
    ]
