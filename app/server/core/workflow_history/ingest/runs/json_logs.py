"""Convert logs of JSON lines to text lines: time, level, message. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from ...common.plausible_dates import read_moment
from ..streams.claude_schema import error_text

_LEVEL_KEYS: Final = ("level", "levelname", "severity", "log.level", "lvl")
_TIME_KEYS: Final = ("timestamp", "time", "@timestamp", "ts", "datetime", "asctime")
_MESSAGE_KEYS: Final = ("message", "msg", "event", "text")
_ERROR_KEYS: Final = ("error", "err", "exception", "exc_info", "errors")
_LEVELS: Final = {
    "TRACE": "DEBUG", "10": "DEBUG", "20": "DEBUG", "30": "INFO", "40": "WARNING", "50": "ERROR",
    "60": "FATAL", "CRIT": "CRITICAL", "ERR": "ERROR", "PANIC": "FATAL", "ALERT": "FATAL",
}  # fmt: skip
"""Levels by other names; the numbers are those of pino and bunyan."""


def to_text_log(text: str) -> str:
    r"""Return a log with each record that is a JSON object as one line of text; other lines are unchanged.

    >>> to_text_log('{"time": "2026-01-01T10:00:00Z", "level": "error", "msg": "No token"}')
    '2026-01-01T10:00:00+00:00 - ERROR - No token'
    >>> to_text_log('{\n "error": {"message": "bad", "code": 5}\n}\n')
    'bad'
    """
    if "{" not in text:
        return text
    if (whole := _parse_object(text)) is not None:
        return _text_line(whole) or text
    return "\n".join([_convert_line(line) for line in text.split("\n")])


def _convert_line(line: str) -> str:
    record = _parse_object(line)
    return line if record is None else _text_line(record) or line


def _parse_object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text_line(record: dict[str, Any]) -> str:
    """Return a record as a line of text; "" if it has no message."""
    messages = [error_text(record.get(key)) for key in (*_MESSAGE_KEYS, *_ERROR_KEYS)]
    message = " ".join(next(filter(None, messages), "").split())
    moment = next(filter(None, (read_moment(record.get(key)) for key in _TIME_KEYS)), None)
    time = moment.isoformat(timespec="seconds") if moment else None
    return " - ".join(filter(None, (time, _level(record), message))) if message else ""


def _level(record: dict[str, Any]) -> str | None:
    level = next((value for key in _LEVEL_KEYS if (value := record.get(key)) is not None), None)
    if not isinstance(level, str | int):
        return None
    name = str(level).strip().upper()
    return _LEVELS.get(name, name)
