"""Write rows as Parquet: typed columns with unit and description; needs pyarrow, an optional extra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import IO, Any, Final

from ..common.errors import WorkflowHistoryError
from .fields import ColumnBatch, Field
from .schema_version import SCHEMA_VERSION
from .value_encoding import decode_json, encode_float, to_ascii_json

ROW_GROUP_SIZE: Final = 2_000  # rows; fewer make a larger file, more need more memory
FLOAT_ENDING: Final = "_usd"  # suffix of the columns with money as floats
_INSTALL = "Parquet needs pyarrow: pip install 'workflow-history[parquet]', or take out csv or jsonl"


class ParquetWriter:
    """Writer for Parquet; combines batches into row groups.

    Money is decimal128 with nine decimal places. After all fields, there is a float column for each money
    column, with the suffix `_usd`: data frames add up floats many times as fast.
    """

    def __init__(self, file: IO[bytes], fields: Sequence[Field], arrow: Any, files: Any) -> None:
        self._arrow = arrow
        self._sources = [*enumerate(fields)]
        self._sources += [
            (place, field._replace(name=f"{field.name}{FLOAT_ENDING}", kind="float"))
            for place, field in enumerate(fields)
            if field.kind == "money"
        ]
        self._schema = arrow.schema(
            [
                arrow.field(field.name, _type(arrow, field.kind), metadata=_told(field))
                for _, field in self._sources
            ],
            metadata={"schema_version": str(SCHEMA_VERSION)},
        )
        self._file = files.ParquetWriter(file, self._schema, compression="zstd")
        self._waiting: list[Any] = []  # tables that are not in a row group yet

    def write(self, batch: ColumnBatch) -> None:
        """Write a batch of rows."""
        arrays = [
            self._arrow.array(_column(field.kind, batch[source]), self._schema.field(place).type)
            for place, (source, field) in enumerate(self._sources)
        ]
        self._waiting.append(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        if sum(map(len, self._waiting)) >= ROW_GROUP_SIZE:
            self._write_group()

    def _write_group(self) -> None:
        self._file.write_table(self._arrow.concat_tables(self._waiting))
        self._waiting.clear()

    def finish(self) -> None:
        """Write the remaining rows and the footer."""
        if self._waiting:
            self._write_group()
        self._file.close()


def writing(file: IO[bytes], fields: Sequence[Field], raw: bool) -> ParquetWriter:  # noqa: ARG001 - see Writing
    """Create a Parquet writer; it ignores `raw`. Raises WorkflowHistoryError if pyarrow is not installed."""
    try:
        arrow, files = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise WorkflowHistoryError(_INSTALL) from error
    return ParquetWriter(file, fields, arrow, files)


def _type(arrow: Any, kind: str) -> Any:
    types = {
        "whole": arrow.int64(),
        "real": arrow.float64(),
        "money": arrow.decimal128(19, 9),
        "float": arrow.float64(),
        "time": arrow.timestamp("us", tz="UTC"),
        "clock": arrow.timestamp("us"),  # no zone: it would apply to all rows
        "flag": arrow.bool_(),
    }
    return types.get(kind) or arrow.string()


def _told(field: Field) -> dict[str, str]:
    known = {"unit": field.unit, "description": field.meaning}
    return {name: text for name, text in known.items() if text}


def _column(kind: str, values: Sequence[Any]) -> Sequence[Any]:
    turn = _TURNED.get(kind)
    return values if turn is None else [None if value is None else turn(value) for value in values]


_TURNED: Final[dict[str, Callable[[Any], Any]]] = {
    "text": str,
    "real": encode_float,
    "money": lambda value: Decimal(value).scaleb(-9),
    "float": lambda value: value / 1_000_000_000,
    "time": datetime.fromisoformat,
    "clock": lambda value: datetime.fromisoformat(value[:26]),
    "flag": bool,
    "dict": lambda value: to_ascii_json(decode_json(value)),
    "list": lambda value: to_ascii_json(decode_json(value)),
}
"""Converters of known values, by kind, if Arrow does not accept the stored form."""
