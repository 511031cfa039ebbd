"""Routes for live data: event stream, running runs, status of the sync, and syncs on demand."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...queries.running_runs import run_progress, running_runs
from ..context import ContextDep
from ..json_response import json_response
from ..live.event_broker import EventBroker, Subscriber
from .openapi import problem_responses, schema_responses
from .parameters import ChangeHeader, Project, RunId, qualified_id

logger = logging.getLogger("workflow_history")

router = APIRouter(tags=["live"])

HEARTBEAT: Final = 15  # seconds between comments on an idle stream
CLIENT_TIMEOUT: Final = 10.0  # seconds that a client may take to read one message
CURRENT_SYNC_URL: Final = "/api/v1/syncs/current"

_EVENT_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "`history`: the history has changed; `sync`: the sync status, as in syncs/current.",
        "content": {
            "text/event-stream": {"schema": {"type": "string"}, "example": "event: history\ndata: 7\n\n"}
        },
    },
    **problem_responses(),
}

_START_RESPONSES: Final = {202: schema_responses("sync-now")[200], **problem_responses()}


class EventStreamResponse(EventSourceResponse):
    """An event stream that ends without an error if its client is too slow."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client, the broker or the server ends the stream."""
        try:
            await super().__call__(scope, receive, send)
        except* SendTimeoutError:
            logger.info("client_dropped path=%s", scope["path"])


@router.get("/events", summary="Stream changes as server-sent events", responses=_EVENT_RESPONSES)
async def stream_events(
    context: ContextDep,
    since: Annotated[
        str | None,
        Query(
            max_length=50,
            description="Data of the last `history` event that the client received.",
        ),
    ] = None,
) -> Response:
    """Stream events: first the sync status and, if the history has changed since `since`, its token."""
    client = context.live.subscribe(since)
    if client is None:
        raise HTTPException(503, "Too many open event streams. Retry in 10 seconds.", {"Retry-After": "10"})
    return EventStreamResponse(
        _stream_until_closed(context.live.broker, client), ping=HEARTBEAT, send_timeout=CLIENT_TIMEOUT
    )


async def _stream_until_closed(broker: EventBroker, client: Subscriber) -> AsyncIterator[ServerSentEvent]:
    try:
        async for message in client.messages():
            yield message
    finally:
        broker.unsubscribe(client)


@router.get("/running", summary="List running runs", responses=schema_responses("running"))
def list_running(request: Request) -> Response:
    """Return all running runs with their current phase, cost so far and remaining forecast."""
    return json_response(request, running_runs(datetime.now(UTC)))


@router.get(
    "/runs/{id:run}/progress", summary="Get the progress of a run", responses=schema_responses("progress")
)
def show_progress(request: Request, run_id: RunId, project: Project = None) -> Response:
    """Return a run's current phase, cost so far and remaining forecast. `flight` is null if it has ended."""
    return json_response(request, run_progress(qualified_id(run_id, project)))


@router.get("/syncs/current", summary="Get the sync status", responses=schema_responses("sync-now"))
def show_current_sync(request: Request, context: ContextDep) -> Response:
    """Return the watched directories, the progress of a running sync, and the result of the last sync."""
    response = json_response(request, context.live.scheduler.status)
    response.headers["Cache-Control"] = "no-store"  # it changes independently of the history
    return response


@router.post("/syncs", summary="Start a sync", status_code=202, responses=_START_RESPONSES)
async def start_sync(request: Request, context: ContextDep, _header: ChangeHeader) -> Response:
    """Start a sync of the server's agents directories; 409 if a sync is running or no directory is set."""
    scheduler = context.live.scheduler
    if scheduler.status.agents_dir is None:
        raise HTTPException(409, "No agents directory to sync. Restart with: workflow-history serve DIR")
    if scheduler.is_busy:
        raise HTTPException(409, f"A sync is already running. See its progress at {CURRENT_SYNC_URL}")
    scheduler.request_sync()
    response = json_response(request, scheduler.status)
    response.status_code = 202
    response.headers["Location"] = CURRENT_SYNC_URL
    return response
