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

from ..columns import Columns, Flags, Integers, Words, known
from .arithmetic import addable, amounts, dollars, fitting, sums
from .digests import Digest
from .entries import places
from .grouping import Group, by_words
from .records import Waste, WasteKind, WastePlace
from .shares import spent

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

FAILED, RETRIES, FALSE, ERRORS, CUT_OFF = KINDS = (
    "failed_runs", "retries", "false_successes", "errors", "cut_off",
)  # fmt: skip
"""Every kind of waste, in the order in which a dollar is counted."""

ALL_RUNS: Final[Group] = ("runs", None)
DOUBTFUL: Final[Group] = ("doubtful", None)
_KIND, _TEMPLATE, _PHASE = "kind", "template", "phase"

_Row = tuple[int, int, int]
"""Runs, nanodollars in vain, and those that a kind above has counted, or all that was spent in that place."""

_OUTCOMES: Final = {FALSE: "false_success", ERRORS: "error", CUT_OFF: "incomplete"}


class _Agents:
    """The agent runs of the runs asked for, each with what it spent in nanodollars."""

    def __init__(self, agents: Columns, runs: Columns) -> None:
        run, there = places(agents.whole["workflow_key"], runs.whole["key"])
        self.run = run[there]
        self.columns = agents.take(there)
        self.spent = _at_least(*spent(self.columns)[:2])
        status = runs.words["status"].take(self.run)
        self.failed = status.are("failed")
        self.may_be_well = status.are("running") | status.are("completed")

    def has(self, kind: str) -> Flags:
        """Tell which agent runs have some of a kind, whether or not it is known what that cost."""
        if kind == RETRIES:
            again: Flags = (self.columns.whole["is_retry"] == 1) | (self.columns.whole["retry_cost"] > 0)
            return again
        ended_so: Flags = self.columns.words["outcome"].are(_OUTCOMES[kind]) & (
            self.columns.whole["is_copy"] != 1
        )
        # At work it may yet end well; in a run that did, the record was cut off and not the work.
        return ended_so & ~self.may_be_well if kind == CUT_OFF else ended_so

    def touched(self) -> dict[str, Integers]:
        """Return by kind what each agent run has of it, whatever the others say; never more than it spent."""
        retried = amounts(self.columns.whole["retry_cost"])
        again = np.minimum(np.where(known(retried), retried, 0), self.spent)
        found = {FAILED: np.where(self.failed, self.spent, 0), RETRIES: again}
        return found | {kind: np.where(self.has(kind), self.spent, 0) for kind in _OUTCOMES}

    def doubtful(self) -> Integers:
        """Return the runs in which an agent said success and did nothing."""
        copied = self.columns.whole["is_copy"] == 1
        found: Integers = np.unique(self.run[self.columns.words["outcome"].are("false_success") & ~copied])
        return found


def losses_of(runs: Columns, agents: Columns) -> Digest:
    """Return what was spent in vain, by kind, and where: of each group how many runs, and two sums."""
    runs = runs.take(runs.whole["is_copy"] != 1)
    each = _Agents(agents, runs)
    # A run spent at least what its agent runs did, whatever its own total says.
    own = np.maximum(
        _at_least(runs.whole["total_cost"], runs.whole["lower_bound_cost"]),
        _by_run(each.spent, each.run, len(runs)),
    )
    touched = each.touched()
    counted = _once(touched, each)
    # A failed run's whole cost is wasted, also what no agent run shows.
    failed = np.where(runs.words["status"].are("failed"), own, 0)
    in_agents = sum(counted.values(), np.zeros(len(each.run), np.int64))
    by_run = failed + _by_run(np.where(each.failed, 0, in_agents), each.run, len(runs))
    doubtful = each.doubtful()
    doubtful = doubtful[runs.words["status"].are("completed")[doubtful]]
    rows: dict[Group, _Row] = {
        ALL_RUNS: (len(runs), _total(by_run), _total(own)),
        (_KIND, FAILED): (int(np.count_nonzero(runs.words["status"].are("failed"))), _total(failed), 0),
        **{
            (_KIND, kind): _kind(each.run[each.has(kind)], touched[kind], counted[kind]) for kind in KINDS[1:]
        },
        DOUBTFUL: (len(doubtful), _total(own[doubtful]), 0),
        **_places(_TEMPLATE, runs.words["workflow_template"], by_run, own),
        **_places(_PHASE, each.columns.words["phase"], in_agents, each.spent),
    }
    return Digest(tuple(rows), fitting(list(zip(*rows.values(), strict=True))))


def waste_of(losses: Digest, *, partial: bool = False) -> Waste:
    """Return what was spent in vain as a record; `partial`: more was spent than is known."""
    rows = dict(zip(losses.groups, losses.sums.T.tolist(), strict=True))
    runs, wasted, whole = rows[ALL_RUNS]
    doubtful_runs, doubtful_cost, _ = rows[DOUBTFUL]
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
        wasted=dollars(wasted),
        spent=dollars(whole),
        partial=partial,
        share=_share(wasted, whole),
        kinds=tuple(
            WasteKind(kind, some, dollars(cost), dollars(above)) for kind, some, cost, above in kinds
        ),
        doubtful_runs=doubtful_runs,
        doubtful_cost=dollars(doubtful_cost),
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
    one, other = (addable(np.where(values < 0, 0, values)) for values in (recorded, beyond))
    total: Integers = one + other
    return total


def _by_run(values: Integers, run: Integers, runs: int) -> Integers:
    starts = np.flatnonzero(np.diff(run, prepend=-1))
    found = np.zeros(runs, values.dtype)
    found[run[starts]] = np.add.reduceat(values, starts)
    return found


def _places(what: str, names: Words, wasted: Integers, spent_there: Integers) -> dict[Group, _Row]:
    groups = by_words(names)
    lost, whole = (sums(values, groups.codes, len(groups.names)) for values in (wasted, spent_there))
    return {
        (what, name): (0, int(vain.total), int(total.total))
        for name, vain, total in zip(groups.names, lost, whole, strict=True)
    }


def _ordered(places: Mapping[str | None, Sequence[int]]) -> tuple[WastePlace, ...]:
    found = [
        WastePlace(name, dollars(lost), dollars(there), _share(lost, there))
        for name, (lost, there) in places.items()
        if there
    ]
    return tuple(sorted(found, key=lambda place: (-place.wasted, place.name is None, place.name or "")))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _total(values: Integers) -> int:
    return int(sums(values, np.zeros(len(values), np.int8), 1)[0].total)
