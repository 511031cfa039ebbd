"""An open history as similarity sees it: what runs are compared by, and their lists, in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from . import likeness
from .engine import dialect_of
from .likeness import LikenessRow, PairRow, StaleRun

if TYPE_CHECKING:  # numpy comes with it
    from .vectors import StoredVectors

Access = Callable[[], AbstractContextManager[Connection]]


class Similarity:
    """The part of a history that lists of similar runs are made with; each call is one transaction."""

    def __init__(self, reading: Access, writing: Access) -> None:
        self._reading = reading
        self._writing = writing

    def version(self) -> int:
        """Return a number that changes when another program has written to the history."""
        with self._reading() as connection:
            return dialect_of(connection).version(connection)

    def stale(self, model: str) -> list[StaleRun]:
        """Return the runs that were written since their lists were made, or by another model."""
        with self._reading() as connection:
            return likeness.stale_runs(connection, model)

    def count_without(self, model: str) -> int:
        """Return how many runs `model` has not compared, or that were written since."""
        with self._reading() as connection:
            return likeness.count_without(connection, model)

    def compared(self, keys: Sequence[int]) -> list[tuple[Any, ...]]:
        """Return key, request, status, cost (nanodollars) and duration (seconds) of runs, as stored."""
        with self._reading() as connection:
            return list(likeness.compared_columns(connection, keys))

    def names(self) -> Iterator[list[tuple[int, str, str]]]:
        """Yield key, project and id of every run in the order of project and id, many at a time."""
        with self._reading() as connection:
            yield from likeness.run_names(connection)

    def names_of(self, keys: Sequence[int]) -> dict[int, tuple[str, str]]:
        """Return project and id of some runs, by key."""
        with self._reading() as connection:
            return likeness.names_of(connection, keys)

    def rows(self, model: str) -> Iterator[list[LikenessRow]]:
        """Yield what `model` made of each run whose list is up to date, many at a time."""
        with self._reading() as connection:
            yield from likeness.likeness_rows(connection, model)

    def vectors(self, model: str) -> StoredVectors:
        """Return what `model` made of the requests of all runs whose lists are up to date, as arrays."""
        from .vectors import read_vectors  # noqa: PLC0415 - numpy takes longer to import than most commands

        with self._reading() as connection:
            return read_vectors(connection, model)

    def vectors_of(self, model: str, keys: Sequence[int]) -> tuple[list[int], list[bytes | None]]:
        """Return keys and text vectors (None: no words) of those of some runs whose list is up to date."""
        with self._reading() as connection:
            return likeness.text_vectors(connection, model, keys)

    def lists(self, keys: Sequence[int]) -> Iterator[list[PairRow]]:
        """Yield the stored lists of runs place by place, many at a time."""
        with self._reading() as connection:
            yield from likeness.lists_of(connection, keys)

    def lists_with(self, keys: Sequence[int]) -> set[int]:
        """Return the runs on whose lists some of these runs stand."""
        with self._reading() as connection:
            return likeness.lists_with(connection, keys)

    def save(
        self,
        model: str,
        rows: Iterable[LikenessRow],
        least: Iterable[tuple[int, float | None]],
        listed: Sequence[int],
        places: Iterable[PairRow],
    ) -> None:
        """Store what `model` made of runs, the last scores of other lists, and the lists of `listed`."""
        with self._writing() as connection:
            likeness.save_likeness(connection, rows, model)
            likeness.save_least(connection, least)
            likeness.save_lists(connection, listed, places)
