"""Count stored runs' costs anew, at today's price table: ids, a status or dates in, what was done out."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from . import database
from .analytics import score_parts
from .enrichment import COST_FIELDS, streams_in, with_costs
from .errors import InvalidQueryError, WorkflowHistoryError
from .models import Workflow
from .store.engine import exists
from .store.history import History, WorkflowRef
from .syncing.merging import COMPLETE, former_attempts, merged, phase_metrics_of, storable
from .syncing.related import changes_after, identity_of, with_vector

logger = logging.getLogger("workflow_history")


def resync_workflow_cost(workflow_id: str) -> dict[str, Any]:
    """Count one run's costs anew from its files: {success, workflow_id, updated, message}.

    A run whose files are gone keeps its costs: that is a success without an update.
    """
    if not isinstance(workflow_id, str):
        return _answer(workflow_id, "an id is text", success=False)
    url = database.current_url()
    if not exists(url):
        return _answer(workflow_id, "there is no history yet: sync first", success=False)
    with History.open(url) as history:
        try:
            stored = history.get(workflow_id)
        except WorkflowHistoryError as error:
            return _answer(workflow_id, str(error), success=False)
        if stored is None:
            return _answer(workflow_id, "no stored workflow has this id", success=False)
        return _resync(history, stored)


def resync_all_completed_workflows(
    status_filter: str | None = "completed", batch_size: int = 50
) -> dict[str, Any]:
    """Count the costs of every run with this status anew; None means every status.

    Returns {total_processed, successful, failed, workflows}. Runs are paged by key, `batch_size` at a
    time, so that changing them neither repeats nor skips one.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InvalidQueryError(f"batch_size is {batch_size!r}; use a whole number of at least 1")
    return _resync_many(batch_size, status=status_filter)


def resync_workflows_by_date_range(start_date: str | datetime, end_date: str | datetime) -> dict[str, Any]:
    """Count the costs of the runs created from `start_date` to `end_date` anew.

    Dates are ISO 8601 or datetimes; without an offset they are UTC. A day as the end (`2026-01-31`)
    counts whole, a time is not included. Same shape as for all runs.
    """
    start, end = _date(start_date), _date(end_date)
    if isinstance(end_date, str) and len(end_date) <= len("2026-01-31"):
        end += timedelta(days=1)
    if end < start:
        raise InvalidQueryError(f"the range ends ({end_date}) before it starts ({start_date})")
    return _resync_many(50, created_from=start, created_before=end)


def _resync_many(batch_size: int, **chosen: Any) -> dict[str, Any]:
    url = database.current_url()
    if not exists(url):
        return _summary([])
    answers: list[dict[str, Any]] = []
    with History.open(url) as history:
        after = 0
        while refs := history.refs(after_key=after, limit=batch_size, **chosen):
            after = refs[-1].key
            answers.extend(_resync_batch(history, refs))
    return _summary(answers)


def _resync_batch(history: History, refs: list[WorkflowRef]) -> Iterable[dict[str, Any]]:
    for stored in history.read([ref.key for ref in refs]).values():
        try:
            yield _resync(history, stored)
        except WorkflowHistoryError as error:
            logger.error("resync_failed id=%s error=%s", stored["id"], error)  # noqa: TRY400 - told in the answer
            yield _answer(stored["id"], str(error), success=False)


def _resync(history: History, stored: Workflow) -> dict[str, Any]:
    """Read one run's streams again and store what they cost, with what follows from it."""
    folder = stored.get("agents_dir")
    streams = streams_in(Path(folder), stored["id"]) if folder and Path(folder).is_dir() else ()
    if not streams:
        return _answer(
            stored["id"], "no stream of it is there any more: its costs stay as they are", success=True
        )
    fresh = merged(stored, with_costs({**stored, "model_used": None}, streams, former_attempts(stored)))
    changed = [name for name in COST_FIELDS if name != "phase_costs" and fresh.get(name) != stored.get(name)]
    if not changed:
        return _answer(stored["id"], "its costs are up to date", success=True)
    fresh.update(phase_metrics_of(fresh))
    parts = score_parts(fresh)
    fresh.update({name: part["value"] for name, part in parts.items()}, score_parts=parts)
    fresh = with_vector(fresh)
    with history.transaction():
        similar = changes_after(history, [fresh])
        history.save([storable(fresh)], replace=COMPLETE)
        names = {
            identity_of(fresh),
            *similar.lists,
            *(n for pairs in similar.lists.values() for n, _ in pairs),
        }
        similar.save(history, history.keys_of(sorted(names)))
    return _answer(stored["id"], f"counted anew: {', '.join(changed)}", success=True, updated=True)


def _answer(workflow_id: str, message: str, *, success: bool, updated: bool = False) -> dict[str, Any]:
    return {"success": success, "workflow_id": workflow_id, "updated": updated, "message": message}


def _summary(answers: list[dict[str, Any]]) -> dict[str, Any]:
    successful = sum(1 for answer in answers if answer["success"])
    return {
        "total_processed": len(answers),
        "successful": successful,
        "failed": len(answers) - successful,
        "workflows": answers,
    }


def _date(value: str | datetime) -> datetime:
    try:
        when = datetime.fromisoformat(value) if isinstance(value, str) else value
        return when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)
    except (ValueError, AttributeError, OverflowError):
        raise InvalidQueryError(f"{value!r} is no date; write e.g. 2026-01-31") from None
