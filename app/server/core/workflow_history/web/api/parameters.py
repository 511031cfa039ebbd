"""Types of parameters that several operations share, with limits and descriptions."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Header, Path, Query

from ..middleware import run_id_paths  # noqa: F401 - registers {id:run} for routes with a RunId
from ..middleware.security import CHANGE_HEADER

MAX_TEXT_CHARS: Final = 20_000  # characters of a task; a URL may have about 60,000

RunId = Annotated[
    str,
    Path(
        alias="id",
        min_length=1,
        max_length=400,
        description="Run ID or a unique prefix.",
    ),
]
Project = Annotated[
    str | None,
    Query(max_length=400, description="Project of the run, if the ID is in several projects."),
]
Reference = Annotated[
    str,
    Query(min_length=1, max_length=800, description="Run ID, project/ID or a unique prefix."),
]
Limit = Annotated[int, Query(ge=1, le=100, description="Maximum number of runs listed.")]
Threshold = Annotated[
    float | None, Query(ge=0, le=1, allow_inf_nan=False, description="Minimum similarity, 0 to 1.")
]
TaskText = Annotated[
    str, Query(min_length=1, max_length=MAX_TEXT_CHARS, description="Request text of the task.")
]
ChangeHeader = Annotated[
    str,
    Header(
        alias=CHANGE_HEADER.title(),
        max_length=100,
        description="Any value. Other websites cannot send this header, so they cannot change data.",
        examples=["1"],
    ),
]
"""Header required in requests that change data. The security middleware has already checked it."""


def qualified_id(run_id: str, project: str | None) -> str:
    """Return a run's id, qualified as `project/id` if a project is given."""
    return run_id if project is None else f"{project}/{run_id}"
