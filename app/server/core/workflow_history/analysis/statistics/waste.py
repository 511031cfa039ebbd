"""Compute wasted cost: aggregate runs and agent runs, and build a Waste record from the aggregate.

A dollar may be wasted in several ways, but it is counted only once, in the first category that applies:
its run failed; it was spent on a retry; its agent had a false success; its agent ended with an error; its
agent run was interrupted, in a run that is neither completed nor running. Work that a user stopped is not
counted: it may have been sufficient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from ...common.column_data import CategoricalColumn, ColumnTable, Flags, Integers, is_known
from .aggregates import Aggregate
from .cost_by_part import are_unknown, recorded_and_bound
from .grouped_sums import as_summable, grouped_sums, mask_negative, to_int64_or_object, to_usd
from .grouping import Group, group_by_category
from .measurements import PARTIAL_BASES, isin, row_of
from .records import Waste, WasteKind, WasteLocation

AGENT_COLUMNS: Final = (
    "workflow_key",
    "phase",
    "outcome",
    "cost_basis",
    "cost",
    "lower_bound_cost",
    "retry_cost",
    "is_retry",
    "is_copy",
)
"""Columns needed of agent runs, besides the columns of runs that statistics need."""

SILENT_COLUMNS: Final = ("workflow_key", "phase")
"""Columns needed of agents without a stream."""

FAILED, RETRIES, FALSE, ERRORS, TRUNCATED = KINDS = (
    "failed_runs", "retries", "false_successes", "errors", "cut_off",
)  # fmt: skip
"""All waste categories, in the order in which a dollar is counted."""

ALL_RUNS: Final[Group] = ("runs", None)
SUSPICIOUS: Final[Group] = ("doubtful", None)
_KIND, _TEMPLATE, _PHASE = "kind", "template", "phase"

_Row = tuple[int, int, int, int, int]
"""Number of runs; wasted nanodollars; nanodollars counted in an earlier category, or spent in total in that
workflow or phase; number of runs or agent runs that wasted more than is known and than earlier categories
count; number of runs or agent runs that spent more than is known."""

_OUTCOMES: Final = {FALSE: "false_success", ERRORS: "error", TRUNCATED: "incomplete"}


class _Agents:
    """The agent runs of the selected runs, each with its cost in nanodollars."""

    def __init__(self, agents: ColumnTable, runs: ColumnTable) -> None:
        run, there = row_of(agents.integers["workflow_key"], runs.integers["key"])
        self.run = run[there]
        self.columns = agents.take(there)
        recorded, beyond, more = recorded_and_bound(self.columns)
        self.spent = _at_least(recorded, beyond)
        self.spent_more: Flags = more | are_unknown(self.columns)
        status = runs.categorical["status"].take(self.run)
        self.failed = status.equals("failed")
        self.may_be_well = status.equals("running") | status.equals("completed")

    def has(self, kind: str) -> Flags:
        """Return which agent runs have waste of a category, whether or not its cost is known."""
        if kind == RETRIES:
            again: Flags = (self.columns.integers["is_retry"] == 1) | (
                self.columns.integers["retry_cost"] > 0
            )
            return again
        ended_so: Flags = self.columns.categorical["outcome"].equals(_OUTCOMES[kind]) & (
            self.columns.integers["is_copy"] != 1
        )
        # A running run may still succeed; in a completed run the transcript was cut off, not the work.
        return ended_so & ~self.may_be_well if kind == TRUNCATED else ended_so

    def matching_cost(self) -> dict[str, Integers]:
        """Return the waste of each agent run by category, without deduplication; at most its own cost."""
        retried = mask_negative(self.columns.integers["retry_cost"])
        again = np.minimum(np.where(is_known(retried), retried, 0), self.spent)
        found = {FAILED: np.where(self.failed, self.spent, 0), RETRIES: again}
        return found | {kind: np.where(self.has(kind), self.spent, 0) for kind in _OUTCOMES}

    def lost_more(self, kind: str) -> Flags:
        """Return which agent runs wasted more of a category than is known; failed runs have FAILED only."""
        if kind == FAILED:
            return self.spent_more & self.failed
        unknown = self.spent_more
        if kind == RETRIES:
            unknown = unknown | ~is_known(self.columns.integers["retry_cost"])
        found: Flags = self.has(kind) & unknown & ~self.failed & (self.columns.integers["is_copy"] != 1)
        return found

    def doubtful(self) -> Integers:
        """Return the positions of the runs with a false success."""
        copied = self.columns.integers["is_copy"] == 1
        found: Integers = np.unique(
            self.run[self.columns.categorical["outcome"].equals("false_success") & ~copied]
        )
        return found


def aggregate_waste(runs: ColumnTable, agents: ColumnTable, silent: ColumnTable) -> Aggregate:
    """Aggregate waste, one row per category, workflow and phase; `silent`: agents without a stream."""
    runs = runs.take(runs.integers["is_copy"] != 1)
    each = _Agents(agents, runs)
    # A run cost at least as much as its agent runs, even if its own total is lower.
    own = np.maximum(
        _at_least(runs.integers["total_cost"], runs.integers["lower_bound_cost"]),
        _by_run(each.spent, each.run, len(runs)),
    )
    spent_more = _spent_more(runs)
    agent_lost_more: Flags = np.logical_or.reduce([each.lost_more(kind) for kind in KINDS])
    run_lost_more = runs.categorical["status"].equals("failed") & spent_more
    run_lost_more[each.run[agent_lost_more]] = True
    touched = each.matching_cost()
    counted = _once(touched, each)
    # The whole cost of a failed run is wasted, including costs that no agent run shows.
    has_failed = runs.categorical["status"].equals("failed")
    failed = np.where(has_failed, own, 0)
    in_agents = sum(counted.values(), np.zeros(len(each.run), np.int64))
    by_run = failed + _by_run(np.where(each.failed, 0, in_agents), each.run, len(runs))
    doubtful = each.doubtful()
    doubtful = doubtful[runs.categorical["status"].equals("completed")[doubtful]]
    rows: dict[Group, _Row] = {
        ALL_RUNS: (len(runs), _total(by_run), _total(own), _count(run_lost_more), _count(spent_more)),
        (_KIND, FAILED): (_count(has_failed), _total(failed), 0, _count(has_failed & spent_more), 0),
        **{
            (_KIND, kind): (
                len(np.unique(each.run[each.has(kind)])),
                _total(counted[kind]),
                _total(touched[kind] - counted[kind]),
                _count(each.lost_more(kind)),
                0,
            )
            for kind in KINDS[1:]
        },
        SUSPICIOUS: (len(doubtful), _total(own[doubtful]), 0, 0, _count(spent_more[doubtful])),
        **_places(
            _TEMPLATE, runs.categorical["workflow_template"], (by_run, own), (run_lost_more, spent_more)
        ),
        **_with_silent(
            _places(
                _PHASE,
                each.columns.categorical["phase"],
                (in_agents, each.spent),
                (agent_lost_more, each.spent_more),
            ),
            silent,
            runs,
        ),
    }
    return Aggregate(tuple(rows), to_int64_or_object(list(zip(*rows.values(), strict=True))))


def build_waste(losses: Aggregate, *, partial: bool = False) -> Waste:
    """Build the Waste record of an aggregate; `partial`: more was spent than is known."""
    rows = dict(zip(losses.groups, losses.sums.T.tolist(), strict=True))
    runs, wasted, whole, *_ = rows[ALL_RUNS]
    doubtful_runs, doubtful_cost, _, _, doubtful_more = rows[SUSPICIOUS]
    kinds = ((kind, *rows[_KIND, kind][:-1]) for kind in KINDS)
    templates, phases = (
        {name: row[1:] for (what, name), row in rows.items() if what == place}
        for place in (_TEMPLATE, _PHASE)
    )
    # Costs of runs that no agent run shows belong to no known phase.
    lost, there = (sum(row[place] for row in phases.values()) for place in (0, 1))
    here, spent_here, *more = phases.get(None, (0, 0, 0, 0))
    phases[None] = [here + max(0, wasted - lost), spent_here + max(0, whole - there), *more]
    return Waste(
        runs=runs,
        wasted=to_usd(wasted),
        spent=to_usd(whole),
        partial=partial,
        share=_share(wasted, whole),
        kinds=tuple(_kind(*row) for row in kinds),
        doubtful_runs=doubtful_runs,
        doubtful_cost=to_usd(doubtful_cost),
        doubtful_partial=bool(doubtful_more),
        by_template=_ordered(templates),
        by_phase=_ordered(phases),
    )


def _once(touched: dict[str, Integers], each: _Agents) -> dict[str, Integers]:
    """Return the waste by category, without dollars that an earlier category counts."""
    left, counted = each.spent, {}
    for kind in KINDS:
        counted[kind] = np.minimum(touched[kind], left)
        left = left - counted[kind]
    return counted


def _kind(kind: str, runs: int, cost: int, above: int, more: int) -> WasteKind:
    unknown = more and not cost and not above
    return WasteKind(kind, runs, None if unknown else to_usd(cost), to_usd(above), bool(more))


def _spent_more(runs: ColumnTable) -> Flags:
    """Return which runs, none of them a copy, have an incomplete or unknown cost."""
    known = is_known(runs.integers["total_cost"])
    found: Flags = (
        isin(runs.categorical["cost_basis"], PARTIAL_BASES)
        | is_known(runs.integers["lower_bound_cost"])
        | ~known
    )
    return found


def _count(flags: Flags) -> int:
    return int(np.count_nonzero(flags))


def _at_least(recorded: Integers, beyond: Integers) -> Integers:
    """Return recorded cost plus lower bound, in a type that can be added up; 0 if unknown."""
    one, other = (as_summable(np.where(values < 0, 0, values)) for values in (recorded, beyond))
    total: Integers = one + other
    return total


def _by_run(values: Integers, run: Integers, runs: int) -> Integers:
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    found = np.zeros(runs, values.dtype)
    found[run[starts]] = np.add.reduceat(values, starts)
    return found


def _places(
    what: str, names: CategoricalColumn, amounts: tuple[Integers, Integers], more: tuple[Flags, Flags]
) -> dict[Group, _Row]:
    """Return one row per name; `amounts` and `more` are pairs of wasted and spent."""
    groups = group_by_category(names)
    size = len(groups.names)
    lost, whole = (grouped_sums(values, groups.codes, size) for values in amounts)
    open_ = [np.bincount(groups.codes[flags], minlength=size).tolist() for flags in more]
    return {
        (what, name): (0, int(vain.total), int(total.total), lost_more, spent_more)
        for name, vain, total, lost_more, spent_more in zip(groups.names, lost, whole, *open_, strict=True)
    }


def _with_silent(phases: dict[Group, _Row], silent: ColumnTable, runs: ColumnTable) -> dict[Group, _Row]:
    """Add agents without a stream to the rows of phases: unknown cost, wasted in failed runs."""
    run, there = row_of(silent.integers["workflow_key"], runs.integers["key"])
    failed = runs.categorical["status"].take(run[there]).equals("failed")
    nothing = np.zeros(len(failed), np.int64)
    names = silent.categorical["phase"].take(there)
    more = _places(_PHASE, names, (nothing, nothing), (failed, np.ones(len(failed), np.bool_)))
    none: _Row = (0, 0, 0, 0, 0)
    every = phases | {group: none for group in more if group not in phases}
    return {
        group: (*row[:3], row[3] + more.get(group, none)[3], row[4] + more.get(group, none)[4])
        for group, row in every.items()
    }


def _ordered(places: Mapping[str | None, Sequence[int]]) -> tuple[WasteLocation, ...]:
    found = [
        WasteLocation(name, to_usd(lost), to_usd(there), _share(lost, there), bool(lost_more), bool(more))
        for name, (lost, there, lost_more, more) in places.items()
        if there
    ]
    return tuple(sorted(found, key=lambda place: (-place.wasted, place.name is None, place.name or "")))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _total(values: Integers) -> int:
    return int(grouped_sums(values, np.zeros(len(values), np.int8), 1)[0].total)
