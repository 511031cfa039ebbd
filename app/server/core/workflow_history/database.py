"""The history's database behind five functions: dicts go in and out; each call opens and closes it.

Where a server asks for that, it stays open between calls.
Many workflows at a time go through `storage.history.History`, which these functions use too.
"""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import URL

from .analysis.patterns.sequences import drop_subsequences
from .analysis.statistics.workflow_totals import GroupTotals
from .common.errors import InvalidQueryError, WorkflowHistoryError, WorkflowNotFoundError
from .common.filters import RunFilter
from .common.models import Workflow
from .storage.connection.engine import display_name, exists
from .storage.connection.pool import HistoryPool
from .storage.connection.url import database_url, default_location
from .storage.history import History, StoredPage
from .storage.reading.page_query import PageQuery
from .storage.reading.run_lookup import not_found
from .storage.writing.redact_stored import RedactionResult

_DB_VARIABLE = "WORKFLOW_HISTORY_DB"

DB_PATH: Path | str | URL | None = default_location(os.environ.get(_DB_VARIABLE))
"""A path or database URL. Set it to use another database; it is read at each call."""

_DB_PATH_AT_IMPORT = DB_PATH

_KEPT = HistoryPool()


class _Chosen(NamedTuple):
    """The database that a part of the program uses in the place of the configured one."""

    location: Path | str | URL
    must_exist: bool  # reading one that is not there is an error, not an empty history


_CHOSEN: ContextVar[_Chosen | None] = ContextVar("workflow_history_database", default=None)


@contextmanager
def use_database(location: Path | str | URL, *, must_exist: bool = False) -> Iterator[None]:
    """Use this database until the end of the context, in this thread and the tasks that it starts."""
    token = _CHOSEN.set(_Chosen(location, must_exist))
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def current_url() -> URL:
    """Return the database in use: one chosen for the context, a set DB_PATH, else the environment's."""
    if (chosen := _CHOSEN.get()) is not None:
        return database_url(chosen.location)
    if DB_PATH is not None and DB_PATH is not _DB_PATH_AT_IMPORT:
        return database_url(DB_PATH)
    return database_url(default_location(os.environ.get(_DB_VARIABLE)))


def init_db() -> None:
    """Make the database, or bring its tables up to date; harmless where nothing is to be done."""
    with History.open(current_url()):
        pass


def insert_workflow(workflow: Mapping[str, Any]) -> bool:
    """Store a new workflow; False where its project has one of that id already."""
    _check_is_dict(workflow)
    with History.open(current_url()) as history:
        return history.insert(workflow)


def update_workflow(workflow_id: str, workflow: Mapping[str, Any]) -> bool:
    """Merge into a stored workflow; False where there is none. None never overwrites a value."""
    _check_is_dict(workflow)
    with open_if_exists(may_be_assigned=True) as history:
        if history is None:
            return False
        return history.update(str(workflow_id), workflow)


def get_workflow_by_id(workflow_id: str) -> Workflow | None:
    """Return the workflow with this id, or "project/id", or None.

    Raises AmbiguousWorkflowError where several projects have the id.
    """
    with open_if_exists(may_be_assigned=True) as history:
        if history is None:
            return None
        return history.get(str(workflow_id))


@contextmanager
def open_if_exists(*, may_be_assigned: bool = False) -> Iterator[History | None]:
    """Open the history in use, or give None where there is none yet: reading makes no database.

    Raises WorkflowHistoryError if one was named that is not there. With `may_be_assigned`, one that was
    assigned to DB_PATH need not be there yet: the contract has it so for its functions.
    """
    url = current_url()
    if not exists(url):
        if not _KEPT.is_keeping:  # a server shows a history as soon as it is there
            require_named_history(may_be_assigned=may_be_assigned)
        yield None
        return
    with _KEPT.acquire(url) as history:
        yield history


@contextmanager
def open_required() -> Iterator[History]:
    """Open the history in use; raises WorkflowHistoryError where there is none yet."""
    with open_if_exists() as history:
        if history is None:
            raise WorkflowHistoryError(f"there is no history at {database_name()} yet")
        yield history


def pooled_connections() -> AbstractContextManager[None]:
    """Keep the history open between calls, until the end of the context: what serves many asks it often."""
    return _KEPT.enabled()


def change_token() -> Hashable:
    """Return what is equal as long as nothing was stored in between; None where there is no history yet."""
    url = current_url()
    return _KEPT.data_version(url) if exists(url) else None


def history_exists() -> bool:
    """Return whether there is a history already."""
    return exists(current_url())


def require_named_history(*, may_be_assigned: bool = False) -> None:
    """Raise WorkflowHistoryError where the history that was named is not there: that is no empty answer."""
    assigned = DB_PATH is not None and DB_PATH is not _DB_PATH_AT_IMPORT
    if (chosen := _CHOSEN.get()) is not None:
        named = chosen.must_exist
    else:
        named = not may_be_assigned if assigned else bool(os.environ.get(_DB_VARIABLE))
    if named and not history_exists():
        raise WorkflowHistoryError(
            f"there is no history at {database_name()} yet; workflow-history sync makes one"
        )


def _check_is_dict(workflow: object) -> None:
    if not isinstance(workflow, Mapping):
        raise InvalidQueryError(f"a workflow is a dict, not {type(workflow).__name__}")


def run_totals() -> list[GroupTotals]:
    """Return what the stored runs add up to, by status, model, template and cost basis."""
    with open_if_exists(may_be_assigned=True) as history:
        if history is None:
            return []
        # numpy takes longer to import than most commands take
        from .analysis.statistics import history_sums  # noqa: PLC0415

        return history_sums.group_totals(history.columns("runs", history_sums.COLUMNS))


def load_workflow(reference: str) -> Workflow | None:
    """Return the workflow that an id, "project/id" or the beginning of one of its parts means, or None.

    It carries `patterns` that recur in other runs and the `problems` of its files beside its fields.
    Raises AmbiguousWorkflowError where several match.
    """
    try:
        return the_workflow(reference)
    except WorkflowNotFoundError:
        return None


def the_workflow(reference: str) -> Workflow:
    """Return the same workflow, or raise WorkflowNotFoundError, which names runs of like ids."""
    with open_if_exists() as history:
        if history is None:
            raise not_found(reference)
        found = history.find(reference)
        workflow = history.read([found.key])[found.key]
        problems = history.problems(workflow.get("agents_dir") or "", found.key)
        return {**workflow, "patterns": drop_subsequences(history.patterns(found.key)), "problems": problems}


def database_name() -> str:
    """Return where the history lies: a file's path, or a URL without its password."""
    return display_name(current_url())


def schema_version() -> str | None:
    """Return the version of the database's tables; None where there is no database yet."""
    with open_if_exists() as history:
        if history is None:
            return None
        return history.schema_version()


def check() -> list[str]:
    """Return what is damaged in the database, one sentence each; an empty list: all is well."""
    with open_if_exists() as history:
        if history is None:
            return []
        return history.check()


def redact(*, no_text: bool = False) -> RedactionResult:
    """Take out of the stored runs the secrets that would not be stored today; `no_text`: all texts.

    Raises WorkflowHistoryError where there is no history.
    """
    with open_required() as history:
        return history.scrub(no_text=no_text)


def get_workflow_history(  # noqa: PLR0917 - the signature is a contract
    limit: int = 50,
    offset: int = 0,
    status: str | None = None,
    search: str | None = None,
    sort_by: str = "created_at",
    sort_order: str = "DESC",
) -> dict[str, Any]:
    """Return one page: {workflows, total, limit, offset}; unknown sort values come last.

    `search` finds words, see docs/asking.md. Raises InvalidQueryError, a ValueError that names the
    allowed values.
    """
    if status is not None and not isinstance(status, str):
        raise InvalidQueryError(f"status={status!r} is not allowed; use text or None")
    wanted = RunFilter(search=search, status=() if status is None else (status,))
    query = PageQuery(wanted, sort_by, sort_order, limit, offset)
    with open_if_exists(may_be_assigned=True) as history:
        page = StoredPage([], 0, None) if history is None else history.page(query)
    return {"workflows": page.workflows, "total": page.total, "limit": limit, "offset": offset}
