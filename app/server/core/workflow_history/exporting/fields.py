"""Fields of an export: name, kind, unit and meaning of each column. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from ..common.field_docs import field_docs
from ..common.spending import to_nanodollars

Kind = Literal["text", "whole", "real", "money", "float", "time", "clock", "flag", "dict", "list"]
"""Kinds of columns, as in the store: money in whole nanodollars, time as UTC text; None is unknown.

A clock is a time whose zone may be unknown: then its text ends without a Z.
A float is money as a floating-point number, for formats that have both.
"""

ColumnBatch = Sequence[Sequence[Any]]
"""A batch of rows, column by column, in the order of the table's fields."""

_UNITS_BY_SUFFIX = {
    "_seconds": "seconds",
    "_tokens": "tokens",
    "_percent": "percent",
    "_score": "points",
    "_minutes": "minutes",
}
_UNITS_BY_KIND = {"money": "US dollars", "float": "US dollars", "time": "ISO 8601, UTC", "clock": "ISO 8601"}
_KINDS_BY_TYPE: dict[type, Kind] = {str: "text", bool: "flag", int: "whole", float: "real", datetime: "time"}


class Field(NamedTuple):
    """One exported column."""

    name: str
    kind: Kind
    meaning: str = ""
    title: str = ""  # column title for people; empty: the name
    missing: str = ""  # word for people for an unknown value; empty: a dash
    hidden: bool = False  # no column of its own: only another column's value depends on it

    @property
    def unit(self) -> str | None:
        """Unit of the column's numbers or times; None if it has none.

        >>> Field("duration_seconds", "real").unit, Field("cost", "money").unit, Field("turns", "whole").unit
        ('seconds', 'US dollars', None)
        """
        suffix_unit = next(
            (unit for suffix, unit in _UNITS_BY_SUFFIX.items() if self.name.endswith(suffix)), None
        )
        return _UNITS_BY_KIND.get(self.kind) or (suffix_unit if self.kind in {"whole", "real"} else None)


def fields_of(record: type, money: Collection[str] = ()) -> tuple[Field, ...]:
    """Return the fields of a flat dataclass; those named in `money` are in US dollars.

    Values other than numbers, text, times and booleans are exported as JSON.
    """
    hints, meanings = get_type_hints(record), field_docs(record)
    return tuple(
        Field(
            field.name,
            "money" if field.name in money else _kind_of(hints[field.name]),
            meanings.get(field.name, ""),
        )
        for field in fields(record)
    )


def _kind_of(hint: Any) -> Kind:
    if get_origin(hint) in (Union, UnionType):
        kinds = {_kind_of(part) for part in get_args(hint) if part is not NoneType}
        if kinds == {"whole", "real"}:
            return "real"
        return kinds.pop() if len(kinds) == 1 else "text"
    if get_origin(hint) is Literal:
        return _KINDS_BY_TYPE.get(type(get_args(hint)[0]), "text")
    if get_origin(hint) is dict or is_dataclass(hint):
        return "dict"
    if get_origin(hint) in (tuple, list):
        return "list"
    return _KINDS_BY_TYPE.get(hint, "text")


def to_batch(records: Iterable[Any], columns: Sequence[Field]) -> ColumnBatch:
    """Convert dataclasses to one batch of the wanted columns."""
    rows = list(records)
    return [[_to_stored(getattr(row, column.name), column.kind) for row in rows] for column in columns]


def _to_stored(value: Any, kind: Kind) -> Any:
    """Convert a dataclass's value to the form in which it would be stored."""
    if value is None:
        return None
    if kind == "money":
        return to_nanodollars(value)
    if kind == "time":
        return value.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"
    return value
