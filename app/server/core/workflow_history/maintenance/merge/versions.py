"""Merge the versions of one run from several histories into one. Pure.

The result does not depend on the order of the versions. The version whose files were written last has
priority, but its unknown values never replace known ones. An agent's attempt counts once, however many
versions have it. Attempts are ordered by their own times, or else by those of their files.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ...common.coercion import moment_in_utc
from ...common.models import AgentRun, SourceState, Workflow
from ...costs.accounting.attempts import completeness_key
from ...costs.accounting.message_claims import Attempt
from ...enrichment import with_costs
from ...pipeline.merge_fields import add_scores, merge_run

LOCAL_FIELDS: Final = frozenset({
    "similar_workflows", "pattern_count", "copy_of", "patterns", "problems", "first_seen_at",
    "last_changed_at",
})  # fmt: skip
"""Fields of a run that may differ between histories."""

WriteTimes = Mapping[Attempt, float | None]  # when the streams of attempts were written, seconds since 1970


def merge_versions(versions: Iterable[Workflow], write_times: WriteTimes) -> Workflow:
    """Merge all versions of a run into one."""
    first, *rest = sorted(versions, key=version_sort_key)
    merged = first
    for newer in rest:
        merged = _merge_newer(merged, newer, write_times)
    return merged


def version_sort_key(version: Workflow) -> tuple[Any, ...]:
    """Return a sort key for versions of a run, the latest last, by the state of the files that were read."""
    return (
        version.get("last_written_ns") or -1,
        version.get("source_state") == SourceState.MISSING,
        version.get("missing_since") or "",
        version.get("completed_at") or "",
        len(version.get("phase_costs") or ()),
        canonical_json(version),
    )


def canonical_json(version: Mapping[str, Any]) -> str:
    """Serialize a version to text that is equal for equal versions; unknown fields count as missing."""
    fields = {key: value for key, value in version.items() if key not in LOCAL_FIELDS and value is not None}
    fields.pop("cost_data", None)  # computed from the other fields
    return json.dumps(fields, sort_keys=True, default=str)


def _merge_newer(older: Workflow, newer: Workflow, write_times: WriteTimes) -> Workflow:
    merged = merge_run(older, newer)
    attempts = _merge_attempts(older.get("phase_costs") or (), newer.get("phase_costs") or (), write_times)
    if attempts is None:
        return merged
    priced = with_costs({**merged, "model_used": None}, (), attempts)
    return add_scores({**priced, "model_used": priced.get("model_used") or merged.get("model_used")})


def _merge_attempts(
    older: Sequence[AgentRun], newer: Sequence[AgentRun], write_times: WriteTimes
) -> list[AgentRun] | None:
    """Merge the attempts of two versions; None if the newer has the same ones, or some have no identity."""
    if not older or not newer or not all(map(_attempt_name, (*older, *newer))):
        return None
    best: dict[Attempt | None, AgentRun] = {}
    for run in (*newer, *older):
        known = best.get(_attempt_name(run))
        best[_attempt_name(run)] = run if known is None else max(known, run, key=_completeness_sort_key)
    attempts = _number_attempts(best.values(), write_times)
    return None if _comparable(attempts) == _comparable(newer) else attempts


def _attempt_name(run: AgentRun) -> Attempt | None:
    path, identity = run.get("path"), run.get("identity")
    return None if path is None or identity is None else (path, identity)


def _completeness_sort_key(run: AgentRun) -> tuple[Any, ...]:
    """Return a sort key for records of one attempt; the one that covers most of its stream sorts last."""
    fields = {key: value for key, value in run.items() if key not in ("attempt", "superseded")}
    return (*completeness_key(run), json.dumps(fields, sort_keys=True, default=str))


def _comparable(runs: Iterable[AgentRun]) -> list[tuple[Any, ...]]:
    """Return comparable records of each stream's attempts in order, without their numbers."""
    ordered = sorted(runs, key=lambda run: (run.get("path") or "", run.get("attempt") or 1))
    return [(_attempt_name(run), bool(run.get("superseded")), _completeness_sort_key(run)) for run in ordered]


def _number_attempts(runs: Iterable[AgentRun], write_times: WriteTimes) -> list[AgentRun]:
    """Return the attempts of each stream, numbered by time; all but the last are superseded."""
    by_path: dict[str | None, list[AgentRun]] = defaultdict(list)
    for run in runs:
        by_path[run.get("path")].append(run)
    numbered: list[AgentRun] = []
    for attempts in by_path.values():
        attempts.sort(key=lambda run: _time_sort_key(run, write_times))
        *earlier, last = attempts
        numbered += [{**run, "attempt": number, "superseded": True} for number, run in enumerate(earlier, 1)]
        numbered.append(
            {**last, "attempt": len(attempts), "superseded": bool(last.get("superseded")) and not earlier}
        )
    return numbered


def _time_sort_key(run: AgentRun, write_times: WriteTimes) -> tuple[Any, ...]:
    """Return a sort key for the attempts of one stream.

    Their numbers depend on the attempts that one history saw, so they only matter if no time is known.
    """
    name, moment = _attempt_name(run), moment_in_utc(run.get("timestamp") or run.get("ended_at"))
    file_time = None if name is None else write_times.get(name)
    seconds = file_time if moment is None else moment.timestamp()
    return (
        seconds is not None,
        seconds or 0.0,
        run.get("attempt") or 1 if seconds is None else 0,
        run.get("identity") or "",
    )
