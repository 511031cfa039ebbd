"""The history database behind five functions that take and return dicts.

Each call opens and closes the database; a server can keep it open between calls. To store many workflows
at once, use `storage.history.History`, which these functions use too.
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
from .common.errors import InvalidQueryError, InvalidValueError, WorkflowHistoryError, WorkflowNotFoundError
from .common.filters import RunFilter
from .common.models import Workflow
from .common.resume import resume_command, transcript_path
from .storage.connection.engine import display_name, exists
from .storage.connection.pool import HistoryPool
from .storage.connection.url import database_url, default_location
from .storage.history import History, StoredPage
from .storage.reading.page_query import PageQuery
from .storage.writing.redact_stored import RedactionResult

_DB_ENV_VAR = "WORKFLOW_HISTORY_DB"

DB_PATH: Path | str | URL | None = default_location(os.environ.get(_DB_ENV_VAR))
"""Path or URL of the database, read on each call. Set it to use another database."""

_DB_PATH_AT_IMPORT = DB_PATH

_POOL = HistoryPool()


class _ContextDatabase(NamedTuple):
    """A database that a context uses instead of the configured one."""

    location: Path | str | URL
    must_exist: bool  # a missing database is an error, not an empty history


_CONTEXT_DATABASE: ContextVar[_ContextDatabase | None] = ContextVar("workflow_history_database", default=None)


@contextmanager
def use_database(location: Path | str | URL, *, must_exist: bool = False) -> Iterator[None]:
    """Use this database until the context ends, in this thread and the tasks that it starts."""
    token = _CONTEXT_DATABASE.set(_ContextDatabase(location, must_exist))
    try:
        yield
    finally:
        _CONTEXT_DATABASE.reset(token)


def current_url() -> URL:
    """Return the URL of the database in use: the context's, else an assigned DB_PATH, else the default."""
    if (context_database := _CONTEXT_DATABASE.get()) is not None:
        return database_url(context_database.location)
    location = _assigned_location()
    return database_url(default_location(os.environ.get(_DB_ENV_VAR)) if location is None else location)


def _assigned_location() -> Path | str | URL | None:
    """Return DB_PATH if it was assigned since the import."""
    return None if DB_PATH is _DB_PATH_AT_IMPORT else DB_PATH


def init_db() -> None:
    """Create the database or migrate its tables; does nothing if it is up to date."""
    with History.open(current_url()):
        pass


def insert_workflow(workflow: Mapping[str, Any]) -> bool:
    """Store a new workflow; return False if its project already has a workflow with that id."""
    _check_is_dict(workflow)
    with History.open(current_url()) as history:
        return history.insert(workflow)


def update_workflow(workflow_id: str, workflow: Mapping[str, Any]) -> bool:
    """Merge fields into a stored workflow; return False if it is missing. None never overwrites a value."""
    _check_is_dict(workflow)
    with open_if_exists(may_be_assigned=True) as history:
        if history is None:
            return False
        return history.update(str(workflow_id), workflow)


def get_workflow_by_id(workflow_id: str) -> Workflow | None:
    """Return the workflow with this id or "project/id", or None.

    Raises AmbiguousWorkflowError if several projects have the id.
    """
    with open_if_exists(may_be_assigned=True) as history:
        if history is None:
            return None
        return history.get(str(workflow_id))


@contextmanager
def open_if_exists(*, may_be_assigned: bool = False) -> Iterator[History | None]:
    """Open the history in use, or yield None if it does not exist: reading creates no database.

    Raises WorkflowHistoryError if an explicitly configured history does not exist. With `may_be_assigned`, a
    missing database is no error if it was assigned to DB_PATH: the contract requires this of its functions.
    """
    url = current_url()
    if not exists(url):
        if not _POOL.is_enabled:  # a server shows a history as soon as it exists
            require_named_history(may_be_assigned=may_be_assigned)
        yield None
        return
    with _POOL.acquire(url) as history:
        yield history


@contextmanager
def open_required() -> Iterator[History]:
    """Open the history in use; raises WorkflowHistoryError if it does not exist."""
    with open_if_exists() as history:
        if history is None:
            raise missing_history_error()
        yield history


def pooled_connections() -> AbstractContextManager[None]:
    """Keep the history open between calls until the context ends; for servers with many requests."""
    return _POOL.enabled()


def change_token() -> Hashable:
    """Return a token that changes whenever the history changes, or None if there is no history."""
    url = current_url()
    return _POOL.data_version(url) if exists(url) else None


def history_exists() -> bool:
    """Return whether the history database exists."""
    return exists(current_url())


def require_named_history(*, may_be_assigned: bool = False) -> None:
    """Raise WorkflowHistoryError if the configured history does not exist.

    A missing database is an error, never an empty result. `may_be_assigned` is that of `open_if_exists`.
    """
    if (context_database := _CONTEXT_DATABASE.get()) is not None:
        is_named = context_database.must_exist
    else:
        is_assigned = _assigned_location() is not None
        is_named = not may_be_assigned if is_assigned else bool(os.environ.get(_DB_ENV_VAR))
    if is_named and not history_exists():
        raise missing_history_error()


def missing_history_error() -> WorkflowHistoryError:
    """Return the error for a history that does not exist."""
    return WorkflowHistoryError(f"No history at {database_name()}. Create it with: workflow-history sync DIR")


def _check_is_dict(workflow: object) -> None:
    if not isinstance(workflow, Mapping):
        raise InvalidQueryError(f"Invalid run: expected a dict, got {type(workflow).__name__}.")


def load_workflow(reference: str) -> Workflow | None:
    """Return the workflow with this id, "project/id" or a prefix of either part, or None.

    Besides its fields it has the recurring `patterns` of the run, the read `problems` of its files, and the
    `transcript` and `resume_command` of a session.
    Raises AmbiguousWorkflowError if several workflows match.
    """
    try:
        return require_workflow(reference)
    except WorkflowNotFoundError:
        return None


def require_workflow(reference: str) -> Workflow:
    """Return the same as `load_workflow`, or raise WorkflowNotFoundError with similar ids."""
    with open_if_exists() as history:
        if history is None:
            raise WorkflowNotFoundError(reference)
        run = history.find(reference)
        workflow = history.read([run.key])[run.key]
        problems = history.problems(workflow.get("agents_dir") or "", run.key)
        return {
            **workflow,
            "patterns": drop_subsequences(history.patterns(run.key)),
            "problems": problems,
            "transcript": transcript_path(workflow),
            "resume_command": resume_command(workflow),
        }


def database_name() -> str:
    """Return the location of the history: a file path, or a URL without its password."""
    return display_name(current_url())


def schema_version() -> str | None:
    """Return the schema version of the database, or None if there is no database."""
    with open_if_exists() as history:
        if history is None:
            return None
        return history.schema_version()


def check() -> list[str]:
    """Verify the database; return one sentence for each fault, an empty list if there is none."""
    with open_if_exists() as history:
        if history is None:
            return []
        return history.check()


def redact(*, no_text: bool = False) -> RedactionResult:
    """Redact secrets in the stored runs by today's rules; `no_text` removes all texts.

    Raises WorkflowHistoryError if there is no history.
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
    """Return one page of runs: {workflows, total, limit, offset}; unknown sort values come last.

    `search` finds words, see docs/tour.md. Raises InvalidQueryError, a ValueError whose message lists the
    allowed values.
    """
    if status is not None and not isinstance(status, str):
        raise InvalidValueError("status", status, "Use text or None.")
    where = RunFilter(search=search, status=() if status is None else (status,))
    query = PageQuery(where, sort_by, sort_order, limit, offset)
    with open_if_exists(may_be_assigned=True) as history:
        page = StoredPage([], 0, None) if history is None else history.page(query)
    return {"workflows": page.workflows, "total": page.total, "limit": limit, "offset": offset}
