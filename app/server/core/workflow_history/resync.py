"""Reprice stored runs by id, status or date range: recalculate costs with the current prices."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from . import database
from .common.errors import (
    BusyError,
    ConnectionLostError,
    InvalidQueryError,
    InvalidValueError,
    WorkflowHistoryError,
)
from .common.models import AgentRun, ScannedRun, Workflow
from .costs.accounting.message_claims import (
    NOTHING_ELSEWHERE,
    Attempt,
    Claim,
    Elsewhere,
    Seen,
    elsewhere_of,
    seen_units,
    to_store,
    with_first_written,
)
from .enrichment import COST_FIELDS, with_claims
from .ingest.config.own_prices import use_configured_prices
from .ingest.files import to_path
from .ingest.runs.build_run import without_file_times
from .ingest.sources.scan import Surroundings
from .pipeline.folder_lock import WaitPolicy, lock_folder
from .pipeline.merge_fields import (
    REPLACED_FIELDS,
    add_scores,
    agents_with_stream,
    merge_run,
    previous_attempts,
    strip_derived,
)
from .pipeline.shared_messages import runs_to_settle, settle_shares
from .pipeline.similarity_update import SimilarityUpdater, run_id_of
from .pipeline.unfinished_work import finish
from .storage.history import History, RunRef

logger = logging.getLogger("workflow_history")


@use_configured_prices()
def resync_workflow_cost(workflow_id: str, *, wait: WaitPolicy = True) -> dict[str, Any]:
    """Reprice one run from its files; return {success, workflow_id, updated, message}.

    Waits for a sync of the run's directory; `wait` is that of `sync_workflow_history`. A run whose files are
    missing keeps its costs: that is a success without an update.
    """
    if not isinstance(workflow_id, str):
        return _result(workflow_id, "an id is text", success=False)
    with database.open_if_exists(may_be_assigned=True) as history:
        if history is None:
            return _result(workflow_id, "there is no history yet: sync first", success=False)
        try:
            stored = history.get(workflow_id)
        except WorkflowHistoryError as error:
            return _result(workflow_id, str(error), success=False)
        result = None
        if stored is not None:
            try:
                result = _resync_run(history, SimilarityUpdater(history), _SurroundingsCache(), stored, wait)
            except BusyError as error:
                return _result(workflow_id, str(error), success=False)
        if result is None:
            return _result(workflow_id, "no run has this id", success=False)
        finish(history)
        return result


def resync_all_completed_workflows(
    status_filter: str | None = "completed", batch_size: int = 50, *, wait: WaitPolicy = True
) -> dict[str, Any]:
    """Reprice all runs with this status; None means every status.

    Returns {total_processed, successful, failed, workflows}. Runs are paged by key, `batch_size` at a
    time, so that updates neither repeat nor skip a run.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InvalidValueError("batch_size", batch_size, "Use a whole number of 1 or more.")
    return _resync_many(batch_size, wait, status=status_filter)


def resync_workflows_by_date_range(
    start_date: str | datetime, end_date: str | datetime, *, wait: WaitPolicy = True
) -> dict[str, Any]:
    """Reprice the runs created from `start_date` to `end_date`.

    Dates are ISO 8601 strings or datetimes; without an offset they are UTC. An end date without a time
    (`2026-01-31`) includes the whole day; an end with a time is exclusive. Returns the same as
    `resync_all_completed_workflows`.
    """
    start, end = _parse_date(start_date), _parse_date(end_date)
    if isinstance(end_date, str) and len(end_date) <= len("2026-01-31"):
        end += timedelta(days=1)
    if end < start:
        raise InvalidQueryError(f"The end date {end_date} is before the start date {start_date}.")
    return _resync_many(50, wait, created_from=start, created_before=end)


@use_configured_prices()
def _resync_many(batch_size: int, wait: WaitPolicy, **filters: Any) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    with database.open_if_exists(may_be_assigned=True) as history:
        if history is None:
            return _summary(results)
        similarity, surroundings, after_key = SimilarityUpdater(history), _SurroundingsCache(), 0
        while refs := history.list_refs(after_key=after_key, limit=batch_size, **filters):
            after_key = refs[-1].key
            results.extend(_resync_batch(history, similarity, surroundings, refs, wait))
        finish(history)
    return _summary(results)


def _resync_batch(
    history: History,
    similarity: SimilarityUpdater,
    surroundings: _SurroundingsCache,
    refs: list[RunRef],
    wait: WaitPolicy,
) -> Iterable[dict[str, Any]]:
    for stored in history.read([ref.key for ref in refs]).values():
        try:
            result = _resync_run(history, similarity, surroundings, stored, wait)
        except ConnectionLostError:
            raise  # no other run could be stored either
        except WorkflowHistoryError as error:
            similarity.reset()
            logger.error("resync_failed id=%s error=%s", stored["id"], error)  # noqa: TRY400 - the result has it
            result = _result(stored["id"], str(error), success=False)
        if result is not None:
            yield result


def _resync_run(
    history: History,
    similarity: SimilarityUpdater,
    surroundings: _SurroundingsCache,
    stored: Workflow,
    wait: WaitPolicy,
) -> dict[str, Any] | None:
    """Read one run's streams again and store their costs, while no sync of its directory runs.

    Returns None if the run was deleted in the meantime.
    """
    key = history.keys_of([run_id_of(stored)]).get(run_id_of(stored))
    if key is None:
        return None
    agents_dir = stored.get("agents_dir")
    if not agents_dir or not to_path(agents_dir).is_dir():
        return _reprice(history, similarity, surroundings, key)
    with lock_folder(history, agents_dir, wait):
        return _reprice(history, similarity, surroundings, key)


class _SurroundingsCache(dict[str, Surroundings]):
    """Agents directories by address; each is listed only once."""

    def __missing__(self, folder: str) -> Surroundings:
        self[folder] = Surroundings(to_path(folder))
        return self[folder]


def _reprice(
    history: History, similarity: SimilarityUpdater, surroundings: _SurroundingsCache, key: int
) -> dict[str, Any] | None:
    """Read one run's streams again and store their costs and all values derived from them.

    The files are read before the transaction. Their values are merged into the run as stored in it: a merge
    may have added other attempts in the meantime, or a prune may have deleted the run.
    """
    stored = history.read([key]).get(key)
    while stored is not None:
        agents_dir = stored.get("agents_dir")
        agent_names = agents_with_stream(stored)
        scanned = None
        if agents_dir:
            scanned = surroundings[agents_dir].read(stored["id"], datetime.now(UTC), agent_names)
        if scanned is None or not scanned.streams:
            return _result(
                stored["id"],
                "its transcripts are missing: its costs stay as they are",
                success=True,
            )
        seen = seen_units(history.claims([key]).get(key, ()))
        repriced, _ = _with_current_costs(stored, scanned, NOTHING_ELSEWHERE, seen)
        if not _changed_fields(stored, repriced):
            return _result(stored["id"], "its costs are up to date", success=True)
        with history.transaction():
            current = history.read([key]).get(key)
            if current is not None and current.get("agents_dir") == agents_dir:
                return _store_costs(history, similarity, key, current, scanned)
        stored = current
    return None


def _with_current_costs(
    stored: Workflow, scanned: ScannedRun, elsewhere: Mapping[Attempt, Elsewhere], seen: Seen
) -> tuple[Workflow, list[Claim]]:
    """Return a stored run with the current costs from its files, and the claim of each stream.

    `elsewhere` and `seen` are those of `compute_cost_and_claims`.
    """
    previous = previous_attempts(stored)
    streams = scanned.streams
    if previous and not _has_file_times(previous):
        streams = without_file_times(streams)
    agents_without_stream = scanned.workflow["agents_without_stream"]
    base = {**stored, "model_used": None, "agents_without_stream": agents_without_stream}
    costed, claims = with_claims(base, streams, previous, elsewhere, seen)
    return merge_run(stored, costed), claims


def _store_costs(
    history: History, similarity: SimilarityUpdater, key: int, stored: Workflow, scanned: ScannedRun
) -> dict[str, Any]:
    """Store the values read from a run's files, in the caller's transaction."""
    keeps_text = history.check_text_policy()
    previous_claims = {claim.name: claim for claim in history.claims([key]).get(key, ())}
    elsewhere = elsewhere_of(previous_claims.values())
    repriced, new_claims = _with_current_costs(
        stored, scanned, elsewhere, seen_units(previous_claims.values())
    )
    claims = [
        # a merge may have brought an earlier time
        with_first_written(claim, previous_claims.get(claim.name, claim))
        for claim in to_store(new_claims, scanned.written, elsewhere, keeps_text=keeps_text)
    ]
    history.save([strip_derived(add_scores(repriced))], replace=REPLACED_FIELDS)
    history.save_claims({key: claims})
    settle_shares(history, runs_to_settle(history, {key: claims}, frozenset()))
    similarity.compute_changes().save(history, {})
    changed = _changed_fields(stored, history.read([key])[key])
    if not changed:
        return _result(stored["id"], "its costs are up to date", success=True)
    return _result(stored["id"], f"repriced: {', '.join(changed)}", success=True, updated=True)


def _changed_fields(stored: Workflow, repriced: Workflow) -> list[str]:
    return [name for name in COST_FIELDS if name != "phase_costs" and repriced.get(name) != stored.get(name)]


def _has_file_times(attempts: Iterable[AgentRun]) -> bool:
    """Return whether the sync trusted the file times; a single run may not show that its tree was copied."""
    return any(run.get("timestamp") or run.get("ended_at") for run in attempts)


def _result(workflow_id: str, message: str, *, success: bool, updated: bool = False) -> dict[str, Any]:
    return {"success": success, "workflow_id": workflow_id, "updated": updated, "message": message}


def _summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    successful = sum(result["success"] for result in results)
    return {
        "total_processed": len(results),
        "successful": successful,
        "failed": len(results) - successful,
        "workflows": results,
    }


def _parse_date(value: str | datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, AttributeError, OverflowError):
        raise InvalidValueError("date", value, "Use a date, such as 2026-01-31.") from None
