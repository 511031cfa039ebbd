"""Keep stored lists of similar runs up to date: what changed runs are compared by in, changed lists out.

The lists always equal what a full recomputation gives; only what the changed runs touch is computed,
and what that takes is loaded when the first run changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..analysis.similarity.version import MODEL_VERSION
from ..common.models import Workflow
from ..storage.history import History
from ..storage.rows.row_codec import WORKFLOW
from ..storage.writing.similarity_rows import StaleRun

if TYPE_CHECKING:  # numpy and the table of words take longer to import than a sync without news takes
    from ..similarity import RunFeatures
    from .similarity_index import SimilarityIndex

Identity = tuple[str, str]  # project, id

_COMPARED = WORKFLOW.subset(("nl_input", "status", "total_cost", "duration_seconds"))
_TEXTS = 1_000  # requests that are held at a time


class SimilarityChanges:
    """What is to be stored after runs changed: lists that are not as stored, and what they were made with."""

    def __init__(self, neighbours: SimilarityIndex | None = None) -> None:
        self._neighbours = neighbours
        self._found = neighbours.compute_changes() if neighbours else None

    def __bool__(self) -> bool:
        return self._found is not None

    def save(self, history: History, keys: Mapping[Identity, int]) -> None:
        """Store the changes; `keys` names the changed runs, which are stored by now."""
        if self._neighbours and self._found:
            self._neighbours.save(history.similarity(), self._found, keys)


class SimilarityUpdater:
    """The runs of a history as one sync compares them: loaded once, then kept up to date in memory."""

    def __init__(self, history: History) -> None:
        self._similarity = history.similarity()
        self._neighbours: SimilarityIndex | None = None
        self._version = 0  # of the history when it was loaded
        self._outdated: set[int] = set()  # keys of runs whose values in memory are not as stored

    @property
    def is_stale(self) -> bool:
        """Whether lists are to be made anew, though no run of this sync changed."""
        return bool(self._similarity.stale_runs(MODEL_VERSION))

    def add(self, changed: Sequence[RunFeatures]) -> None:
        """Take changed runs in; the next `changes_after` compares them.

        They must be stored by then. Until their lists are, the history has them marked as written.
        """
        if changed:
            self._loaded().add(changed)

    def reload(self, keys: Iterable[int]) -> None:
        """Take these runs' values from the history the next time: they were changed there."""
        self._outdated.update(keys)

    def compute_changes(self, changed: Sequence[RunFeatures] = ()) -> SimilarityChanges:
        """Return what becomes of the stored lists once these runs are stored, beside those taken before.

        Runs that others wrote since their lists were made count as changed. The next call comes
        after the changes are saved.
        """
        stale = self._similarity.stale_runs(MODEL_VERSION)
        if not (changed or stale or (self._neighbours and self._neighbours.pending)):
            return SimilarityChanges()
        neighbours = self._loaded()
        current = neighbours.pending - {(run.project, run.id) for run in stale if run.key in self._outdated}
        self._outdated.clear()
        neighbours.add(changed)
        current.update(run.key for run in changed)
        unseen = [run for run in stale if (run.project, run.id) not in current]
        for start in range(0, len(unseen), _TEXTS):
            neighbours.add(self._as_stored(unseen[start : start + _TEXTS]))
        neighbours.set_keys({(run.project, run.id): run.key for run in stale})
        return SimilarityChanges(neighbours)

    def reset(self) -> None:
        """Load all anew when it is needed: what was taken in was not stored."""
        self._neighbours = None

    def _loaded(self) -> SimilarityIndex:
        """Return the runs in memory, loaded anew where another program has written since."""
        from .similarity_index import SimilarityIndex  # noqa: PLC0415 - see above

        version = self._similarity.version()
        if self._neighbours is None or version != self._version:
            self._neighbours = SimilarityIndex.load(self._similarity)
            self._version = version
        return self._neighbours

    def _as_stored(self, runs: Sequence[StaleRun]) -> list[RunFeatures]:
        names = {run.key: {"project": run.project, "id": run.id} for run in runs}
        columns = [field.column for field in _COMPARED.fields.values()]
        rows = self._similarity.features(list(names))
        return [
            features_of({**names[key], **_COMPARED.decode(dict(zip(columns, values, strict=True)))})
            for key, *values in rows
        ]


def run_id_of(workflow: Workflow) -> Identity:
    """Return the key that a workflow is known by: its project and id."""
    return str(workflow.get("project") or ""), str(workflow["id"])


def features_of(workflow: Workflow) -> RunFeatures:
    """Return what a workflow is compared by, of its values as the history holds them: costs are rounded."""
    from ..similarity import run_features  # noqa: PLC0415 - see above

    values, _ = _COMPARED.encode({key: workflow.get(key) for key in _COMPARED.fields})
    columns = (field.column for field in _COMPARED.fields.values())
    rounded = _COMPARED.decode(dict(zip(columns, values, strict=True)))
    return run_features(run_id_of(workflow), {**workflow, **rounded})
