"""Delete old runs from the history in use by retention rules.

Runs stay in the history unless a user prunes it. The history remembers which runs were deleted, so that no
sync of files that still exist adds them again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .. import database
from ..common.errors import InvalidQueryError
from ..common.spending import RECORDED_BASES
from ..costs.accounting.deduplication import Unit
from ..costs.accounting.message_claims import Claim, units_of
from ..pipeline.shared_messages import recompute_shares, settle_shares
from ..pipeline.unfinished_work import finish
from ..storage.history import History
from ..storage.rows.column_types import to_dollars, to_nanodollars
from ..storage.writing.bulk_insert import batched
from .retention_rules import RetentionRule

BATCH_RUNS = 2_000  # deleted in one transaction


def prune_history(rules: Sequence[RetentionRule], *, dry_run: bool = True) -> dict[str, Any]:
    """Delete the runs that match any of the rules; a `dry_run` only reports them.

    Returns runs, spent (US dollars; a lower bound unless spent_is_exact), unpriced (number of runs of unknown
    cost), oldest and newest (creation times), projects (number of runs by project), dry_run, duration_seconds
    and pruned_before: runs and spent (lower bound) of earlier prunes. Costs of shared messages that a
    remaining run counts from now on are not in `spent`: no dollar counts both as pruned and in the remaining
    runs. Running runs stay, unless a rule names their status. Raises InvalidQueryError without rules, or if a
    rule matches all runs.
    """
    started = time.monotonic()
    if not rules or any(rule.matches_all for rule in rules):
        raise InvalidQueryError("say which runs: an age with --older-than, or what else narrows them")
    with database.open_if_exists() as history:
        before = _told([] if history is None else history.merge_store().pruned())
        if history is None:
            gone: list[dict[str, Any]] = []
        elif dry_run:
            meant = _meant(history, rules)
            gone = _without_passed(meant, _passed_on(history, meant))
        else:
            gone = _take_out(history, rules)
            finish(history)  # also work that an earlier command left unfinished
    earlier = {name: before[name] for name in ("runs", "spent")}
    seconds = time.monotonic() - started
    return {
        **_told(gone),
        "spent_is_exact": bool(gone) and all(map(_is_exact, gone)),
        "pruned_before": earlier,
        "dry_run": dry_run,
        "duration_seconds": seconds,
    }


def runs_pruned() -> int:
    """Return the number of runs that were pruned from the history in use and not synced again."""
    with database.open_if_exists() as history:
        return 0 if history is None else len(history.merge_store().pruned())


def _meant(history: History, rules: Sequence[RetentionRule]) -> list[dict[str, Any]]:
    """Return the pruning fields of the runs that match any rule, each run once."""
    found: dict[int, dict[str, Any]] = {}
    for rule in rules:
        runs = history.merge_store().pruning_fields([int(key) for key in history.matching_keys(rule.wanted)])
        at_work = "running" not in rule.wanted.status
        may_go = [run for run in runs if not (at_work and run["status"] == "running")]
        found |= {run["key"]: run for run in _without_newest(may_go, rule.keep)}
    return [found[key] for key in sorted(found)]


def _without_newest(runs: Sequence[dict[str, Any]], keep: int) -> list[dict[str, Any]]:
    """Return the runs without the `keep` newest of each project; runs of unknown age count as oldest."""
    left: list[dict[str, Any]] = []
    seen: Counter[str] = Counter()
    for run in sorted(runs, key=lambda run: (run["created_at"] or "", run["key"]), reverse=True):
        seen[run["project"]] += 1
        if seen[run["project"]] > keep:
            left.append(run)
    return left


def _take_out(history: History, rules: Sequence[RetentionRule]) -> list[dict[str, Any]]:
    """Delete the runs that match the rules; return the pruning fields of each.

    Messages that they share with remaining runs are counted there from the same transaction on. If another
    program wrote meanwhile, the rules are matched again; runs added since then are left to the next prune.
    """
    version = history.data_version()
    meant = {run["key"]: run for run in _meant(history, rules)}
    gone: list[dict[str, Any]] = []
    for some in batched(list(meant), BATCH_RUNS):
        with history.transaction():
            if history.data_version() != version:
                version = history.data_version()
                meant = {run["key"]: run for run in _meant(history, rules)}
            keys = [key for key in some if key in meant]
            runs = history.merge_store().pruning_fields(keys)  # read again: costs may have moved to them
            passed = _passed_on(history, runs)
            near = history.connected(keys).keys() - set(keys)
            history.prune(keys, passed)
            settle_shares(history, near)
        gone += _without_passed(runs, passed)
    return gone


def _passed_on(history: History, leaving: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Return the cost of these runs that remaining runs will count, in nanodollars by key."""
    spent = {run["key"]: run["spent_nanodollars"] or 0 for run in leaving}
    group = history.connected(spent)
    passed: dict[int, int] = {}
    if group.keys() == spent.keys():
        return passed
    for some in _together(group):
        if not (gone := some & spent.keys()) or gone == some:
            continue
        found = recompute_shares(history, some - gone, without=gone)
        more = sum(_nanodollars(run) - _nanodollars(found.runs[key]) for key, run in found.changed.items())
        for key in sorted(gone):
            if (part := min(more, spent[key])) > 0:
                passed[key] = part
                more -= part
    return passed


def _together(group: Mapping[int, Sequence[Claim]]) -> Iterator[set[int]]:
    """Yield sets of keys of runs that share messages, directly or through other runs."""
    of_unit: dict[Unit, int] = {}
    sets: dict[int, set[int]] = {key: {key} for key in group}
    for key, own in group.items():
        for unit in units_of(own):
            other = of_unit.setdefault(unit, key)
            if sets[other] is not sets[key]:
                small, large = sorted((sets[other], sets[key]), key=len)
                large |= small
                sets |= dict.fromkeys(small, large)
    yield from {id(some): some for some in sets.values()}.values()


def _nanodollars(run: Mapping[str, Any]) -> int:
    return sum(to_nanodollars(run.get(name) or 0) for name in ("total_cost", "lower_bound_cost"))


def _without_passed(runs: Sequence[dict[str, Any]], passed: Mapping[int, int]) -> list[dict[str, Any]]:
    return [
        {**run, "spent_nanodollars": run["spent_nanodollars"] - passed[run["key"]]}
        if run["key"] in passed
        else run
        for run in runs
    ]


def _is_exact(run: Mapping[str, Any]) -> bool:
    """Return whether the whole cost of a run is recorded."""
    is_copy = run["copy_of"] is not None
    return is_copy or (run["cost_basis"] in RECORDED_BASES and not run["lower_bound_cost_nanodollars"])


def _told(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    known = [run["spent_nanodollars"] for run in runs if run["spent_nanodollars"] is not None]
    copies = sum(run.get("copy_of") is not None for run in runs)
    made = sorted(run["created_at"] for run in runs if run["created_at"] is not None)
    return {
        "runs": len(runs),
        "spent": to_dollars(sum(known)) if known else None,
        "unpriced": len(runs) - len(known) - copies,
        "oldest": made[0] if made else None,
        "newest": made[-1] if made else None,
        "projects": dict(sorted(Counter(run["project"] for run in runs).items())),
    }
