"""Tell what was spent in vain: runs and agent runs in, a digest out; that in, a record out. No dollar twice.

A dollar may be wasted in several ways. It is counted in the first that holds, in this order: its run failed;
it was spent on doing work again; its agent said success and did nothing; its agent ended with an error; its
stream was cut off in a run that did not end well. What a user
stopped is not counted: it may have been enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from ...common.column_data import CategoricalColumn, ColumnTable, Flags, Integers, is_known
from .aggregates import Aggregate
from .cost_by_part import recorded_and_bound
from .grouped_sums import as_summable, grouped_sums, mask_negative, to_int64_or_object, to_usd
from .grouping import Group, group_by_category
from .measurements import row_of
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
"""What is needed of agent runs, beside what statistics need of runs."""

FAILED, RETRIES, FALSE, ERRORS, TRUNCATED = KINDS = (
    "failed_runs", "retries", "false_successes", "errors", "cut_off",
)  # fmt: skip
"""Every kind of waste, in the order in which a dollar is counted."""

ALL_RUNS: Final[Group] = ("runs", None)
SUSPICIOUS: Final[Group] = ("doubtful", None)
_KIND, _TEMPLATE, _PHASE = "kind", "template", "phase"

_Row = tuple[int, int, int]
"""Runs, nanodollars in vain, and those that a kind above has counted, or all that was spent in that place."""

_OUTCOMES: Final = {FALSE: "false_success", ERRORS: "error", TRUNCATED: "incomplete"}


class _Agents:
    """The agent runs of the runs asked for, each with what it spent in nanodollars."""

    def __init__(self, agents: ColumnTable, runs: ColumnTable) -> None:
        run, there = row_of(agents.integers["workflow_key"], runs.integers["key"])
        self.run = run[there]
        self.columns = agents.take(there)
        self.spent = _at_least(*recorded_and_bound(self.columns)[:2])
        status = runs.categorical["status"].take(self.run)
        self.failed = status.equals("failed")
        self.may_be_well = status.equals("running") | status.equals("completed")

    def has(self, kind: str) -> Flags:
        """Tell which agent runs have some of a kind, whether or not it is known what that cost."""
        if kind == RETRIES:
            again: Flags = (self.columns.integers["is_retry"] == 1) | (
                self.columns.integers["retry_cost"] > 0
            )
            return again
        ended_so: Flags = self.columns.categorical["outcome"].equals(_OUTCOMES[kind]) & (
            self.columns.integers["is_copy"] != 1
        )
        # At work it may yet end well; in a run that did, the record was cut off and not the work.
        return ended_so & ~self.may_be_well if kind == TRUNCATED else ended_so

    def matching_cost(self) -> dict[str, Integers]:
        """Return by kind what each agent run has of it, whatever the others say; never more than it spent."""
        retried = mask_negative(self.columns.integers["retry_cost"])
        again = np.minimum(np.where(is_known(retried), retried, 0), self.spent)
        found = {FAILED: np.where(self.failed, self.spent, 0), RETRIES: again}
        return found | {kind: np.where(self.has(kind), self.spent, 0) for kind in _OUTCOMES}

    def doubtful(self) -> Integers:
        """Return the runs in which an agent said success and did nothing."""
        copied = self.columns.integers["is_copy"] == 1
        found: Integers = np.unique(
            self.run[self.columns.categorical["outcome"].equals("false_success") & ~copied]
        )
        return found


def aggregate_waste(runs: ColumnTable, agents: ColumnTable) -> Aggregate:
    """Return what was spent in vain, by kind, and where: of each group how many runs, and two sums."""
    runs = runs.take(runs.integers["is_copy"] != 1)
    each = _Agents(agents, runs)
    # A run spent at least what its agent runs did, whatever its own total says.
    own = np.maximum(
        _at_least(runs.integers["total_cost"], runs.integers["lower_bound_cost"]),
        _by_run(each.spent, each.run, len(runs)),
    )
    touched = each.matching_cost()
    counted = _once(touched, each)
    # A failed run's whole cost is wasted, also what no agent run shows.
    failed = np.where(runs.categorical["status"].equals("failed"), own, 0)
    in_agents = sum(counted.values(), np.zeros(len(each.run), np.int64))
    by_run = failed + _by_run(np.where(each.failed, 0, in_agents), each.run, len(runs))
    doubtful = each.doubtful()
    doubtful = doubtful[runs.categorical["status"].equals("completed")[doubtful]]
    rows: dict[Group, _Row] = {
        ALL_RUNS: (len(runs), _total(by_run), _total(own)),
        (_KIND, FAILED): (
            int(np.count_nonzero(runs.categorical["status"].equals("failed"))),
            _total(failed),
            0,
        ),
        **{
            (_KIND, kind): _kind(each.run[each.has(kind)], touched[kind], counted[kind]) for kind in KINDS[1:]
        },
        SUSPICIOUS: (len(doubtful), _total(own[doubtful]), 0),
        **_places(_TEMPLATE, runs.categorical["workflow_template"], by_run, own),
        **_places(_PHASE, each.columns.categorical["phase"], in_agents, each.spent),
    }
    return Aggregate(tuple(rows), to_int64_or_object(list(zip(*rows.values(), strict=True))))


def build_waste(losses: Aggregate, *, partial: bool = False) -> Waste:
    """Return what was spent in vain as a record; `partial`: more was spent than is known."""
    rows = dict(zip(losses.groups, losses.sums.T.tolist(), strict=True))
    runs, wasted, whole = rows[ALL_RUNS]
    doubtful_runs, doubtful_cost, _ = rows[SUSPICIOUS]
    kinds = ((kind, *rows[_KIND, kind]) for kind in KINDS)
    templates, phases = (
        {name: row[1:] for (what, name), row in rows.items() if what == place}
        for place in (_TEMPLATE, _PHASE)
    )
    # The money of runs that no agent run shows is in no known phase.
    lost, there = (sum(amounts) for amounts in zip((0, 0), *phases.values(), strict=True))
    here, spent_here = phases.get(None, (0, 0))
    phases[None] = [here + max(0, wasted - lost), spent_here + max(0, whole - there)]
    return Waste(
        runs=runs,
        wasted=to_usd(wasted),
        spent=to_usd(whole),
        partial=partial,
        share=_share(wasted, whole),
        kinds=tuple(WasteKind(kind, some, to_usd(cost), to_usd(above)) for kind, some, cost, above in kinds),
        doubtful_runs=doubtful_runs,
        doubtful_cost=to_usd(doubtful_cost),
        by_template=_ordered(templates),
        by_phase=_ordered(phases),
    )


def _once(touched: dict[str, Integers], each: _Agents) -> dict[str, Integers]:
    """Return by kind what no kind before it has counted."""
    left, counted = each.spent, {}
    for kind in KINDS:
        counted[kind] = np.minimum(touched[kind], left)
        left = left - counted[kind]
    return counted


def _kind(having: Integers, touched: Integers, counted: Integers) -> _Row:
    return len(np.unique(having)), _total(counted), _total(touched - counted)


def _at_least(recorded: Integers, beyond: Integers) -> Integers:
    """Return all that is known to have been spent, with room to add it up; 0 where nothing is."""
    one, other = (as_summable(np.where(values < 0, 0, values)) for values in (recorded, beyond))
    total: Integers = one + other
    return total


def _by_run(values: Integers, run: Integers, runs: int) -> Integers:
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    found = np.zeros(runs, values.dtype)
    found[run[starts]] = np.add.reduceat(values, starts)
    return found


def _places(
    what: str, names: CategoricalColumn, wasted: Integers, spent_there: Integers
) -> dict[Group, _Row]:
    groups = group_by_category(names)
    lost, whole = (grouped_sums(values, groups.codes, len(groups.names)) for values in (wasted, spent_there))
    return {
        (what, name): (0, int(vain.total), int(total.total))
        for name, vain, total in zip(groups.names, lost, whole, strict=True)
    }


def _ordered(places: Mapping[str | None, Sequence[int]]) -> tuple[WasteLocation, ...]:
    found = [
        WasteLocation(name, to_usd(lost), to_usd(there), _share(lost, there))
        for name, (lost, there) in places.items()
        if there
    ]
    return tuple(sorted(found, key=lambda place: (-place.wasted, place.name is None, place.name or "")))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _total(values: Integers) -> int:
    return int(grouped_sums(values, np.zeros(len(values), np.int8), 1)[0].total)
