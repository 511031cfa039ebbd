"""Time zones by name: a word in, a zone out."""

from __future__ import annotations

from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from .errors import InvalidQueryError

LOCAL_ZONE: Final = "local"
"""The zone of this machine."""

TZ_HELP: Final = "Times and days are of this time zone: Europe/Berlin, UTC; else of this machine's."
"""One description for the option and the parameter."""


def zone_named(name: str | None) -> tzinfo | None:
    """Return the zone of this name; None: this machine's. Raises InvalidQueryError if there is none.

    >>> zone_named("UTC"), zone_named("local")
    (zoneinfo.ZoneInfo(key='UTC'), None)
    """
    if name is None or name == LOCAL_ZONE:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidQueryError(
            f"no time zone {name!r}; use {LOCAL_ZONE}, UTC, or a name such as Europe/Berlin, America/New_York"
        ) from error
