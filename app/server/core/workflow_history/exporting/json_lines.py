"""Rows as JSON Lines: one object a line in ASCII, each with the version of its shape; unknown is null."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Any, Final

import msgspec

from .fields import Batch, Field
from .values import ascii_json, dollars, number, tree
from .version import SCHEMA_VERSION


class JsonLinesWriter:
    """Writes JSON Lines; text is as it was, money a number with all its digits, a time has microseconds."""

    def __init__(self, file: IO[bytes], fields: Sequence[Field]) -> None:
        self._file = file
        self._fields = fields

    def write(self, batch: Batch) -> None:
        """Write some rows."""
        columns = [_column(field.kind, values) for field, values in zip(self._fields, batch, strict=True)]
        names = ("schema_version", *(field.name for field in self._fields))
        for row in zip(*columns, strict=True):
            line = ascii_json(dict(zip(names, (SCHEMA_VERSION, *row), strict=True)))
            self._file.write(line.encode() + b"\n")

    def finish(self) -> None:
        """Nothing has to come last."""


def writing(file: IO[bytes], fields: Sequence[Field], raw: bool) -> JsonLinesWriter:  # noqa: ARG001 - see Writing
    """Begin a file of JSON Lines."""
    return JsonLinesWriter(file, fields)


def _column(kind: str, values: Sequence[Any]) -> Sequence[Any]:
    say = _SAID.get(kind)
    return values if say is None else [None if value is None else say(value) for value in values]


_SAID: Final[dict[str, Callable[[Any], Any]]] = {
    "real": number,
    "money": lambda value: msgspec.Raw(dollars(value).encode()),
    "flag": bool,
    "dict": tree,
    "list": tree,
}
"""How a known value is said where it is not said as it is stored."""
