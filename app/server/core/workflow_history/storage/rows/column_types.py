"""Convert single values to and from column values; pure. Unstorable values raise UnstorableValueError."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import lru_cache
from pathlib import PurePath
from types import NoneType
from typing import Any

import msgspec

from ...common.redaction import redact_json, redact_text
from ...common.spending import NANODOLLARS, to_usd

MAX_INTEGER = 2**63 - 1  # maximum of an integer column
_MAX_INTEGER_BITS = 10_000  # bits; Python itself refuses to format longer integers as text
_MAX_DEPTH = 100  # levels of nesting; the JSON encoder itself fails on values nested much deeper

_JSON_TYPES = frozenset({str, int, float, bool, NoneType, list, dict})  # types that JSON supports

_SURROGATE = re.compile("[\ud800-\udfff]")

_ENCODER = msgspec.json.Encoder(decimal_format="number")  # four times as fast as the standard library's


class UnstorableValueError(ValueError):
    """A value that its column cannot store; the message states the expected type."""


def sanitize_text(value: str) -> str:
    r"""Return `value` with NUL and lone surrogates replaced, which no database stores.

    >>> sanitize_text("a\x00b\ud800")
    'a\ufffdb\ufffd'
    """
    try:
        value.encode()  # detects surrogates in a fraction of the time of a search by character
    except UnicodeEncodeError:
        value = _SURROGATE.sub("\ufffd", value)
    return value.replace("\x00", "\ufffd") if "\x00" in value else value


def storable_json(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911 - one line for each sort
    """Return `value` as plain JSON data: dates and paths as text, NaN and infinity as null.

    >>> storable_json({1: (Decimal("0.5"), float("nan"))})
    {'1': [0.5, None]}
    """
    if depth > _MAX_DEPTH:
        raise UnstorableValueError(f"nested more than {_MAX_DEPTH} levels deep")
    match value:
        case str():
            return sanitize_text(value)
        case None | bool():
            return value
        case int() if value.bit_length() > _MAX_INTEGER_BITS:
            raise UnstorableValueError("a number too long to write down")
        case int():
            return int(value)
        case float() | Decimal():
            number = float(value)
            return number if math.isfinite(number) else None
        case Mapping():
            return {sanitize_text(str(key)): storable_json(item, depth + 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [storable_json(item, depth + 1) for item in value]
        case datetime() | date():
            return value.isoformat()
        case _:
            return sanitize_text(str(value))


def encode_json(value: Any) -> str:
    """Return `value` as JSON text that any database can store."""
    try:
        text = _ENCODER.encode(value).decode()
    except (TypeError, ValueError, RecursionError):  # includes lone surrogates and non-JSON objects
        return json.dumps(storable_json(value))
    # NUL is escaped, and a non-finite Decimal is written unquoted; only such text is encoded again.
    is_invalid = ("\\" in text and "\\u0000" in text) or ("N" in text and "NaN" in text) or "Infinity" in text
    return json.dumps(storable_json(value)) if is_invalid else text


def encode_extra(extra: Mapping[Any, Any]) -> str:
    """Return the keys without a column as JSON text; raises UnstorableValueError if nested too deeply.

    >>> encode_extra({"port": 1, 2: Decimal("0.5")})
    '{"port":1,"2":0.5}'
    """
    if _JSON_TYPES.issuperset(map(type, extra.values())):
        text = encode_json(extra)
        if text.count("[") + text.count("{") <= _MAX_DEPTH:
            return encode_json(clean) if (clean := redact_json(extra)) is not extra else text
    return encode_json(redact_json(storable_json(extra, -1)))


def to_text(value: Any) -> str:
    """Return sanitized text; converts numbers, paths and enum members to text."""
    if type(value) is str:  # the common case first: a first sync converts millions of values
        return value if value.isascii() and "\x00" not in value else sanitize_text(value)
    if isinstance(value, Enum):
        return to_text(value.value)
    if isinstance(value, int | float | Decimal | PurePath | str) and not isinstance(value, bool):
        return sanitize_text(str(value))
    raise UnstorableValueError("expected text")


def redacted_text(value: Any) -> str:
    """Return text from a file or a caller with its secrets redacted."""
    text = to_text(value)
    return redact_text(text) if len(text) > _MAX_CACHED_LENGTH else _cached_redact(text)


_MAX_CACHED_LENGTH = 80  # characters; most of these texts are names that recur from run to run
_cached_redact = lru_cache(maxsize=4_096)(redact_text)


def to_integer(value: Any) -> int:
    """Return a 64-bit integer; also converts text and whole floats.

    >>> to_integer("12"), to_integer(3.0)
    (12, 3)
    """
    number = value if type(value) is int else _to_whole_number(_to_decimal(value))
    if not -MAX_INTEGER <= number <= MAX_INTEGER:
        raise UnstorableValueError("expected a number of at most 64 bits")
    return number


def _to_whole_number(number: Decimal) -> int:
    if number.copy_abs() > MAX_INTEGER or number != number.to_integral_value():
        raise UnstorableValueError("expected a whole number")
    return int(number)


def to_float(value: Any) -> float:
    """Return a finite float; also converts text."""
    number = value if type(value) is float else float(_to_decimal(value))
    if not math.isfinite(number):
        raise UnstorableValueError("expected a finite number")
    return number


def to_stored_money(value: Any) -> int:
    """Return US dollars as whole nanodollars, rounded half to even.

    >>> to_stored_money(0.036000000000000004), to_stored_money("1.50")
    (36000000, 1500000000)
    """
    if type(value) is float and 0 <= value < 1e6:  # small enough that a double resolves nanodollars
        return round(value * NANODOLLARS)
    number = _to_decimal(value)
    if not 0 <= number <= MAX_INTEGER // NANODOLLARS:
        raise UnstorableValueError("expected an amount of US dollars")
    return round(number * NANODOLLARS)


def _to_decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise UnstorableValueError("expected a number")
    try:
        number = Decimal(str(value) if isinstance(value, float) else value)
    except InvalidOperation as error:
        raise UnstorableValueError("expected a number") from error
    if not number.is_finite():
        raise UnstorableValueError("expected a finite number")
    return number


def to_bool(value: Any) -> bool:
    """Return a boolean; also converts 1 and 0."""
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise UnstorableValueError("expected true or false")


def to_timestamp(value: Any) -> str:
    """Return a time as UTC text of fixed width, which sorts by time. A time without an offset counts as UTC.

    >>> to_timestamp("2025-01-01T02:00:00+02:00")
    '2025-01-01T00:00:00.000000Z'
    """
    if type(value) is str and value[26:] == "+00:00" and value[7] + value[10] + value[19] == "-T.":
        datetime.fromisoformat(value)  # the format this package writes: only validate it
        return value[:26] + "Z"
    return _to_utc(value).isoformat(timespec="microseconds")[:26] + "Z"


def _to_utc(value: Any) -> datetime:
    """Return ISO 8601 text or a datetime as a datetime in UTC; a naive time stays naive."""
    if isinstance(value, str):
        moment = datetime.fromisoformat(value.strip())
    elif isinstance(value, datetime):
        moment = value
    else:
        raise UnstorableValueError("expected a time in ISO 8601")
    try:
        return moment.astimezone(UTC) if moment.utcoffset() else moment
    except OverflowError as error:
        raise UnstorableValueError("expected a time of the years 1 to 9999") from error


def from_time(stored: str) -> str:
    """Return stored time text without a zero fraction.

    >>> from_time("2025-01-01T00:00:00.000000Z")
    '2025-01-01T00:00:00Z'
    """
    return stored.replace(".000000Z", "Z")


WIDTH_WITHOUT_ZONE = len("2025-01-01T00:00:00.000000")
"""Length of stored time text before its Z, in characters."""

TIMES_OF_A_RUN = ("created_at", "started_at", "completed_at")


def without_unknown_zone(run: dict[str, Any]) -> dict[str, Any]:
    """Remove the Z from the times of a run if its zone is unknown: they are stored as if they were UTC.

    >>> without_unknown_zone({"created_at": "2025-01-01T00:00:00Z", "time_zone_known": False})["created_at"]
    '2025-01-01T00:00:00'
    """
    if run.get("time_zone_known") is False:
        for name in TIMES_OF_A_RUN:
            if isinstance(stored := run.get(name), str):
                run[name] = stored.removesuffix("Z")
    return run


def parse_utc_offset(value: Any) -> int | None:
    """Return the UTC offset of time text in minutes, or None if it has none or zero (local time unknown).

    >>> parse_utc_offset("2025-01-01T02:00:00+02:00")
    120
    """
    if not isinstance(value, str) or not ("+" in value or "-" in value[10:]):
        return None
    try:
        offset = datetime.fromisoformat(value.strip()).utcoffset()
    except ValueError:
        return None
    return round(offset.total_seconds() / 60) if offset else None


def to_dict(value: Any) -> str:
    """Return a mapping as JSON text with its secrets redacted."""
    if not isinstance(value, Mapping):
        raise UnstorableValueError("expected an object")
    return encode_json(redact_json(value))


def to_list(value: Any) -> str:
    """Return a list, tuple or set as JSON text with its secrets redacted."""
    if not isinstance(value, list | tuple | set | frozenset):
        raise UnstorableValueError("expected an array")
    return encode_json(redact_json(value))


ENCODERS: dict[str, Callable[[Any], Any]] = {
    "name": to_text,
    "text": redacted_text,
    "whole": to_integer,
    "real": to_float,
    "money": to_stored_money,
    "time": to_timestamp,
    "flag": to_bool,
    "dict": to_dict,
    "list": to_list,
}

DECODERS: dict[str, Callable[[Any], Any]] = {"money": to_usd, "time": from_time}
