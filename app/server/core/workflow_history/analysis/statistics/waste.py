"""Compute wasted cost: aggregate runs and agent runs, and build a Waste record from the aggregate.

A dollar may be wasted in several ways, but it is counted only once, in the first category that applies:
its run failed; it was spent on a retry; its agent had a false success; its agent ended with an error; its
agent run was interrupted, in a run that is not completed, ended or running. Work that a user stopped is not
counted: it may have been sufficient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from ...common.column_data import CategoricalColumn, ColumnTable, Flags, Integers, is_known
from ...common.models import RunStatus
from ...common.outcomes import Outcome
from ...common.spending import to_usd
from .aggregates import Aggregate
from .cost_by_part import is_cost_unknown, split_cost
from .grouped_sums import as_summable, grouped_sums, mask_negative, to_int64_or_object
from .grouping import Group, group_by_category
from .measurements import PARTIAL_BASES, is_any_of, row_positions
from .records import Waste, WasteKind, WasteLocation

AGENT_COLUMNS: Final = (
    "workflow_key",
    "phase",
    "outcome",
    "cost_basis",
    "cost",
    "lower_bound_cost",
    "retries",
    "restarts",
    "failed_process_cost",
    "is_copy",
)
"""Columns needed of agent runs, besides the columns of runs that statistics need."""

SILENT_COLUMNS: Final = ("workflow_key", "phase")
"""Columns needed of agents without a stream."""

FAILED, RETRIES, FALSE_SUCCESSES, ERRORS, INTERRUPTED = KINDS = (
    "failed_runs", "retries", "false_successes", "errors", "interrupted",
)  # fmt: skip
"""All waste categories, in the order in which a dollar is counted."""

ALL_RUNS: Final[Group] = ("runs", None)
DOUBTFUL: Final[Group] = ("doubtful", None)
_KIND, _TEMPLATE, _PHASE = "kind", "template", "phase"

_Row = tuple[int, int, int, int, int]
"""Number of runs; wasted nanodollars; nanodollars counted in an earlier category, or spent in total in that
workflow or phase; number of runs or agent runs that wasted more than is known and than earlier categories
count; number of runs or agent runs that spent more than is known."""

_OUTCOME_OF_KIND: Final = {
    FALSE_SUCCESSES: Outcome.FALSE_SUCCESS,
    ERRORS: Outcome.ERROR,
    INTERRUPTED: Outcome.INCOMPLETE,
}


_MAY_HAVE_SUCCEEDED: Final = (RunStatus.RUNNING, RunStatus.COMPLETED, RunStatus.ENDED)


class _AgentRuns:
    """The agent runs of the selected runs, each with its cost in nanodollars."""

    def __init__(self, agents: ColumnTable, runs: ColumnTable) -> None:
        run, is_selected = row_positions(agents.integers["workflow_key"], runs.integers["key"])
        self.run = run[is_selected]
        self.columns = agents.take(is_selected)
        recorded, lower_bound, is_partial = split_cost(self.columns)
        self.spent = _minimum_cost(recorded, lower_bound)
        numbers = self.columns.integers
        # Of a retry in a file of its own, or of an overwritten attempt, all is wasted; of several processes
        # in one file, those that failed before the last one.
        self.is_whole_retry: Flags = numbers["retries"] > numbers["restarts"]
        self.failed_process_cost = mask_negative(numbers["failed_process_cost"])
        self.has_partial_cost: Flags = is_partial | is_cost_unknown(self.columns)
        status = runs.categorical["status"].take(self.run)
        self.failed = status.equals(RunStatus.FAILED)
        self.may_have_succeeded = is_any_of(status, _MAY_HAVE_SUCCEEDED)

    def has(self, kind: str) -> Flags:
        """Return which agent runs have waste of a category, whether or not its cost is known."""
        is_counted: Flags = self.columns.integers["is_copy"] != 1
        if kind == RETRIES:
            has_retry: Flags = is_counted & (self.is_whole_retry | (self.failed_process_cost != 0))
            return has_retry
        has_outcome: Flags = is_counted & self.columns.categorical["outcome"].equals(_OUTCOME_OF_KIND[kind])
        # A running run may still succeed; in one with an end, the transcript was cut off, not the work.
        return has_outcome & ~self.may_have_succeeded if kind == INTERRUPTED else has_outcome

    def overlapping_waste(self) -> dict[str, Integers]:
        """Return the waste of each agent run by category, without deduplication; at most its own cost."""
        failed_process_cost = np.where(is_known(self.failed_process_cost), self.failed_process_cost, 0)
        retry_waste = np.where(self.is_whole_retry, self.spent, np.minimum(failed_process_cost, self.spent))
        waste = {FAILED: np.where(self.failed, self.spent, 0), RETRIES: retry_waste}
        return waste | {kind: np.where(self.has(kind), self.spent, 0) for kind in _OUTCOME_OF_KIND}

    def has_partial_waste(self, kind: str) -> Flags:
        """Return which agent runs wasted more of a category than is known; failed runs have FAILED only."""
        if kind == FAILED:
            return self.has_partial_cost & self.failed
        cost_partial = self.has_partial_cost
        if kind == RETRIES:
            cost_partial = cost_partial | ~(self.is_whole_retry | is_known(self.failed_process_cost))
        flags: Flags = self.has(kind) & cost_partial & ~self.failed & (self.columns.integers["is_copy"] != 1)
        return flags

    def doubtful_runs(self) -> Integers:
        """Return the positions of the runs with a false success."""
        is_copy = self.columns.integers["is_copy"] == 1
        positions: Integers = np.unique(
            self.run[self.columns.categorical["outcome"].equals(Outcome.FALSE_SUCCESS) & ~is_copy]
        )
        return positions


def aggregate_waste(runs: ColumnTable, agents: ColumnTable, silent: ColumnTable) -> Aggregate:
    """Aggregate waste, one row per category, workflow and phase; `silent`: agents without a stream."""
    runs = runs.take(runs.integers["is_copy"] != 1)
    agent_runs = _AgentRuns(agents, runs)
    # A run cost at least as much as its agent runs, even if its own total is lower.
    spent = np.maximum(
        _minimum_cost(runs.integers["total_cost"], runs.integers["lower_bound_cost"]),
        _sum_by_run(agent_runs.spent, agent_runs.run, len(runs)),
    )
    cost_partial = _has_partial_cost(runs)
    agent_waste_partial: Flags = np.logical_or.reduce([agent_runs.has_partial_waste(kind) for kind in KINDS])
    has_failed = runs.categorical["status"].equals(RunStatus.FAILED)
    run_waste_partial = has_failed & cost_partial
    run_waste_partial[agent_runs.run[agent_waste_partial]] = True
    overlapping = agent_runs.overlapping_waste()
    distinct = _deduplicate(overlapping, agent_runs.spent)
    # The whole cost of a failed run is wasted, including costs that no agent run shows.
    failed_waste = np.where(has_failed, spent, 0)
    agent_waste = sum(distinct.values(), np.zeros(len(agent_runs.run), np.int64))
    run_waste = failed_waste + _sum_by_run(
        np.where(agent_runs.failed, 0, agent_waste), agent_runs.run, len(runs)
    )
    doubtful = agent_runs.doubtful_runs()
    doubtful = doubtful[runs.categorical["status"].equals(RunStatus.COMPLETED)[doubtful]]
    phases = _rows_by_name(
        _PHASE,
        agent_runs.columns.categorical["phase"],
        (agent_waste, agent_runs.spent),
        (agent_waste_partial, agent_runs.has_partial_cost),
    )
    rows: dict[Group, _Row] = {
        ALL_RUNS: (
            len(runs),
            _total(run_waste),
            _total(spent),
            _count(run_waste_partial),
            _count(cost_partial),
        ),
        (_KIND, FAILED): (_count(has_failed), _total(failed_waste), 0, _count(has_failed & cost_partial), 0),
        **{
            (_KIND, kind): (
                len(np.unique(agent_runs.run[agent_runs.has(kind)])),
                _total(distinct[kind]),
                _total(overlapping[kind] - distinct[kind]),
                _count(agent_runs.has_partial_waste(kind)),
                0,
            )
            for kind in KINDS[1:]
        },
        DOUBTFUL: (len(doubtful), _total(spent[doubtful]), 0, 0, _count(cost_partial[doubtful])),
        **_rows_by_name(
            _TEMPLATE,
            runs.categorical["workflow_template"],
            (run_waste, spent),
            (run_waste_partial, cost_partial),
        ),
        **_add_silent(phases, silent, runs),
    }
    return Aggregate(tuple(rows), to_int64_or_object(list(zip(*rows.values(), strict=True))))


def build_waste(aggregate: Aggregate, *, partial: bool = False) -> Waste:
    """Build the Waste record of an aggregate; `partial`: more was spent than is known."""
    rows = dict(zip(aggregate.groups, aggregate.sums.T.tolist(), strict=True))
    runs, wasted, spent, *_ = rows[ALL_RUNS]
    doubtful_runs, doubtful_cost, _, _, doubtful_partial = rows[DOUBTFUL]
    templates, phases = (
        {name: row[1:] for (category, name), row in rows.items() if category == wanted}
        for wanted in (_TEMPLATE, _PHASE)
    )
    # Costs of runs that no agent run shows belong to no known phase.
    phase_wasted, phase_spent = (sum(row[index] for row in phases.values()) for index in (0, 1))
    other_wasted, other_spent, *partial_counts = phases.get(None, (0, 0, 0, 0))
    phases[None] = [
        other_wasted + max(0, wasted - phase_wasted),
        other_spent + max(0, spent - phase_spent),
        *partial_counts,
    ]
    return Waste(
        runs=runs,
        wasted=to_usd(wasted),
        spent=to_usd(spent),
        partial=partial,
        share=_share(wasted, spent),
        kinds=tuple(_build_kind(kind, *rows[_KIND, kind][:-1]) for kind in KINDS),
        doubtful_runs=doubtful_runs,
        doubtful_cost=to_usd(doubtful_cost),
        doubtful_partial=bool(doubtful_partial),
        by_template=_build_locations(templates),
        by_phase=_build_locations(phases),
    )


def _deduplicate(overlapping: dict[str, Integers], spent: Integers) -> dict[str, Integers]:
    """Return the waste by category, without dollars that an earlier category counts."""
    remaining, distinct = spent, {}
    for kind in KINDS:
        distinct[kind] = np.minimum(overlapping[kind], remaining)
        remaining = remaining - distinct[kind]
    return distinct


def _build_kind(kind: str, runs: int, cost: int, above: int, partial: int) -> WasteKind:
    is_unknown = partial and not cost and not above
    return WasteKind(kind, runs, None if is_unknown else to_usd(cost), to_usd(above), bool(partial))


def _has_partial_cost(runs: ColumnTable) -> Flags:
    """Return which runs, none of them a copy, have an incomplete or unknown cost."""
    flags: Flags = (
        is_any_of(runs.categorical["cost_basis"], PARTIAL_BASES)
        | is_known(runs.integers["lower_bound_cost"])
        | ~is_known(runs.integers["total_cost"])
    )
    return flags


def _count(flags: Flags) -> int:
    return int(np.count_nonzero(flags))


def _minimum_cost(recorded: Integers, lower_bound: Integers) -> Integers:
    """Return recorded cost plus lower bound, in a type that can be added up; 0 if unknown."""
    first, second = (as_summable(np.where(values < 0, 0, values)) for values in (recorded, lower_bound))
    total: Integers = first + second
    return total


def _sum_by_run(values: Integers, run: Integers, run_count: int) -> Integers:
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    sums = np.zeros(run_count, values.dtype)
    sums[run[starts]] = np.add.reduceat(values, starts)
    return sums


def _rows_by_name(
    category: str, names: CategoricalColumn, amounts: tuple[Integers, Integers], flags: tuple[Flags, Flags]
) -> dict[Group, _Row]:
    """Return one row per name; `amounts` and `flags` are pairs of wasted and spent."""
    groups = group_by_category(names)
    count = len(groups.names)
    wasted, spent = (grouped_sums(values, groups.codes, count) for values in amounts)
    counts = [np.bincount(groups.codes[mask], minlength=count).tolist() for mask in flags]
    return {
        (category, name): (0, int(name_wasted.total), int(name_spent.total), waste_partial, cost_partial)
        for name, name_wasted, name_spent, waste_partial, cost_partial in zip(
            groups.names, wasted, spent, *counts, strict=True
        )
    }


def _add_silent(phases: dict[Group, _Row], silent: ColumnTable, runs: ColumnTable) -> dict[Group, _Row]:
    """Add agents without a stream to the rows of phases: unknown cost, wasted in failed runs."""
    run, is_selected = row_positions(silent.integers["workflow_key"], runs.integers["key"])
    failed = runs.categorical["status"].take(run[is_selected]).equals(RunStatus.FAILED)
    zeros = np.zeros(len(failed), np.int64)
    names = silent.categorical["phase"].take(is_selected)
    silent_rows = _rows_by_name(_PHASE, names, (zeros, zeros), (failed, np.ones(len(failed), np.bool_)))
    empty: _Row = (0, 0, 0, 0, 0)
    rows = phases | {group: empty for group in silent_rows if group not in phases}
    return {
        group: (
            *row[:3],
            row[3] + silent_rows.get(group, empty)[3],
            row[4] + silent_rows.get(group, empty)[4],
        )
        for group, row in rows.items()
    }


def _build_locations(rows: Mapping[str | None, Sequence[int]]) -> tuple[WasteLocation, ...]:
    locations = [
        WasteLocation(
            name,
            to_usd(wasted),
            to_usd(spent),
            _share(wasted, spent),
            bool(waste_partial),
            bool(cost_partial),
        )
        for name, (wasted, spent, waste_partial, cost_partial) in rows.items()
        if spent
    ]
    return tuple(
        sorted(locations, key=lambda location: (-location.wasted, location.name is None, location.name or ""))
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _total(values: Integers) -> int:
    return int(grouped_sums(values, np.zeros(len(values), np.int8), 1)[0].total)
