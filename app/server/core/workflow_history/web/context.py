"""Objects that all request handlers of an app share, as a FastAPI dependency."""

from __future__ import annotations

from asyncio import Event, Semaphore
from dataclasses import dataclass, field
from typing import Annotated, Final, cast

from fastapi import Depends, Request

from .. import database
from ..common.errors import WorkflowHistoryError
from .caches import QueryCache
from .guess_limiter import GuessLimiter
from .live.change_notifier import current_change_token
from .live.service import LiveService
from .middleware.metrics import Metrics
from .settings import ServerSettings

MAX_CONCURRENT_EXPORTS: Final = 4


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, services and caches of one server."""

    settings: ServerSettings
    live: LiveService
    query_cache: QueryCache = field(default_factory=QueryCache)
    guess_limiter: GuessLimiter = field(default_factory=GuessLimiter)
    metrics: Metrics = field(default_factory=Metrics)
    export_slots: Semaphore = field(default_factory=lambda: Semaphore(MAX_CONCURRENT_EXPORTS))
    history_seen: Event = field(default_factory=Event)  # set once a history existed while the server ran


async def get_context(request: Request) -> Context:
    """Return the context of the app that handles a request."""
    return cast("Context", request.app.state.context)


ContextDep = Annotated[Context, Depends(get_context)]
"""Type of a handler's parameter for the context."""


async def check_history_exists(context: ContextDep) -> None:
    """Raise WorkflowHistoryError if the history has disappeared while the server runs.

    A deleted history must not look like an empty one.
    """
    if database.history_exists():
        context.history_seen.set()
    elif context.history_seen.is_set():
        raise WorkflowHistoryError(
            f"The history {database.database_name()} is missing; it existed when the server started. "
            "Restore it from a backup, or sync again."
        )


def remember_change_token(request: Request) -> None:
    """Store the history's change token before a page reads it, so that the page can ask for later changes."""
    request.state.change_token = current_change_token()
