"""Resolve a run's stored list of similar runs: a run in, pairs of link and current run out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import database
from ..common.models import Workflow
from ..storage.history import History


class SimilarLink(NamedTuple):
    """An entry of a list of similar runs, with its run."""

    link: Mapping[str, Any]  # {id, project, similarity_score}
    run: Workflow | None  # None: no longer in the history


def resolve_similar(run: Mapping[str, Any]) -> list[SimilarLink]:
    """Return the runs in a run's list of similar runs, most similar first."""
    with database.open_if_exists() as history:
        return [] if history is None else resolve_similar_in(history, run)


def resolve_similar_in(history: History, run: Mapping[str, Any]) -> list[SimilarLink]:
    """Resolve the list in an open history; a link without a project is in the run's own project."""
    links = run.get("similar_workflows") or ()
    names = [(str(link.get("project") or run.get("project") or ""), str(link["id"])) for link in links]
    keys = history.keys_of(names)
    runs = history.read(list(keys.values()))
    return [SimilarLink(link, runs.get(keys.get(name, -1))) for link, name in zip(links, names, strict=True)]
