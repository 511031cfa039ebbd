"""Whole tables: what, which columns and a filter in, CSV, JSON Lines or Parquet out, piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query
from starlette.responses import Response, StreamingResponse

from ...answers.export import pieces
from ...answers.statistics_rows import statistics_table
from ...errors import InvalidQueryError
from ..wanted import NARROWED, Wanted
from .described import problems
from .parameters import Zone
from .statistics import Across

router = APIRouter(prefix="/export", tags=["export"])

MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}
STATISTICS: Final = "statistics"  # the one table that is made of a question

_GIVES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The rows, the oldest first.",
        "content": {
            media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
            for media_type in MEDIA_TYPES.values()
        },
    },
    **problems(),
}


@router.get(
    "/{what}", summary="A table as a file", responses=_GIVES, response_class=Response, openapi_extra=NARROWED
)
def take_out(  # noqa: PLR0917 - a table is asked for in many ways
    what: Annotated[Literal["runs", "agent-runs", "patterns", "statistics"], Path(description="The table.")],
    where: Wanted,
    zone: Zone,
    kind: Annotated[
        Literal["csv", "jsonl", "parquet"], Query(alias="format", description="The file's format.")
    ] = "csv",
    columns: Annotated[
        str | None, Query(max_length=4_000, description="Names with commas between, or all.")
    ] = None,
    raw: Annotated[bool, Query(description="Leave cells that a spreadsheet would run.")] = False,
    by: Annotated[str | None, Query(max_length=40, description="Statistics by this: month, phase.")] = None,
    across: Across = None,
) -> Response:
    """Return rows of the history; in CSV, text that a spreadsheet would run gets an apostrophe before it."""
    if what != STATISTICS and (by is not None or across is not None):
        raise InvalidQueryError("by and across are of statistics: export/statistics?by=month")
    names = None if columns is None else [name.strip() for name in columns.split(",") if name.strip()]
    table = statistics_table(by or "month", across, zone) if what == STATISTICS else None
    rows = pieces(what, kind, columns=names, where=where, raw=raw, table=table)
    headers = {
        "Content-Disposition": f'attachment; filename="{what}.{kind}"',
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(_begun(rows), headers=headers, media_type=MEDIA_TYPES[kind])


def _begun(rows: Iterator[bytes]) -> Iterator[bytes]:
    """Read the first piece before anything is sent: what is wrong shows there."""
    return chain([next(rows)], rows)
