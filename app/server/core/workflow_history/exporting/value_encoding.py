"""Convert single stored values for export: stored value in, exact text, number or JSON out. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..common.spending import NANODOLLARS

_NON_ASCII = re.compile("[^\x00-\x7e]+")


def convert_known(values: Sequence[Any], convert: Callable[[Any], Any] | None) -> Sequence[Any]:
    """Convert the known values of a column; None as converter leaves them as stored."""
    return values if convert is None else [None if value is None else convert(value) for value in values]


def encode_money(nanodollars: int) -> str:
    """Format whole nanodollars as US dollars, with all digits.

    >>> encode_money(1_500_000_000), encode_money(1), encode_money(-20_000_000), encode_money(7_000_000_000)
    ('1.5', '0.000000001', '-0.02', '7')
    """
    whole, remainder = divmod(abs(nanodollars), NANODOLLARS)
    fraction = f"{remainder:09d}".rstrip("0")
    return f"{'-' if nanodollars < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"


def format_time(stored: str) -> str:
    """Format stored time text for spreadsheets and pandas: without a zone, always with microseconds.

    >>> format_time("2026-03-01T10:00:00.123456Z"), format_time("2026-03-01T10:00:00.000000")
    ('2026-03-01 10:00:00.123456', '2026-03-01 10:00:00.000000')
    """
    return f"{stored[:10]} {stored[11:26]}"


def encode_float(value: float) -> float | None:
    """Return a finite number, which every format supports; None for infinity and NaN."""
    return value if math.isfinite(value) else None


def decode_json(value: Any) -> Any:
    """Return an object or array as a Python value; the store may keep it as JSON text."""
    return json.loads(value) if isinstance(value, str) else value


def to_ascii_json(value: Any) -> str:
    r"""Encode a value as ASCII JSON, so that no text in it can reach a terminal as a control code.

    >>> to_ascii_json({"request": "caf\u00e9 \x1b[2J"})
    '{"request":"caf\\u00e9 \\u001b[2J"}'
    """
    text = msgspec.json.encode(value).decode()
    if text.isascii() and "\x7f" not in text:
        return text
    return _NON_ASCII.sub(lambda match: json.dumps(match[0])[1:-1].replace("\x7f", "\\u007f"), text)
