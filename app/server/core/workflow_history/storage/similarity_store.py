"""Interface of an open history for similarity: features of runs and their lists of similar runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .connection.engine import TransactionFactory, get_dialect
from .writing import similarity_rows
from .writing.similarity_rows import FeatureRow, SimilarPairRow, StaleRun

if TYPE_CHECKING:  # it imports numpy
    from .column_cache.vectors import StoredVectors


class SimilarityStore:
    """Part of a history for computing lists of similar runs; each call is one transaction."""

    def __init__(self, reading: TransactionFactory, writing: TransactionFactory) -> None:
        self._reading = reading
        self._writing = writing

    def version(self) -> int:
        """Return a number that changes when another program has written to the history."""
        with self._reading() as connection:
            return get_dialect(connection).data_version(connection)

    def stale_runs(self, model: str) -> list[StaleRun]:
        """Return the runs whose lists were computed before their last change, or by another model."""
        with self._reading() as connection:
            return similarity_rows.stale_runs(connection, model)

    def count_uncompared(self, model: str) -> int:
        """Count the runs that `model` has not compared, or that were written since."""
        with self._reading() as connection:
            return similarity_rows.count_uncompared(connection, model)

    def features(self, keys: Sequence[int]) -> list[tuple[Any, ...]]:
        """Return key, request, status, cost (nanodollars) and duration (seconds) of runs, as stored."""
        with self._reading() as connection:
            return list(similarity_rows.compared_values(connection, keys))

    def names(self) -> Iterator[list[tuple[int, str, str]]]:
        """Yield key, project and id of every run in batches, ordered by project and id."""
        with self._reading() as connection:
            yield from similarity_rows.run_names(connection)

    def names_of(self, keys: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Return the projects and ids of these runs, by key."""
        with self._reading() as connection:
            return similarity_rows.names_of(connection, keys)

    def rows(self, model: str) -> Iterator[list[FeatureRow]]:
        """Yield the features of every run with a current list by `model`, in batches."""
        with self._reading() as connection:
            yield from similarity_rows.feature_rows(connection, model)

    def vectors(self, model: str) -> StoredVectors:
        """Return the request vectors of all runs with a current list by `model`, as arrays."""
        from .column_cache.vectors import read_vectors  # noqa: PLC0415 - numpy takes longer to import than most commands

        with self._reading() as connection:
            return read_vectors(connection, model)

    def vectors_of(self, model: str, keys: Sequence[int]) -> tuple[list[int], list[bytes | None]]:
        """Return keys and text vectors (None: no words) of those of these runs that have a current list."""
        with self._reading() as connection:
            return similarity_rows.text_vectors(connection, model, keys)

    def similar_lists(self, keys: Sequence[int]) -> Iterator[list[SimilarPairRow]]:
        """Yield the places of the lists of these runs, in batches."""
        with self._reading() as connection:
            yield from similarity_rows.similar_lists(connection, keys)

    def lists_with(self, keys: Sequence[int]) -> set[int]:
        """Return the keys of the runs whose lists contain any of these runs."""
        with self._reading() as connection:
            return similarity_rows.lists_containing(connection, keys)

    def save(
        self,
        model: str,
        rows: Iterable[FeatureRow],
        min_scores: Iterable[tuple[int, float | None]],
        list_keys: Sequence[int],
        pairs: Iterable[SimilarPairRow],
    ) -> None:
        """Store features by `model`, the last scores of other lists, and the lists of runs in `list_keys`."""
        with self._writing() as connection:
            similarity_rows.save_features(connection, rows, model)
            similarity_rows.save_min_scores(connection, min_scores)
            similarity_rows.save_lists(connection, list_keys, pairs)
