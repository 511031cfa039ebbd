"""Look up time zones by name."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import InvalidValueError

LOCAL_ZONE: Final = "local"
"""Name of this machine's time zone."""

TZ_HELP: Final = "Time zone of times and days, such as Europe/Berlin or UTC; default: that of this machine."
"""Shared description of the command line option and the REST parameter."""


def zone_named(name: str | None) -> tzinfo | None:
    """Return the time zone of a name; None is this machine's zone. Raises InvalidQueryError if it is unknown.

    >>> zone_named("UTC"), zone_named("local")
    (zoneinfo.ZoneInfo(key='UTC'), None)
    """
    if name is None or name == LOCAL_ZONE:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise unknown_zone_error(name) from error


def unknown_zone_error(name: str) -> InvalidValueError:
    """Return the error for an unknown time zone."""
    return InvalidValueError(
        "tz", name, f"Use {LOCAL_ZONE}, UTC, or a name such as Europe/Berlin, America/New_York."
    )
