"""What goes on now: events as they come, a sync on demand and how it stands."""

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

from ...answers.running import run_progress, running_runs
from ..context import Here
from ..live.hub import Client, Hub
from ..replies import reply
from .described import gives, problems
from .parameters import Changing, Project, RunId, named

logger = logging.getLogger("workflow_history")

router = APIRouter(tags=["live"])

HEARTBEAT: Final = 15  # seconds between two comments on a silent stream
SLOWEST: Final = 10.0  # seconds that a client may take to read one message
CURRENT: Final = "/api/v1/syncs/current"

_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "`history`: something was written; `sync`: how the sync stands, as in syncs/current.",
        "content": {
            "text/event-stream": {"schema": {"type": "string"}, "example": "event: history\ndata: 7\n\n"}
        },
    },
    **problems(),
}

_ACCEPTED: Final = {202: gives("sync-now")[200], **problems()}


class Events(EventSourceResponse):
    """A stream of events that ends quietly where its client does not keep up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client, the hub or the server ends it."""
        try:
            await super().__call__(scope, receive, send)
        except* SendTimeoutError:
            logger.info("client_dropped path=%s", scope["path"])


@router.get("/events", summary="What happens, as it happens", responses=_EVENTS)
async def stream_events(
    here: Here,
    since: Annotated[str | None, Query(max_length=50, description="The mark of what you have.")] = None,
) -> Response:
    """Return server-sent events; what has changed since the mark `since` is told at once."""
    client = here.live.welcome(since)
    if client is None:
        raise HTTPException(503, "too many listen already; ask again later", {"Retry-After": "10"})
    return Events(_until_it_leaves(here.live.hub, client), ping=HEARTBEAT, send_timeout=SLOWEST)


async def _until_it_leaves(hub: Hub, client: Client) -> AsyncIterator[ServerSentEvent]:
    try:
        async for message in client.messages():
            yield message
    finally:
        hub.leave(client)


@router.get("/running", summary="The runs that go on", responses=gives("running"))
def list_running(request: Request) -> Response:
    """Return the runs that are not done: where they are, what they spent so far and what is to come."""
    return reply(request, running_runs(datetime.now(UTC)))


@router.get("/runs/{id:run}/progress", summary="How far one run is", responses=gives("progress"))
def show_progress(request: Request, run_id: RunId, project: Project = None) -> Response:
    """Return where a run is, what it spent so far and what is to come; `flight` is null if it has ended."""
    return reply(request, run_progress(named(run_id, project)))


@router.get("/syncs/current", summary="How the sync stands", responses=gives("sync-now"))
def show_current_sync(request: Request, here: Here) -> Response:
    """Return what is followed, how far a sync is that runs, and how the last one ended."""
    answer = reply(request, here.live.syncer.now)
    answer.headers["Cache-Control"] = "no-store"  # it changes while the history does not
    return answer


@router.post("/syncs", summary="Sync now", status_code=202, responses=_ACCEPTED)
async def start_sync(request: Request, here: Here, _changing: Changing) -> Response:
    """Start a sync of the server's folder; 409 where one runs, or there is no folder."""
    syncer = here.live.syncer
    if syncer.now.agents_dir is None:
        raise HTTPException(409, "this server has no agents folder: start it with workflow-history serve DIR")
    if syncer.is_busy:
        raise HTTPException(409, f"a sync runs already; {CURRENT} says how far it is")
    syncer.wish()
    answer = reply(request, syncer.now)
    answer.status_code = 202
    answer.headers["Location"] = CURRENT
    return answer
