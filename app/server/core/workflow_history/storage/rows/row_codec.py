"""Convert dicts to rows and back, by the `info` of the schema's columns; pure and without loss.

A key without a column is stored in `extra`. A value that its column cannot store goes into
`unreadable_values` in `extra`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Table

from ...common.redaction import redact_json
from ..tables import schema
from .column_types import DECODERS, ENCODERS, encode_extra, storable_json

UNREADABLE_KEY = "unreadable_values"

Row = tuple[Any, ...]
"""The values of one table's columns, in column order; None if unknown."""

_ENCODING_ERRORS = (ValueError, TypeError, OverflowError)


class Field(NamedTuple):
    """Column and converters of one dict key."""

    column: str
    encode: Callable[[Any], Any]
    kind: str
    decode: Callable[[Any], Any] | None  # None: the column value is used unchanged


@dataclass(frozen=True, slots=True)
class Codec:
    """Converter between the rows of one table and dicts."""

    fields: dict[str, Field]  # by dict key, in column order
    extra_index: int | None = None  # index of the column `extra`; None: keys without a column are dropped
    hidden: frozenset[str] = frozenset()  # keys that are stored but never returned
    external_keys: frozenset[str] = frozenset()  # keys that are stored in other tables or computed on reading
    encoders: tuple[tuple[str, Callable[[Any], Any]], ...] = field(init=False)
    known_keys: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        encoders = tuple((key, column.encode) for key, column in self.fields.items())
        object.__setattr__(self, "encoders", encoders)
        object.__setattr__(self, "known_keys", self.external_keys.union(self.fields))

    def encode(self, record: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return the column values in column order, without `extra`, and the content of `extra`."""
        get, known = record.get, self.known_keys
        extra = {} if record.keys() <= known else {k: v for k, v in record.items() if k not in known}
        try:  # all at once: a first sync converts millions of values, and hardly any is invalid
            return [
                None if (value := get(key)) is None else encode(value) for key, encode in self.encoders
            ], extra
        except _ENCODING_ERRORS:
            values, unreadable = self._encode_one_by_one(record)
            return values, merge_extra(extra, {UNREADABLE_KEY: unreadable})

    def _encode_one_by_one(self, record: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        values: list[Any] = []
        unreadable: dict[str, Any] = {}
        for key, encode in self.encoders:
            value = record.get(key)
            try:
                values.append(None if value is None else encode(value))
            except _ENCODING_ERRORS:
                values.append(None)
                unreadable[key] = redact_json(storable_json(value), key)
        return values, unreadable

    def to_row(self, values: list[Any], extra: Mapping[str, Any]) -> Row:
        """Return the values of all columns, ready for the driver; adds `extra` to `values`."""
        if self.extra_index is not None:
            values.insert(self.extra_index, encode_extra(extra) if extra else None)
        return tuple(values)

    def index_of(self, key: str) -> int:
        """Return the index of a key's value in the list that `encode` returns."""
        return list(self.fields).index(key)

    def decode(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the dict of `row`: all keys that are not hidden, and keys of `extra` without a collision."""
        record: dict[str, Any] = {}
        for key, (column, _, _, decode) in self.fields.items():
            if key not in self.hidden:
                value = row[column]
                record[key] = value if decode is None or value is None else decode(value)
        for key, value in (row.get("extra") or {}).items():
            record.setdefault(key, value)
        if isinstance(record.get(UNREADABLE_KEY), dict):
            unreadable = record.pop(UNREADABLE_KEY)
            remaining = {key: value for key, value in unreadable.items() if record.get(key) is None}
            record |= {UNREADABLE_KEY: remaining} if remaining else {}
        return record

    def columns(self, keys: Sequence[str]) -> frozenset[str]:
        """Return the columns of `keys`; keys without a column are ignored."""
        return frozenset(self.fields[key].column for key in keys if key in self.fields)

    def subset(self, keys: Sequence[str]) -> Codec:
        """Return a codec of only these keys."""
        return Codec({key: self.fields[key] for key in keys})


def merge_extra(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    """Merge `new` extra keys into a copy of `old`; null never overwrites, unreadable values are merged.

    >>> merge_extra({"port": 1, "tree": "a"}, {"port": None, "tree": "b"})
    {'port': 1, 'tree': 'b'}
    """
    result = dict(old or {})
    for key, value in (new or {}).items():
        previous = result.get(key)
        if key == UNREADABLE_KEY and isinstance(previous, dict) and isinstance(value, dict):
            result[key] = merge_extra(previous, value)
        elif value is not None or key not in result:
            result[key] = value
    return result


def _codec(table: Table, **keys: frozenset[str]) -> Codec:
    """Build the codec of a table's columns with `info`; the key columns before them have no dict key."""
    names = [column.name for column in table.columns if column.info or column.name == "extra"]
    fields = {}
    for column in table.columns:
        if column.info:
            kind = column.info["kind"]
            encode = ENCODERS["name" if column.info.get("named") else kind]
            fields[column.info["key"]] = Field(column.name, encode, kind, DECODERS.get(kind))
    return Codec(fields, names.index("extra") if "extra" in names else None, **keys)


WORKFLOW = _codec(
    schema.workflows,
    hidden=frozenset({"fingerprint", "file_times", "first_written_ns", "last_written_ns"}),
    external_keys=frozenset({"phase_costs", "cost_data", "similar_workflows", "pattern_count"}),
)
AGENT_RUN = _codec(schema.agent_runs, external_keys=frozenset({"models"}))
MODEL_USAGE = _codec(schema.model_usage)
OCCURRENCE = _codec(schema.occurrences)
SYNC_RUN = _codec(schema.sync_runs)
