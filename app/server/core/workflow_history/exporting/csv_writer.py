"""Write rows as CSV: header, one row per line, quoted as in RFC 4180, UTF-8; formulas are escaped."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from typing import IO, Any, Final

from .fields import ColumnBatch, Field
from .value_encoding import convert_known, decode_json, encode_float, encode_money, format_time, to_ascii_json

# Characters that a spreadsheet may skip before the sign, then the signs; the last four are full-width.
_FORMULA_START: Final = re.compile(
    r"[\s\"'`\u00ab\u00ad\u00b4\u00bb\u2018-\u201f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*"
    r"[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]"
)
_CONTROL_CHARS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def strip_control_chars(text: str) -> str:
    r"""Remove control characters from text, except tabs and line breaks, which become "\n".

    >>> strip_control_chars("one\r\ntwo\x1b[2J")
    'one\ntwo[2J'
    """
    if not _CONTROL_CHARS.search(text):
        return text
    return _CONTROL_CHARS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def escape_formula(text: str) -> str:
    r"""Prefix text that a spreadsheet may run as a formula with an apostrophe; removing it restores the text.

    >>> escape_formula("=HYPERLINK(1)"), escape_formula(' "+1'), escape_formula("a=b")
    ("'=HYPERLINK(1)", '\' "+1', 'a=b')
    """
    return f"'{text}" if is_formula(text) else text


def is_formula(text: str) -> bool:
    """Return whether a spreadsheet may run this text as a formula, also after leading quotes and blanks."""
    return _FORMULA_START.match(text) is not None


class CsvWriter:
    """Writer for CSV; an unknown value is an empty cell."""

    def __init__(self, file: IO[bytes], fields: Sequence[Field], *, raw: bool) -> None:
        self._file = file
        converters = {**_CONVERTERS, "text": _strip_text if raw else _escape_text}
        self._converters = [(field.kind, converters[field.kind]) for field in fields]
        self._write_rows([[field.name for field in fields]])

    def write(self, batch: ColumnBatch) -> None:
        """Write a batch of rows."""
        columns = [
            _convert_column(kind, convert, values)
            for (kind, convert), values in zip(self._converters, batch, strict=True)
        ]
        self._write_rows(zip(*columns, strict=True))

    def finish(self) -> None:
        """Do nothing: CSV has no footer."""

    def _write_rows(self, rows: Iterable[Iterable[Any]]) -> None:
        text = StringIO(newline="")
        csv.writer(text).writerows(rows)
        self._file.write(text.getvalue().encode())


def create_writer(file: IO[bytes], fields: Sequence[Field], raw: bool) -> CsvWriter:
    """Create a CSV writer, which writes the header; `raw` leaves formulas unescaped."""
    return CsvWriter(file, fields, raw=raw)


def _convert_column(kind: str, convert: Callable[[Any], Any], values: Sequence[Any]) -> Sequence[Any]:
    if kind == "text":  # mostly few distinct values
        converted = {value: convert(value) for value in set(values) - {None}}
        return [converted.get(value) for value in values]
    return convert_known(values, convert)


def _strip_text(value: Any) -> str:
    return strip_control_chars(str(value))


def _escape_text(value: Any) -> str:
    return escape_formula(_strip_text(value))


_CONVERTERS: Final[dict[str, Callable[[Any], Any]]] = {
    "whole": int,
    "real": encode_float,
    "money": encode_money,
    "time": format_time,
    "clock": format_time,
    "flag": lambda value: "true" if value else "false",
    "dict": lambda value: to_ascii_json(decode_json(value)),
    "list": lambda value: to_ascii_json(decode_json(value)),
}
"""Converters of known values, by kind; JSON starts with a bracket and is never a formula."""
