"""Write rows as Parquet: typed columns with unit and description; needs pyarrow, an optional extra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import IO, Any, Final

from ..common.errors import WorkflowHistoryError
from ..common.spending import to_usd
from .fields import ColumnBatch, Field
from .schema_version import SCHEMA_VERSION
from .value_encoding import convert_known, decode_json, encode_float, to_ascii_json

ROW_GROUP_SIZE: Final = 2_000  # rows; fewer make a larger file, more need more memory
FLOAT_SUFFIX: Final = "_usd"  # suffix of the columns with money as floats
_MISSING_PYARROW = (
    "Parquet needs pyarrow. Use --format csv or jsonl, or install it with: "
    "pip install 'workflow-history[parquet]'"
)


class ParquetWriter:
    """Writer for Parquet; combines batches into row groups.

    Money is decimal128 with nine decimal places. After all fields, there is a float column for each money
    column, with the suffix `_usd`: data frames add up floats many times as fast.
    """

    def __init__(self, file: IO[bytes], fields: Sequence[Field], arrow: Any, parquet: Any) -> None:
        self._arrow = arrow
        self._columns = [*enumerate(fields)]
        self._columns += [
            (position, field._replace(name=f"{field.name}{FLOAT_SUFFIX}", kind="float"))
            for position, field in enumerate(fields)
            if field.kind == "money"
        ]
        self._schema = arrow.schema(
            [
                arrow.field(field.name, _arrow_type(arrow, field.kind), metadata=_metadata(field))
                for _, field in self._columns
            ],
            metadata={"schema_version": str(SCHEMA_VERSION)},
        )
        self._file = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._pending: list[Any] = []  # tables that are not in a row group yet

    def write(self, batch: ColumnBatch) -> None:
        """Write a batch of rows."""
        arrays = [
            self._arrow.array(
                convert_known(batch[source], _CONVERTERS.get(field.kind)), self._schema.field(position).type
            )
            for position, (source, field) in enumerate(self._columns)
        ]
        self._pending.append(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        if sum(map(len, self._pending)) >= ROW_GROUP_SIZE:
            self._write_group()

    def _write_group(self) -> None:
        self._file.write_table(self._arrow.concat_tables(self._pending))
        self._pending.clear()

    def finish(self) -> None:
        """Write the remaining rows and the footer."""
        if self._pending:
            self._write_group()
        self._file.close()


def create_writer(file: IO[bytes], fields: Sequence[Field], raw: bool) -> ParquetWriter:  # noqa: ARG001 - see WriterFactory
    """Create a Parquet writer; it ignores `raw`. Raises WorkflowHistoryError if pyarrow is not installed."""
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise WorkflowHistoryError(_MISSING_PYARROW) from error
    return ParquetWriter(file, fields, arrow, parquet)


def _arrow_type(arrow: Any, kind: str) -> Any:
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


def _metadata(field: Field) -> dict[str, str]:
    texts = {"unit": field.unit, "description": field.meaning}
    return {name: text for name, text in texts.items() if text}


_CONVERTERS: Final[dict[str, Callable[[Any], Any]]] = {
    "text": str,
    "real": encode_float,
    "money": lambda value: Decimal(value).scaleb(-9),
    "float": to_usd,
    "time": datetime.fromisoformat,
    "clock": lambda value: datetime.fromisoformat(value[:26]),
    "flag": bool,
    "dict": lambda value: to_ascii_json(decode_json(value)),
    "list": lambda value: to_ascii_json(decode_json(value)),
}
"""Converters of known values, by kind, if Arrow does not accept the stored form."""
