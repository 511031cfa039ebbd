"""Routes that export tables as CSV, JSON Lines, Parquet or Markdown, streamed in chunks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Generator
from itertools import chain
from typing import Annotated, Any, Final, Literal

from anyio import CancelScope, fail_after
from fastapi import APIRouter, Depends, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from ...common.errors import InvalidQueryError
from ...queries.export import STATISTICS, iter_chunks, parse_columns
from ..context import ContextDep
from ..filter_params import FILTER_OPENAPI, FilterDep, Zone
from .openapi import problem_responses
from .statistics import Across

logger = logging.getLogger("workflow_history")

CLIENT_TIMEOUT: Final = 30.0  # seconds that a client may take to read a chunk: it occupies an export slot


async def _occupy_slot(context: ContextDep) -> AsyncIterator[None]:
    """Occupy an export slot until the response is sent, or answer 503: exports need memory and threads."""
    if context.export_slots.locked():
        raise HTTPException(503, "Too many concurrent exports. Retry in 5 seconds.", _RETRY_AFTER)
    async with context.export_slots:
        yield


_RETRY_AFTER: Final = {"Retry-After": "5"}

router = APIRouter(prefix="/export", tags=["export"], dependencies=[Depends(_occupy_slot)])

MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
    "markdown": "text/markdown; charset=utf-8",
}

TableName = Literal[
    "runs",
    "agent-runs",
    "model-usage",
    "tool-calls",
    "patterns",
    "occurrences",
    "problems",
    "statistics",
]

_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Rows of the table, oldest first.",
        "content": {
            media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
            for media_type in MEDIA_TYPES.values()
        },
    },
    **problem_responses(),
}


@router.get(
    "/{table}",
    summary="Export a table",
    responses=_RESPONSES,
    response_class=Response,
    openapi_extra=FILTER_OPENAPI,
)
def export_table(  # noqa: PLR0917 - one argument per query parameter
    table: Annotated[TableName, Path(description="Table to export.")],
    where: FilterDep,
    zone: Zone,
    kind: Annotated[
        Literal["csv", "jsonl", "parquet", "markdown"], Query(alias="format", description="File format.")
    ] = "csv",
    columns: Annotated[
        str | None,
        Query(
            max_length=4_000,
            description="Column names, separated by commas, or all. Default: the main columns.",
        ),
    ] = None,
    raw: Annotated[
        bool,
        Query(description="Turn off CSV injection protection."),
    ] = False,
    bom: Annotated[bool, Query(description="Start CSV with a byte order mark, for Excel.")] = False,
    by: Annotated[
        str | None, Query(max_length=40, description="Grouping of statistics, such as month.")
    ] = None,
    across: Across = None,
) -> Response:
    """Export rows of the history. In CSV, text that starts like a formula gets a leading apostrophe.

    Markdown is for people: a table for a comment, with fewer columns, short values and the sum of the costs.
    """
    if table != STATISTICS and (by is not None or across is not None):
        raise InvalidQueryError("by and across apply to statistics only. Use export/statistics?by=month.")
    tz = zone if table == STATISTICS else None
    rows = iter_chunks(
        table,
        kind,
        columns=parse_columns(columns),
        where=where,
        raw=raw,
        bom=bom,
        by=by,
        across=across,
        tz=tz,
    )
    headers = {
        "Content-Disposition": f'attachment; filename="{table}.{"md" if kind == "markdown" else kind}"',
        "Cache-Control": "private, no-store",
    }
    return _ChunkedResponse(rows, headers=headers, media_type=MEDIA_TYPES[kind])


class _ChunkedResponse(StreamingResponse):
    """Stream a file in chunks, each generated after the client has read the one before.

    The first chunk is generated before anything is sent, so an early error becomes an error response.
    """

    def __init__(self, rows: Generator[bytes], **kwargs: Any) -> None:
        self._rows = rows
        super().__init__(chain([next(rows)], rows), **kwargs)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the chunks. If the client is too slow, the response is cut off, which the client can see."""

        async def send_in_time(message: Message) -> None:
            with fail_after(CLIENT_TIMEOUT):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except* (TimeoutError, ClientDisconnect):
            logger.info("client_dropped path=%s", scope["path"])
        finally:
            with CancelScope(shield=True):  # the generator has the history open
                await run_in_threadpool(self._rows.close)
