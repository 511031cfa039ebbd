"""Single values on their way out: as the store holds them in, exact text and JSON out. Pure."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import msgspec

_NOT_ASCII = re.compile("[^\x00-\x7e]+")


def encode_money(nanodollars: int) -> str:
    """Return whole nanodollars as US dollars, to the last digit.

    >>> encode_money(1_500_000_000), encode_money(1), encode_money(-20_000_000), encode_money(7_000_000_000)
    ('1.5', '0.000000001', '-0.02', '7')
    """
    whole, rest = divmod(abs(nanodollars), 1_000_000_000)
    fraction = f"{rest:09d}".rstrip("0")
    return f"{'-' if nanodollars < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"


def date_and_time(stored: str) -> str:
    """Return stored time text as spreadsheets and pandas read it: without a zone, always with microseconds.

    >>> date_and_time("2026-03-01T10:00:00.123456Z"), date_and_time("2026-03-01T10:00:00.000000")
    ('2026-03-01 10:00:00.123456', '2026-03-01 10:00:00.000000')
    """
    return f"{stored[:10]} {stored[11:26]}"


def encode_float(value: float) -> float | None:
    """Return a number that every format can hold; None for what is none."""
    return value if math.isfinite(value) else None


def decode_json(value: Any) -> Any:
    """Return an object or array as Python holds it; the store may hold it as JSON text."""
    return json.loads(value) if isinstance(value, str) else value


def to_ascii_json(value: Any) -> str:
    r"""Return a value as JSON in ASCII: no text in it can reach a terminal as a control code.

    >>> to_ascii_json({"request": "caf\u00e9 \x1b[2J"})
    '{"request":"caf\\u00e9 \\u001b[2J"}'
    """
    text = msgspec.json.encode(value).decode()
    return text if text.isascii() and "\x7f" not in text else _NOT_ASCII.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1].replace("\x7f", "\\u007f")
