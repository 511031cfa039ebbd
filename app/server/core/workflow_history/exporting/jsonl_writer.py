"""Write rows as JSON Lines: one ASCII object per line, each with the schema version; unknown is null."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Any, Final

import msgspec

from .fields import ColumnBatch, Field
from .schema_version import SCHEMA_VERSION
from .value_encoding import convert_known, decode_json, encode_float, encode_money, to_ascii_json


class JsonLinesWriter:
    """Writer for JSON Lines: unchanged text, money as numbers with all digits, times with microseconds."""

    def __init__(self, file: IO[bytes], fields: Sequence[Field]) -> None:
        self._file = file
        self._fields = fields

    def write(self, batch: ColumnBatch) -> None:
        """Write a batch of rows."""
        columns = [
            convert_known(values, _CONVERTERS.get(field.kind))
            for field, values in zip(self._fields, batch, strict=True)
        ]
        names = ("schema_version", *(field.name for field in self._fields))
        for row in zip(*columns, strict=True):
            line = to_ascii_json(dict(zip(names, (SCHEMA_VERSION, *row), strict=True)))
            self._file.write(line.encode() + b"\n")

    def finish(self) -> None:
        """Do nothing: JSON Lines has no footer."""


def create_writer(file: IO[bytes], fields: Sequence[Field], raw: bool) -> JsonLinesWriter:  # noqa: ARG001 - see WriterFactory
    """Create a JSON Lines writer; it ignores `raw`."""
    return JsonLinesWriter(file, fields)


_CONVERTERS: Final[dict[str, Callable[[Any], Any]]] = {
    "real": encode_float,
    "money": lambda value: msgspec.Raw(encode_money(value).encode()),
    "flag": bool,
    "dict": decode_json,
    "list": decode_json,
}
"""Converters of known values, by kind; all other kinds are written as stored."""
