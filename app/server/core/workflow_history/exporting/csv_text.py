"""Rows as CSV: a header, one row a line, quoted as in RFC 4180, UTF-8; cells never run as formulas."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from typing import IO, Any, Final

from .cells import defused, tidy
from .fields import Batch, Field
from .values import ascii_json, date_and_time, dollars, number, tree


class CsvWriter:
    """Writes CSV; an unknown value is an empty cell."""

    def __init__(self, file: IO[bytes], fields: Sequence[Field], *, raw: bool) -> None:
        self._file = file
        cells = {**_CELLS, "text": _text_cell(raw=raw)}
        self._cells = [(field.kind, cells[field.kind]) for field in fields]
        self._put([[field.name for field in fields]])

    def write(self, batch: Batch) -> None:
        """Write some rows."""
        columns = [
            _column(kind, cell, values) for (kind, cell), values in zip(self._cells, batch, strict=True)
        ]
        self._put(zip(*columns, strict=True))

    def finish(self) -> None:
        """Nothing has to come last."""

    def _put(self, rows: Iterable[Iterable[Any]]) -> None:
        text = StringIO(newline="")
        csv.writer(text).writerows(rows)
        self._file.write(text.getvalue().encode())


def writing(file: IO[bytes], fields: Sequence[Field], raw: bool) -> CsvWriter:
    """Begin a CSV file."""
    return CsvWriter(file, fields, raw=raw)


def _column(kind: str, cell: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    if kind == "text":  # mostly a few words over and over
        written = {value: cell(value) for value in set(values) - {None}}
        return [written.get(value) for value in values]
    return [None if value is None else cell(value) for value in values]


def _text_cell(*, raw: bool) -> Callable[[Any], str]:
    return (lambda value: tidy(str(value))) if raw else (lambda value: defused(tidy(str(value))))


_CELLS: Final[dict[str, Callable[[Any], Any]]] = {
    "whole": int,
    "real": number,
    "money": dollars,
    "time": date_and_time,
    "clock": date_and_time,
    "flag": lambda value: "true" if value else "false",
    "dict": lambda value: ascii_json(tree(value)),
    "list": lambda value: ascii_json(tree(value)),
}
"""How a known value of each kind is written; JSON begins with a bracket and is no formula."""
