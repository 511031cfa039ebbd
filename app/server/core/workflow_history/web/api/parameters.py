"""Parameters that several operations take, each bounded: a request's own words in, checked values out."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Final
from zoneinfo import available_timezones

from fastapi import Depends, Header, Path, Query

from ...errors import InvalidQueryError
from ...summing.clock import LOCAL
from .. import run_ids  # noqa: F401 - routes with a RunId say {id:run}
from ..security import CHANGING

MOST_TEXT: Final = 20_000  # characters of a task in words; an address holds some 60,000

RunId = Annotated[
    str,
    Path(
        alias="id",
        min_length=1,
        max_length=400,
        description="The run's id, or a beginning that only it has.",
    ),
]
Project = Annotated[
    str | None, Query(max_length=400, description="The run's project, where several have the id.")
]
Reference = Annotated[
    str,
    Query(min_length=1, max_length=800, description="A run: its id, project/id, or a beginning of its id."),
]
Shown = Annotated[int, Query(ge=1, le=100, description="At most this many.")]
Threshold = Annotated[
    float | None, Query(ge=0, le=1, allow_inf_nan=False, description="Least score, 0 to 1.")
]
TaskText = Annotated[str, Query(min_length=1, max_length=MOST_TEXT, description="A task in words.")]
Changing = Annotated[
    str,
    Header(
        alias=CHANGING.title(),
        max_length=100,
        description="Any value: no page of another site can send this header.",
        examples=["1"],
    ),
]
"""What every request needs that changes something; the guard has looked at it before."""


async def _zone(
    tz: Annotated[
        str,
        Query(max_length=100, description="Days and hours are of this time zone: local, UTC, Europe/Berlin."),
    ] = LOCAL,
) -> str:
    """Return a time zone that there is; a client's words never name a file."""
    if tz != LOCAL and tz not in _zones():
        raise InvalidQueryError(f"no time zone {tz!r}; use {LOCAL}, UTC, or a name such as Europe/Berlin")
    return tz


Zone = Annotated[str, Depends(_zone)]


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def named(run_id: str, project: str | None) -> str:
    """Return a run's name as every answer takes it."""
    return run_id if project is None else f"{project}/{run_id}"
