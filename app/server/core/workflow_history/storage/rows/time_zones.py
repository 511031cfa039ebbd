"""SQL expressions for the time zone of a run: whether it is known, and its times for an export."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Text, case, cast, false, func, true

from ..tables.schema import workflows
from .column_types import WIDTH_WITHOUT_ZONE

_zone_known_text: Final = cast(workflows.c.extra["time_zone_known"].as_string(), Text)
_IS_KNOWN: Final = _zone_known_text.in_(("1", "true"))  # JSON true as text, by database
_IS_UNKNOWN: Final = _zone_known_text.in_(("0", "false"))

ZONE_KNOWN: Final[ColumnElement[Any]] = case((_IS_KNOWN, true()), (_IS_UNKNOWN, false()))
"""Null if the run does not specify it."""


def in_run_zone(time: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a time column without its Z if the zone is unknown: such a time is stored as if it were UTC."""
    return case((_IS_UNKNOWN, func.substr(time, 1, WIDTH_WITHOUT_ZONE)), else_=time)
