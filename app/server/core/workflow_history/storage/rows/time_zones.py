"""Whether the zone of a run's times is known: SQL that says it, and times as they are to be taken out."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Text, case, cast, false, func, true

from ..tables.schema import workflows
from .column_types import WIDTH_WITHOUT_ZONE

_word: Final = cast(workflows.c.extra["time_zone_known"].as_string(), Text)
_IS_KNOWN: Final = _word.in_(("1", "true"))  # how databases write down in JSON what is true
_IS_UNKNOWN: Final = _word.in_(("0", "false"))

ZONE_KNOWN: Final[ColumnElement[Any]] = case((_IS_KNOWN, true()), (_IS_UNKNOWN, false()))
"""Null where nothing is said of it."""


def as_told(time: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a time of a run, without a zone if its zone is unknown: stored, it stands as if it were UTC."""
    return case((_IS_UNKNOWN, func.substr(time, 1, WIDTH_WITHOUT_ZONE)), else_=time)
