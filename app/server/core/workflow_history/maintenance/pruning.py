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
from ..common.models import RECORDED_BASES, RunStatus
from ..common.spending import run_cost, to_usd
from ..costs.accounting.deduplication import Unit
from ..costs.accounting.message_claims import Claim, units_of
from ..pipeline.shared_messages import recompute_shares, settle_shares
from ..pipeline.unfinished_work import finish
from ..storage.history import History
from ..storage.writing.bulk_insert import batched
from .records import PreviouslyPruned, PruneResult
from .retention_rules import RetentionRule

BATCH_RUNS = 2_000  # deleted in one transaction


def prune_history(rules: Sequence[RetentionRule], *, dry_run: bool = True) -> PruneResult:
    """Delete the runs that match any of the rules; a `dry_run` only reports them.

    Costs of shared messages that a remaining run counts from now on are not in `spent`: no dollar counts both
    as pruned and in the remaining runs. Running runs stay, unless a rule names their status. Raises
    InvalidQueryError without rules, or if a rule matches all runs.
    """
    started = time.monotonic()
    if not rules or any(rule.matches_all for rule in rules):
        raise InvalidQueryError(
            "No runs selected. Choose runs with --older-than 90d or a filter such as --status failed."
        )
    with database.open_if_exists() as history:
        pruned_before = [] if history is None else history.merge_store().pruned()
        if history is None:
            runs: list[dict[str, Any]] = []
        elif dry_run:
            runs = _matching_runs(history, rules)
            runs = _subtract_moved_costs(runs, _moved_costs(history, runs))
        else:
            runs = _delete_matching(history, rules)
            finish(history)  # also work that an earlier command left unfinished
    copies = sum(run.get("copy_of") is not None for run in runs)
    times = sorted(run["created_at"] for run in runs if run["created_at"] is not None)
    return PruneResult(
        runs=len(runs),
        spent=_spent(runs),
        unpriced=sum(run["spent_nanodollars"] is None for run in runs) - copies,
        oldest=times[0] if times else None,
        newest=times[-1] if times else None,
        projects=dict(sorted(Counter(run["project"] for run in runs).items())),
        spent_is_exact=bool(runs) and all(map(_has_exact_cost, runs)),
        pruned_before=PreviouslyPruned(len(pruned_before), _spent(pruned_before)),
        dry_run=dry_run,
        duration_seconds=time.monotonic() - started,
    )


def _matching_runs(history: History, rules: Sequence[RetentionRule]) -> list[dict[str, Any]]:
    """Return the pruning fields of the runs that match any rule, each run once."""
    matching: dict[int, dict[str, Any]] = {}
    for rule in rules:
        runs = history.merge_store().pruning_fields([int(key) for key in history.matching_keys(rule.where)])
        keeps_running = RunStatus.RUNNING not in rule.where.status
        candidates = [run for run in runs if not (keeps_running and run["status"] == RunStatus.RUNNING)]
        matching |= {run["key"]: run for run in _without_newest(candidates, rule.keep)}
    return [matching[key] for key in sorted(matching)]


def _without_newest(runs: Sequence[dict[str, Any]], keep: int) -> list[dict[str, Any]]:
    """Return the runs without the `keep` newest of each project; runs of unknown age count as oldest."""
    older: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for run in sorted(runs, key=lambda run: (run["created_at"] or "", run["key"]), reverse=True):
        counts[run["project"]] += 1
        if counts[run["project"]] > keep:
            older.append(run)
    return older


def _delete_matching(history: History, rules: Sequence[RetentionRule]) -> list[dict[str, Any]]:
    """Delete the runs that match the rules; return the pruning fields of each.

    Messages that they share with remaining runs are counted there from the same transaction on. If another
    program wrote meanwhile, the rules are matched again; runs added since then are left to the next prune.
    """
    version = history.data_version()
    matching = {run["key"]: run for run in _matching_runs(history, rules)}
    deleted: list[dict[str, Any]] = []
    for batch in batched(list(matching), BATCH_RUNS):
        with history.transaction():
            if history.data_version() != version:
                version = history.data_version()
                matching = {run["key"]: run for run in _matching_runs(history, rules)}
            keys = [key for key in batch if key in matching]
            runs = history.merge_store().pruning_fields(keys)  # read again: costs may have moved to them
            moved = _moved_costs(history, runs)
            connected = history.connected_claims(keys).keys() - set(keys)
            history.prune(keys, moved)
            settle_shares(history, connected)
        deleted += _subtract_moved_costs(runs, moved)
    return deleted


def _moved_costs(history: History, runs: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Return the cost of these runs that remaining runs will count, in nanodollars by key."""
    spent = {run["key"]: run["spent_nanodollars"] or 0 for run in runs}
    claims = history.connected_claims(spent)
    moved: dict[int, int] = {}
    if claims.keys() == spent.keys():
        return moved
    for keys in _sets_sharing_messages(claims):
        if not (deleted := keys & spent.keys()) or deleted == keys:
            continue
        shares = recompute_shares(history, keys - deleted, without=deleted)
        moved_total = sum(
            (run_cost(run).minimum or 0) - (run_cost(shares.runs[key]).minimum or 0)
            for key, run in shares.changed.items()
        )
        for key in sorted(deleted):
            if (amount := min(moved_total, spent[key])) > 0:
                moved[key] = amount
                moved_total -= amount
    return moved


def _sets_sharing_messages(claims: Mapping[int, Sequence[Claim]]) -> Iterator[set[int]]:
    """Yield sets of keys of runs that share messages, directly or through other runs."""
    first_with_unit: dict[Unit, int] = {}
    sets: dict[int, set[int]] = {key: {key} for key in claims}
    for key, run_claims in claims.items():
        for unit in units_of(run_claims):
            first = first_with_unit.setdefault(unit, key)
            if sets[first] is not sets[key]:
                small, large = sorted((sets[first], sets[key]), key=len)
                large |= small
                sets |= dict.fromkeys(small, large)
    yield from {id(keys): keys for keys in sets.values()}.values()


def _subtract_moved_costs(runs: Sequence[dict[str, Any]], moved: Mapping[int, int]) -> list[dict[str, Any]]:
    return [
        {**run, "spent_nanodollars": run["spent_nanodollars"] - moved[run["key"]]}
        if run["key"] in moved
        else run
        for run in runs
    ]


def _has_exact_cost(run: Mapping[str, Any]) -> bool:
    """Return whether the whole cost of a run is recorded."""
    is_copy = run["copy_of"] is not None
    return is_copy or (run["cost_basis"] in RECORDED_BASES and not run["lower_bound_cost_nanodollars"])


def _spent(runs: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the known cost of runs in US dollars; None if no cost is known."""
    known = [run["spent_nanodollars"] for run in runs if run["spent_nanodollars"] is not None]
    return to_usd(sum(known)) if known else None
