"""What can be taken out: a table of the database, or the records of an answer, in; batches of columns out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

from ..database import existing
from ..exporting.fields import Batch, Field, batch_of, fields_of
from ..filters import RunFilter
from ..store.takeout import Source
from .comments import comments_of
from .naming import check_names


class Table(NamedTuple):
    """Something that can be taken out."""

    fields: tuple[Field, ...]
    usual: tuple[str, ...]  # names of the fields that are taken where nobody names some
    batches: Callable[[RunFilter, Sequence[Field]], Generator[Batch]]


def of_source(source: Source) -> Table:
    """Return a table of the database as something that can be taken out."""

    def batches(where: RunFilter, wanted: Sequence[Field]) -> Generator[Batch]:
        with existing() as history:
            if history is not None:
                check_names(history, where, found=False)
                yield from history.batches(source, [field.name for field in wanted], where)

    return Table(source.fields, source.usual, batches)


def of_records(record: type, ask: Callable[[RunFilter], Sequence[Any]], money: Sequence[str] = ()) -> Table:
    """Return the flat dataclasses that an answer holds as a table; fields in `money` hold US dollars."""
    meanings = comments_of(record)
    fields = tuple(field._replace(meaning=meanings.get(field.name, "")) for field in fields_of(record, money))

    def batches(where: RunFilter, wanted: Sequence[Field]) -> Generator[Batch]:
        yield batch_of(ask(where), wanted)

    return Table(fields, tuple(field.name for field in fields), batches)
