"""Turn dicts into rows and rows into dicts, by the schema's own marks: pure, and nothing given is dropped.

A key without a column goes to `extra`; a value that its column cannot hold to `unreadable_values` in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Table

from . import schema
from .values import DECODERS, ENCODERS, storable_json, storable_text

UNREADABLE = "unreadable_values"


class Field(NamedTuple):
    """One dict key's column."""

    column: str
    encode: Callable[[Any], Any]
    kind: str
    decode: Callable[[Any], Any] | None  # None: the column's value is the dict's


@dataclass(frozen=True, slots=True)
class Codec:
    """How one table's rows look as dicts."""

    fields: dict[str, Field]  # by dict key
    hidden: frozenset[str] = frozenset()  # keys that are stored and never shown
    elsewhere: frozenset[str] = frozenset()  # keys that other tables hold, or that are made anew at reading

    def encode(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row of `record`: only columns of values that are known."""
        row: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        unreadable: dict[str, Any] = {}
        fields = self.fields
        for key, value in record.items():
            field = fields.get(key)
            if field is None:
                if key not in self.elsewhere:
                    extra[_key_text(key)] = storable_json(value)
            elif value is not None:
                try:
                    row[field[0]] = field[1](value)  # by place: half the time of by name, for every value
                except (ValueError, TypeError, OverflowError):
                    unreadable[key] = storable_json(value)
        return self._with_extra(row, extra, unreadable)

    @staticmethod
    def _with_extra(row: dict[str, Any], extra: dict[str, Any], unreadable: dict[str, Any]) -> dict[str, Any]:
        if unreadable:
            extra = merged(extra, {UNREADABLE: unreadable})
        if extra:
            row["extra"] = extra
        return row

    def decode(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the dict of `row`: every shown key, and the keys of `extra` that hide none of them."""
        record: dict[str, Any] = {}
        for key, field in self.fields.items():
            if key not in self.hidden:
                value = row[field.column]
                record[key] = value if field.decode is None or value is None else field.decode(value)
        for key, value in (row.get("extra") or {}).items():
            record.setdefault(key, value)
        if isinstance(record.get(UNREADABLE), dict):
            odd = record.pop(UNREADABLE)
            still = {key: value for key, value in odd.items() if record.get(key) is None}
            record |= {UNREADABLE: still} if still else {}
        return record

    def columns(self, keys: Sequence[str]) -> frozenset[str]:
        """Return the columns of some keys; a key without one has none."""
        return frozenset(self.fields[key].column for key in keys if key in self.fields)

    def only(self, keys: Sequence[str]) -> Codec:
        """Return the codec of some keys alone."""
        return Codec({key: self.fields[key] for key in keys})


def merged(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    """Lay `new` extra keys over `old` ones; null never overwrites, unreadable values add up.

    >>> merged({"port": 1, "tree": "a"}, {"port": None, "tree": "b"})
    {'port': 1, 'tree': 'b'}
    """
    result = dict(old or {})
    for key, value in (new or {}).items():
        before = result.get(key)
        if key == UNREADABLE and isinstance(before, dict) and isinstance(value, dict):
            result[key] = merged(before, value)
        elif value is not None or key not in result:
            result[key] = value
    return result


def _key_text(key: Any) -> str:
    return storable_text(key if isinstance(key, str) else str(key))


def _fields(table: Table) -> dict[str, Field]:
    marked = [
        (column.info["key"], column.name, column.info["kind"]) for column in table.columns if column.info
    ]
    return {key: Field(name, ENCODERS[kind], kind, DECODERS.get(kind)) for key, name, kind in marked}


WORKFLOW = Codec(
    _fields(schema.workflows),
    hidden=frozenset({"fingerprint", "text_model", "text_vector"}),
    elsewhere=frozenset({"phase_costs", "cost_data", "similar_workflows", "pattern_count"}),
)
AGENT_RUN = Codec(_fields(schema.agent_runs), elsewhere=frozenset({"models"}))
MODEL_USAGE = Codec(_fields(schema.model_usage))
OCCURRENCE = Codec(_fields(schema.occurrences), elsewhere=frozenset({"kind", "signature", "status"}))
SYNC_RUN = Codec(_fields(schema.sync_runs))
