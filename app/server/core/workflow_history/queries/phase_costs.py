"""Sort runs by the cost of some phases or agents: a filter in, run keys and costs out, unknown costs last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from ..common.column_data import MISSING_INT, TableName, is_known
from ..common.filters import RunFilter
from ..storage.history import History

COLUMN_TABLES: Final[dict[str, TableName]] = {"phase": "run_phases", "agent": "run_agents"}
_COLUMNS: Final = ("workflow_key", "name", "cost", "lower_bound_cost", "costs_more")


class PartCost(NamedTuple):
    """Cost of the selected phases or agents in one run."""

    key: int  # database key of the run
    nanodollars: int | None  # recorded cost plus lower bound; None: unknown
    partial: bool  # whether more may have been spent


def sort_by_part_cost(
    history: History, where: RunFilter, part: str, names: Sequence[str], *, descending: bool
) -> list[PartCost]:
    """Return all runs of a filter sorted by the cost of these phases or agents; equal ones newest first."""
    keys = np.sort(np.asarray(history.matching_keys(where), np.int64))
    shares = history.columns(COLUMN_TABLES[part], _COLUMNS)
    is_selected = np.isin(
        shares.categorical["name"].codes, [shares.categorical["name"].code_of(name) for name in names]
    )
    selected = shares.take(is_selected & np.isin(shares.integers["workflow_key"], keys))
    positions = np.searchsorted(keys, selected.integers["workflow_key"])
    totals, has_cost = np.zeros(len(keys), np.int64), np.zeros(len(keys), np.bool_)
    for amounts in (selected.integers["cost"], selected.integers["lower_bound_cost"]):
        np.add.at(totals, positions, np.where(is_known(amounts), amounts, 0))
        has_cost[positions[is_known(amounts)]] = True
    partial = np.zeros(len(keys), np.bool_)
    partial[positions[selected.integers["costs_more"] == 1]] = True
    costs = np.where(has_cost, totals, MISSING_INT)
    order = np.lexsort((-keys, -totals if descending else totals, ~has_cost))
    return [
        PartCost(key, None if cost == MISSING_INT else cost, more)
        for key, cost, more in zip(
            keys[order].tolist(), costs[order].tolist(), partial[order].tolist(), strict=True
        )
    ]
