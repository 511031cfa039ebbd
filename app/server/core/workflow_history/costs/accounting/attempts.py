"""Merge a run's current streams with its stored attempts, so that spent money stays counted. Pure.

A retry overwrites its stream, a cleanup deletes it, an editor truncates it: the money was spent all the
same. So a stored attempt is dropped only if a current stream shows more of the same attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from ...common.models import AgentRun, CostBasis
from ...common.outcomes import Outcome
from .money import TOKEN_FIELDS

ATTEMPT_COST_FIELDS = (
    "model",
    "cost",
    "cost_basis",
    "computed_cost",
    "cost_difference_percent",
    "cost_disputed",
    "lower_bound_cost",
    *TOKEN_FIELDS,
    "unpriced_tokens",
    "models",
    "restarts",
    "restart_cost",
    "failed_process_cost",
    "line",
)
"""Fields copied from a stored attempt that had seen more: its costs, but never its outcome."""

_RANKS: Final[Mapping[str | None, int]] = {
    CostBasis.REPORTED: 3,
    CostBasis.COMPUTED: 2,
    CostBasis.LOWER_BOUND: 1,
    CostBasis.UNPRICED: 1,
    None: 0,
}


def merge_attempts(current: Sequence[AgentRun], former: Sequence[AgentRun]) -> list[AgentRun]:
    """Return the current streams and all earlier attempts that still count in addition to them."""
    current_paths = {run["path"] for run in current}
    runs = list(current)
    earlier: list[AgentRun] = []
    for stored in former:
        index = next((i for i, run in enumerate(runs) if _is_same_attempt(run, stored, current_paths)), None)
        if index is not None:
            runs[index] = _with_fuller_costs(runs[index], stored)
        elif not _is_empty_attempt(stored, current_paths):
            overwritten = stored.get("superseded", False) or stored.get("path") in current_paths
            earlier.append({**stored, "superseded": overwritten})
    return [*earlier, *(_with_attempt_number(run, earlier) for run in runs)]


def rename_replaced(
    former: Sequence[AgentRun], replaced: Mapping[tuple[str, str | None], str]
) -> list[AgentRun]:
    """Give a new identity to stored attempts whose streams now contain another attempt.

    `replaced` maps such attempts to their new identities. An attempt that spent nothing keeps its identity,
    because it does not count in addition to the current one.
    """
    keys = {_attempt_key(stored) for stored in former}
    attempts: list[AgentRun] = []
    for stored in former:
        key = path, _ = _attempt_key(stored)
        if key not in replaced or not (_known_cost(stored) or _token_count(stored)):
            attempts.append(stored)
        elif (path, replaced[key]) not in keys:  # else the same attempt is stored already
            keys.add((path, replaced[key]))
            attempts.append({**stored, "identity": replaced[key]})
    return attempts


def _attempt_key(stored: AgentRun) -> tuple[str, str | None]:
    return stored.get("path") or "", stored.get("identity")


def _is_empty_attempt(stored: AgentRun, current_paths: set[str | None]) -> bool:
    """Return whether nothing was ever known of an attempt: the file was empty or no line could be read.

    An unreadable attempt only counts as such if its file still exists: then it is most likely the same
    attempt as the current one, seen when the file could not be opened or had half a line.
    """
    unread = stored.get("outcome") == Outcome.UNREADABLE and stored.get("identity") is None
    return stored.get("outcome") == Outcome.EMPTY or (unread and stored.get("path") in current_paths)


def _is_same_attempt(run: AgentRun, stored: AgentRun, current_paths: set[str | None]) -> bool:
    """Return whether both have the same first line at the same path, or at a new path after a move."""
    if run.get("identity") is None or run.get("identity") != stored.get("identity"):
        return False
    sessions = {run.get("session_id"), stored.get("session_id")}
    if run["path"] == stored.get("path"):
        return len(sessions - {None}) <= 1
    return len(sessions) == 1 and None not in sessions and stored.get("path") not in current_paths


def _with_fuller_costs(run: AgentRun, stored: AgentRun) -> AgentRun:
    """Return the run, with the stored costs if the stored attempt had seen more of the stream."""
    attempt = stored.get("attempt", 1)
    if not _is_fuller(stored, run):
        return {**run, "attempt": attempt}
    costs: dict[str, Any] = {key: value for key, value in stored.items() if key in ATTEMPT_COST_FIELDS}
    return cast("AgentRun", {**run, **costs, "attempt": attempt})


def _is_fuller(stored: AgentRun, run: AgentRun) -> bool:
    """Return whether the stored attempt saw more: a reported cost is preferred, then the longer stream.

    A reported cost below the known minimum is not preferred: it comes from an error, or a reader missed it.
    """
    stored_basis, basis = stored.get("cost_basis"), run.get("cost_basis")
    stored_rank, rank = _RANKS[stored_basis], _RANKS[basis]
    if stored_rank != rank and not {stored_basis, basis}.isdisjoint({CostBasis.REPORTED, None}):
        return stored_rank > rank and _known_cost(stored) >= _known_cost(run)
    if stored_rank != rank:
        return _has_more_tokens(stored, run)
    return _known_cost(stored) > _known_cost(run) and (
        basis == CostBasis.REPORTED or _has_more_tokens(stored, run)
    )


def completeness_key(run: AgentRun) -> tuple[bool, int, int, float]:
    """Return a sort key for records of one attempt; the record that saw most of its stream sorts last."""
    rank = _RANKS[run.get("cost_basis")]
    return rank == _RANKS[CostBasis.REPORTED], _token_count(run), rank, _known_cost(run)


def _has_more_tokens(stored: AgentRun, run: AgentRun) -> bool:
    return _token_count(stored) > _token_count(run)


def _known_cost(run: AgentRun) -> float:
    return (run.get("cost") or 0.0) + (run.get("lower_bound_cost") or 0.0)


def _token_count(run: AgentRun) -> int:
    kinds = (run.get("input_tokens"), run.get("output_tokens"), run.get("cache_read_tokens"))
    return sum(count or 0 for count in (*kinds, run.get("cache_creation_tokens")))


def _with_attempt_number(run: AgentRun, earlier: Sequence[AgentRun]) -> AgentRun:
    numbers = [stored.get("attempt", 1) for stored in earlier if stored.get("path") == run["path"]]
    return {**run, "attempt": max([run["attempt"], *(number + 1 for number in numbers)])}
