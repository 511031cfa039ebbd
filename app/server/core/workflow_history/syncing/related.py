"""Keep stored lists of similar runs up to date: an open history and changed runs in, changed lists out.

The lists always equal what a full recomputation gives; only what the changed runs touch is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..models import Workflow
from ..similarity import MODEL_VERSION, RunFeatures, build_table, run_features, text_vector, updated_matches
from ..store.history import History
from ..store.reads import SimilarityRow

THRESHOLD = 0.5
LIMIT = 5

Identity = tuple[str, str]  # project, id
Lists = dict[Identity, list[tuple[Identity, float]]]


@dataclass(slots=True)
class Changes:
    """What is to be stored: lists that are not as stored, and vectors that another model had made."""

    lists: Lists = field(default_factory=dict)
    vectors: dict[int, bytes | None] = field(default_factory=dict)

    @property
    def names(self) -> set[Identity]:
        """Every run that the lists name."""
        return {*self.lists, *(other for pairs in self.lists.values() for other, _ in pairs)}

    def save(self, history: History, keys: Mapping[Identity, int]) -> None:
        """Store the changes; `keys` names every run of the lists."""
        history.save_text_vectors(self.vectors, MODEL_VERSION)
        history.save_similar_lists(
            {
                keys[name]: [(keys[other], score) for other, score in pairs if other in keys]
                for name, pairs in self.lists.items()
                if name in keys
            }
        )


def identity_of(workflow: Workflow) -> Identity:
    """Return the key that a workflow is known by: its project and id."""
    return str(workflow.get("project") or ""), str(workflow["id"])


def with_vector(workflow: Workflow) -> Workflow:
    """Return the workflow with the vector of its request, and the model that made it."""
    text = workflow.get("nl_input")
    vector = text_vector(text) if isinstance(text, str) else None
    return {**workflow, "text_vector": vector, "text_model": MODEL_VERSION if isinstance(text, str) else None}


def changes_after(history: History, changed: Sequence[Workflow]) -> Changes:
    """Return what becomes of the stored lists once the changed workflows are stored."""
    outdated = history.outdated_texts(MODEL_VERSION)
    if not changed and not outdated:
        return Changes()
    rows = history.similarity_rows()
    renewed = {name: text_vector(text) for name, text in outdated.items()}
    keys = {(row.project, row.id): row.key for row in rows}
    features = {(row.project, row.id): _stored_features(row, renewed) for row in rows}
    moved = {identity_of(workflow): workflow for workflow in changed}
    for name, workflow in moved.items():
        features[name] = run_features(name, workflow, workflow.get("text_vector"))
    lists = _stored_lists(history, {key: name for name, key in keys.items()}, keep=not renewed)
    known = {name: pairs for name, pairs in lists.items() if name in features}
    return Changes(
        updated_matches(build_table(features.values()), known, [*moved], THRESHOLD, LIMIT),
        {keys[name]: vector for name, vector in renewed.items()},
    )


def _stored_lists(history: History, names: Mapping[int, Identity], *, keep: bool) -> Lists:
    """Return the stored lists by name; another text model makes them all worthless."""
    if not keep:
        return {}
    lists: Lists = {name: [] for name in names.values()}
    for key, pairs in history.similar_lists().items():
        lists[names[key]] = [(names[other], score) for other, score in pairs]
    return lists


def _stored_features(row: SimilarityRow, renewed: Mapping[Identity, bytes | None]) -> RunFeatures:
    name = (row.project, row.id)
    known = {"status": row.status, "total_cost": row.total_cost, "duration_seconds": row.duration_seconds}
    return run_features(name, known, renewed.get(name, row.text_vector))
