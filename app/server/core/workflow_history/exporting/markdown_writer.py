"""Write rows as a Markdown table for a comment: short values, escaped text, the sum of the costs below."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Final

from ..common.coercion import is_duration_lower_bound
from ..common.formatting.costs import format_minimum
from ..common.formatting.numbers import format_duration
from ..common.formatting.text import single_line, truncate
from ..common.models import RECORDED_BASES
from ..common.outcomes import Outcome
from ..common.spending import NO_COST, UNKNOWN, Cost, format_fraction, format_usd, to_usd
from .fields import ColumnBatch, Field
from .value_encoding import decode_json, to_ascii_json

MAIN_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "runs": ("id", "nl_input", "status", "total_cost", "duration_seconds"),
    "statistics": ("name", "across", "runs", "success_rate", "cost", "duration_median_seconds"),
}
"""Columns of a table by default, fewer than in formats for programs."""

COST_PARTS: Final = (
    "lower_bound_cost", "cost_basis", "copy_of", "duplicate_of", "outcome", "runs_without_cost",
    "runs_costing_more", "duration_basis",
)  # fmt: skip
"""Columns that are read with a cost or a duration, because it may be a lower bound."""

_MAX_TEXT_WIDTH: Final = 100  # cells of a text; a comment has no place for a whole request
_COSTS: Final = ("total_cost", "cost")
_TITLES: Final = {
    "id": "Run",
    "nl_input": "Request",
    "total_cost": "Cost",
    "duration_seconds": "Duration",
    "duration_median_seconds": "Median duration",
}
_NUMBERS: Final = ("whole", "real", "money")
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~$&])")
_ZERO_WIDTH_SPACE: Final = "\u200b"


def escape_markdown(text: str) -> str:
    r"""Return text on one line that Markdown shows as it is; it ends no table cell and mentions no account.

    >>> escape_markdown("Fix a|b\n*now*")
    'Fix a\\|b \\*now\\*'
    """
    escaped = _SPECIAL.sub(r"\\\1", single_line(text))
    return escaped.replace("@", f"@{_ZERO_WIDTH_SPACE}")  # no escape stops GitHub from notifying @name


class MarkdownWriter:
    """Writer for Markdown; an unknown value is a dash, and `≥` marks a lower bound."""

    def __init__(self, file: IO[bytes], fields: Sequence[Field]) -> None:
        self._file = file
        self._fields = fields
        names = {field.name for field in fields}
        # Without a basis, as in costs of patterns, costs are estimates that overlap and have no sum.
        self._cost_name = next((name for name in _COSTS if name in names), None)
        self._has_sum = bool(names & {"cost_basis", "runs_costing_more"})
        self._total = NO_COST
        self._rows = 0
        self._shown = [field for field in fields if not field.hidden]
        self._write_row([field.title or _title(field.name) for field in self._shown])
        self._write_row(["---:" if field.kind in _NUMBERS else "---" for field in self._shown])

    def write(self, batch: ColumnBatch) -> None:
        """Write a batch of rows."""
        names = [field.name for field in self._fields]
        for values in zip(*batch, strict=True):
            row = dict(zip(names, values, strict=True))
            if self._cost_name is not None and self._has_sum:
                self._total += _cost_of(row, self._cost_name)
            self._rows += 1
            self._write_row([self._cell(field, row) for field in self._shown])

    def finish(self) -> None:
        """Write the row with the sum, if there is a cost to sum."""
        if self._rows and self._has_sum and any(field.name == self._cost_name for field in self._shown):
            total = f"**{format_minimum(self._total)}**"
            cells = [total if field.name == self._cost_name else "" for field in self._shown]
            self._write_row([cells[0] or "**Total**", *cells[1:]])

    def _cell(self, field: Field, row: Mapping[str, Any]) -> str:
        if field.name == self._cost_name:
            cost = _cost_of(row, field.name)
            return format_minimum(cost) if self._has_sum else format_usd(to_usd(cost.recorded))
        value = row[field.name]
        if value is None:
            return field.missing or UNKNOWN
        if field.kind == "real":
            prefix = "≥ " if field.name == "duration_seconds" and is_duration_lower_bound(row) else ""
            return prefix + _format_real(field.name, value)
        return _FORMATTERS[field.kind](value)

    def _write_row(self, cells: Sequence[str]) -> None:
        self._file.write(f"| {' | '.join(cells)} |\n".encode())


def create_writer(file: IO[bytes], fields: Sequence[Field], raw: bool) -> MarkdownWriter:  # noqa: ARG001 - see WriterFactory
    """Create a Markdown writer, which writes the header; it ignores `raw`."""
    return MarkdownWriter(file, fields)


def _title(name: str) -> str:
    return _TITLES.get(name) or name.replace("_", " ").capitalize()


def _cost_of(row: Mapping[str, Any], name: str) -> Cost:
    """Return the cost in a row of runs, agent runs, models or groups of runs."""
    recorded, extra = row[name], row.get("lower_bound_cost")
    if "runs_costing_more" in row:
        return Cost(recorded, extra, complete=not (row["runs_costing_more"] or row["runs_without_cost"]))
    is_recorded = row.get("cost_basis") in RECORDED_BASES and extra is None
    is_elsewhere = row.get("copy_of") or row.get("duplicate_of") or row.get("outcome") == Outcome.EMPTY
    return Cost(recorded, extra, complete=is_recorded or bool(is_elsewhere and extra is None))


def _format_real(name: str, value: float) -> str:
    if name.endswith("_seconds"):
        return format_duration(value)
    if name.endswith("_rate"):
        return format_fraction(value)
    return format_usd(value) if name.startswith("cost_") and "percent" not in name else f"{value:,.6g}"


def _format_text(value: Any) -> str:
    return escape_markdown(truncate(single_line(value), _MAX_TEXT_WIDTH)) or UNKNOWN


def _format_time(value: str) -> str:
    return f"{value[:10]} {value[11:16]}{'Z' if value.endswith('Z') else ''}"


def _format_json(value: Any) -> str:
    return _format_text(to_ascii_json(decode_json(value)))


_FORMATTERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "text": _format_text,
    "whole": lambda value: f"{value:,}",
    "money": lambda value: format_usd(to_usd(value)),
    "time": _format_time,
    "clock": _format_time,
    "flag": lambda value: "yes" if value else "no",
    "dict": _format_json,
    "list": _format_json,
}
"""Formatters of known values, by kind; `real` depends on the name as well."""
