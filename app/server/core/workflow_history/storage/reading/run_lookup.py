"""Find stored runs by id, "project/id" or the beginning of an id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import Connection, Select, select

from ...common.errors import MAX_CANDIDATES, AmbiguousWorkflowError, WorkflowNotFoundError
from ..rows.column_types import sanitize_text
from ..tables.schema import agent_runs, workflows
from . import page_query

_MAX_SUGGESTIONS, _MIN_SUGGESTION_LENGTH = 3, 4  # maximum number of suggestions, minimum characters for them
_MIN_SESSION_LENGTH = 8  # minimum characters of a session id
_MIN_SIMILARITY = 0.75  # minimum similarity of two ids, 0 to 1
_MAX_COMPARED = 500  # maximum number of runs whose ids are compared with an unknown one
_MAX_PREFIX_LENGTH = 10_000  # maximum length of a prefix, characters; databases don't match much longer ones


@dataclass(frozen=True, slots=True)
class RunRef:
    """Reference to a stored workflow."""

    key: int
    project: str
    id: str


def query_refs(connection: Connection, query: Select[Any]) -> list[RunRef]:
    """Return references to the workflows of a query."""
    return [RunRef(*row) for row in connection.execute(query)]


def find_by_reference(connection: Connection, reference: str, project: str | None = None) -> RunRef | None:
    """Return the workflow with this id or "project/id", or None if there is none.

    Raises AmbiguousWorkflowError if several projects have the id.
    """
    refs = query_refs(connection, page_query.by_reference(reference, project))
    exact = [ref for ref in refs if f"{ref.project}/{ref.id}" == reference]
    # "omni/a1" is the run a1 of omni, even if another project has a run with the id "omni/a1".
    return _single(reference, min([exact, refs], key=len) if exact else refs)


def find_by_prefix(connection: Connection, prefix: str) -> RunRef:
    """Return the only workflow whose id, "project/id" or part of its id after a slash begins with `prefix`.

    Otherwise return the only one with a session id that begins with `prefix`, of at least 8 characters, or
    that is named like the stream file `prefix`. A trailing … is ignored. Raises AmbiguousWorkflowError, or
    WorkflowNotFoundError with similar ids.
    """
    text = prefix.rstrip("…")
    if len(text) > _MAX_PREFIX_LENGTH:
        raise WorkflowNotFoundError(prefix)
    by_session = (page_query.by_session,) if len(text) >= _MIN_SESSION_LENGTH else ()
    for query in (page_query.by_prefix, page_query.by_part_prefix, *by_session):
        ref = _single(prefix, query_refs(connection, query(text, MAX_CANDIDATES)))
        if ref is not None:
            return ref
    if text.endswith((".jsonl", ".json")):
        text = PurePosixPath(text.replace("\\", "/")).stem
        ref = _single(prefix, query_refs(connection, page_query.by_file_name(text, MAX_CANDIDATES)))
        if ref is not None:
            return ref
    raise WorkflowNotFoundError(prefix, _suggestions(connection, text))


def _suggestions(connection: Connection, text: str) -> list[str]:
    """Return a few runs whose id contains the text, or is spelled similarly."""
    if len(text) < _MIN_SUGGESTION_LENGTH:
        return []
    refs = query_refs(connection, page_query.by_substring(text, _MAX_SUGGESTIONS))
    if not refs:
        name = text.rpartition("/")[2]
        candidates = query_refs(connection, page_query.by_substring(name[: len(name) // 2], _MAX_COMPARED))
        by_name = {ref.id.rpartition("/")[2]: ref for ref in candidates}
        refs = [by_name[word] for word in get_close_matches(name, by_name, _MAX_SUGGESTIONS, _MIN_SIMILARITY)]
    return [f"{ref.project}/{ref.id}" if ref.project else ref.id for ref in refs]


def newest_by_prefix(connection: Connection, prefix: str, limit: int) -> list[RunRef]:
    """Return the newest workflows whose id, or "project/id", begins with `prefix`."""
    query = page_query.by_prefix(prefix, limit, whole_projects=True).order_by(None)
    return query_refs(connection, query.order_by(workflows.c.created_at.desc().nulls_last()))


def distinct_values(connection: Connection, name: str, prefix: str, limit: int) -> list[str]:
    """Return the distinct values of a column of runs or agent runs that begin with `prefix`."""
    column = (workflows if name in workflows.c else agent_runs).c[name]
    query = select(column).distinct().where(column.startswith(sanitize_text(prefix), autoescape=True))
    return list(connection.scalars(query.order_by(column).limit(limit)))


def _single(reference: str, refs: Sequence[RunRef]) -> RunRef | None:
    if len(refs) > 1:
        raise AmbiguousWorkflowError(reference, sorted(f"{ref.project}/{ref.id}" for ref in refs))
    return refs[0] if refs else None
