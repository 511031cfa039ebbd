"""The runs that a run's list of similar ones names, as the history knows them now: a run in, pairs out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import database
from ..models import Workflow
from ..store.history import History


class Like(NamedTuple):
    """A similar run."""

    link: Mapping[str, Any]  # {id, project, similarity_score}
    run: Workflow | None  # None: the history does not know it any more


def likes_of(run: Mapping[str, Any]) -> list[Like]:
    """Return the runs that are like one, best first."""
    with database.existing() as history:
        return [] if history is None else likes_in(history, run)


def likes_in(history: History, run: Mapping[str, Any]) -> list[Like]:
    """Return the same out of an open history; a link without a project means the run's own."""
    links = run.get("similar_workflows") or ()
    names = [(str(link.get("project") or run.get("project") or ""), str(link["id"])) for link in links]
    keys = history.keys_of(names)
    runs = history.read(list(keys.values()))
    return [Like(link, runs.get(keys.get(name, -1))) for link, name in zip(links, names, strict=True)]
