"""Update stored lists of similar runs incrementally: features of changed runs in, changed lists out.

The lists always equal those of a full recomputation. Only lists affected by changed runs are computed, and
the index is loaded when the first run changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis.similarity.version import MODEL_VERSION
from ..common.models import Workflow
from ..storage.history import History
from ..storage.rows.row_codec import WORKFLOW
from ..storage.writing.similarity_rows import StaleRun

if TYPE_CHECKING:  # importing numpy and the word table takes longer than a sync without changes
    from ..similarity import RunFeatures
    from .similarity_index import SimilarityIndex

Identity = tuple[str, str]  # project, id

_COMPARED_FIELDS = WORKFLOW.subset(("nl_input", "status", "total_cost", "duration_seconds"))
_MAX_TEXTS = 1_000  # number of requests in memory at a time


class SimilarityChanges:
    """Changed lists of similar runs and the features they were computed from, ready to be stored."""

    def __init__(self, index: SimilarityIndex | None = None) -> None:
        self._index = index
        self._changes = index.compute_changes() if index else None

    def __bool__(self) -> bool:
        return self._changes is not None

    def save(self, history: History, keys: Mapping[Identity, int]) -> None:
        """Store the changes; `keys` are the database keys of the changed runs, which are already stored."""
        if self._index and self._changes:
            self._index.save(history.similarity(), self._changes, keys)


class SimilarityUpdater:
    """Similarity index for one sync: loaded once, then updated in memory."""

    def __init__(self, history: History) -> None:
        self._similarity = history.similarity()
        self._index: SimilarityIndex | None = None
        self._version = 0  # similarity version of the history when the index was loaded
        self._outdated_keys: set[int] = set()  # keys of runs whose values in memory are outdated

    @property
    def is_stale(self) -> bool:
        """Whether stored lists are outdated, even if no run changed in this sync."""
        return bool(self._similarity.stale_runs(MODEL_VERSION))

    def add(self, changed: Sequence[RunFeatures]) -> None:
        """Add changed runs; the next `compute_changes` compares them.

        They must be stored by then. Until their lists are stored, the history marks these runs as stale.
        """
        if changed:
            self._loaded().add(changed)

    def reload(self, keys: Iterable[int]) -> None:
        """Load these runs from the history next time, since they were changed there."""
        self._outdated_keys.update(keys)

    def compute_changes(self, changed: Sequence[RunFeatures] = ()) -> SimilarityChanges:
        """Compute the changes of the stored lists caused by these runs and those added before.

        Runs that other processes stored since their lists were made count as changed. Save the result before
        the next call.
        """
        stale = self._similarity.stale_runs(MODEL_VERSION)
        if not (changed or stale or (self._index and self._index.pending)):
            return SimilarityChanges()
        index = self._loaded()
        current_ids = index.pending - {
            (run.project, run.id) for run in stale if run.key in self._outdated_keys
        }
        self._outdated_keys.clear()
        index.add(changed)
        current_ids.update(run.key for run in changed)
        unseen_runs = [run for run in stale if (run.project, run.id) not in current_ids]
        for start in range(0, len(unseen_runs), _MAX_TEXTS):
            index.add(self._load_features(unseen_runs[start : start + _MAX_TEXTS]))
        index.set_keys({(run.project, run.id): run.key for run in stale})
        return SimilarityChanges(index)

    def reset(self) -> None:
        """Discard the index, since the added runs were not stored; it is loaded again when needed."""
        self._index = None

    def _loaded(self) -> SimilarityIndex:
        """Return the index, loaded again if another process wrote since."""
        from .similarity_index import SimilarityIndex  # noqa: PLC0415 - see above

        version = self._similarity.version()
        if self._index is None or version != self._version:
            self._index = SimilarityIndex.load(self._similarity)
            self._version = version
        return self._index

    def _load_features(self, runs: Sequence[StaleRun]) -> list[RunFeatures]:
        ids_by_key = {run.key: {"project": run.project, "id": run.id} for run in runs}
        columns = [field.column for field in _COMPARED_FIELDS.fields.values()]
        rows = self._similarity.features(list(ids_by_key))
        return [
            features_of(
                {**ids_by_key[key], **_COMPARED_FIELDS.decode(dict(zip(columns, values, strict=True)))}
            )
            for key, *values in rows
        ]


def run_id_of(workflow: Workflow) -> Identity:
    """Return the identity of a workflow: its project and id."""
    return str(workflow.get("project") or ""), str(workflow["id"])


def features_of(workflow: Workflow) -> RunFeatures:
    """Compute a workflow's features from its values as stored, with rounded costs."""
    from ..similarity import run_features  # noqa: PLC0415 - see above

    values, _ = _COMPARED_FIELDS.encode({key: workflow.get(key) for key in _COMPARED_FIELDS.fields})
    columns = (field.column for field in _COMPARED_FIELDS.fields.values())
    rounded = _COMPARED_FIELDS.decode(dict(zip(columns, values, strict=True)))
    return run_features(run_id_of(workflow), {**workflow, **rounded})
