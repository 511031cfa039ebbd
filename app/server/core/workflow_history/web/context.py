"""What answers need beside the request: an app's own things, kept where every handler finds them."""

from __future__ import annotations

from asyncio import Event, Semaphore
from dataclasses import dataclass, field
from typing import Annotated, Final, cast

from fastapi import Depends, Request

from .. import database
from ..common.errors import WorkflowHistoryError
from .guesses import Guesses
from .known_values import FilterChoices
from .live.change_notifier import current_change_token
from .live.service import LiveService
from .middleware.metrics import Metrics
from .query_cache import QueryCache
from .settings import ServerSettings

MAX_CONCURRENT_EXPORTS: Final = 4  # at the same time


@dataclass(frozen=True, slots=True)
class Context:
    """One server's own things."""

    settings: ServerSettings
    live: LiveService
    words: FilterChoices = field(default_factory=FilterChoices)
    kept: QueryCache = field(default_factory=QueryCache)
    guesses: Guesses = field(default_factory=Guesses)
    metrics: Metrics = field(default_factory=Metrics)
    exports: Semaphore = field(default_factory=lambda: Semaphore(MAX_CONCURRENT_EXPORTS))  # their places
    had_history: Event = field(default_factory=Event)  # since the server began


async def context_of(request: Request) -> Context:
    """Return the things of the app that was asked."""
    return cast("Context", request.app.state.context)


ContextDep = Annotated[Context, Depends(context_of)]
"""A handler's parameter that holds them."""


async def check_history_exists(here: ContextDep) -> None:
    """Raise WorkflowHistoryError where the history was there and is gone: that is no empty history."""
    if database.history_exists():
        here.had_history.set()
    elif here.had_history.is_set():
        raise WorkflowHistoryError(
            f"the history {database.database_name()} is gone since this server began; put it back, or "
            f"sync anew"
        )


def remember_change_token(request: Request) -> None:
    """Note what the history's mark was before a page reads it: the page asks for what came after."""
    request.state.mark = current_change_token()
