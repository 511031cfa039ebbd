"""Which stored workflow a caller means: an id, "project/id" or an id's beginning goes in, a key comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from ..errors import AmbiguousWorkflowError, WorkflowNotFoundError
from . import queries
from .schema import agent_runs, workflows
from .values import storable_text

_MOST_CANDIDATES = 10  # as many as a message can name
_LONGEST = 10_000  # characters of a beginning; a database compares no much longer ones


@dataclass(frozen=True, slots=True)
class WorkflowRef:
    """Where a stored workflow is found."""

    key: int
    project: str
    id: str


def refs(connection: Connection, query: Select[Any]) -> list[WorkflowRef]:
    """Return where the workflows of a query are found."""
    return [WorkflowRef(*row) for row in connection.execute(query)]


def resolved(connection: Connection, reference: str, project: str | None = None) -> WorkflowRef | None:
    """Return the workflow with this id or "project/id", None where there is none.

    Raises AmbiguousWorkflowError where several projects have the id.
    """
    found = refs(connection, queries.named(reference, project))
    exact = [ref for ref in found if f"{ref.project}/{ref.id}" == reference]
    # "omni/a1" is the run a1 of omni, even where another project has a run that is called "omni/a1".
    return _only(reference, min([exact, found], key=len) if exact else found)


def beginning(connection: Connection, prefix: str) -> WorkflowRef:
    """Return the one workflow whose id, or "project/id", begins with `prefix`; a trailing … may stand.

    Raises WorkflowNotFoundError or AmbiguousWorkflowError.
    """
    text = prefix.rstrip("…")
    like = queries.starting_with(text, _MOST_CANDIDATES)
    found = None if len(text) > _LONGEST else _only(prefix, refs(connection, like))
    if found is None:
        raise WorkflowNotFoundError(f"no stored workflow is called {prefix!r}, nor begins so")
    return found


def newest(connection: Connection, prefix: str, most: int) -> list[WorkflowRef]:
    """Return the newest workflows whose id, or "project/id", begins with `prefix`."""
    query = queries.starting_with(prefix, most, whole_projects=True).order_by(None)
    return refs(connection, query.order_by(workflows.c.created_at.desc().nulls_last()))


def words(connection: Connection, name: str, prefix: str, most: int) -> list[str]:
    """Return the words that runs or their agents have in a column and that begin with `prefix`."""
    column = (workflows if name in workflows.c else agent_runs).c[name]
    query = select(column).distinct().where(column.startswith(storable_text(prefix), autoescape=True))
    return list(connection.scalars(query.order_by(column).limit(most)))


def _only(reference: str, found: Sequence[WorkflowRef]) -> WorkflowRef | None:
    if len(found) > 1:
        raise AmbiguousWorkflowError(reference, sorted(f"{ref.project}/{ref.id}" for ref in found))
    return found[0] if found else None
