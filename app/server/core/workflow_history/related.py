"""Keep the lists of similar runs up to date: stored runs and changed ones in, changed lists out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .models import Workflow
from .similarity import RunFeatures, build_table, run_features, updated_matches

THRESHOLD = 0.5
LIMIT = 5

Identity = tuple[str, str]  # project, id
Lists = dict[Identity, list[tuple[Identity, float]]]


class StoredFeatures(NamedTuple):
    """What a stored run is compared by."""

    identity: Identity
    vector: bytes | None
    status: str | None
    cost: float | None  # USD
    duration: float | None  # seconds


def identity_of(workflow: Workflow) -> Identity:
    """Return the key that a workflow is known by: its project and id."""
    return str(workflow.get("project") or ""), str(workflow["id"])


def changed_lists(
    stored: Iterable[StoredFeatures],
    lists: Mapping[Identity, Sequence[tuple[Identity, float]]],
    changed: Iterable[Workflow],
) -> Lists:
    """Return every list that is not as stored once the changed runs are.

    A changed workflow carries its `text_vector`. The result equals a full recomputation.
    """
    features: dict[Identity, RunFeatures] = {
        row.identity: run_features(
            row.identity,
            {"status": row.status, "total_cost": row.cost, "duration_seconds": row.duration},
            row.vector,
        )
        for row in stored
    }
    new = {identity_of(workflow): workflow for workflow in changed}
    for identity, workflow in new.items():
        features[identity] = run_features(identity, workflow, workflow.get("text_vector"))
    complete = {identity: lists.get(identity, ()) for identity in features.keys() - new.keys()}
    return updated_matches(build_table(features.values()), complete, list(new), THRESHOLD, LIMIT)
