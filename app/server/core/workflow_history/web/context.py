"""What answers need beside the request: an app's own things, kept where every handler finds them."""

from __future__ import annotations

from asyncio import Event, Semaphore
from dataclasses import dataclass, field
from typing import Annotated, Final, cast

from fastapi import Depends, Request

from .. import database
from ..errors import WorkflowHistoryError
from .guesses import Guesses
from .kept import Kept
from .live.assembly import Live
from .live.changes import mark_now
from .metrics import Metrics
from .settings import Settings
from .words import Words

MOST_EXPORTS: Final = 4  # at the same time


@dataclass(frozen=True, slots=True)
class Context:
    """One server's own things."""

    settings: Settings
    live: Live
    words: Words = field(default_factory=Words)
    kept: Kept = field(default_factory=Kept)
    guesses: Guesses = field(default_factory=Guesses)
    metrics: Metrics = field(default_factory=Metrics)
    exports: Semaphore = field(default_factory=lambda: Semaphore(MOST_EXPORTS))  # their places
    had_history: Event = field(default_factory=Event)  # since the server began


async def context_of(request: Request) -> Context:
    """Return the things of the app that was asked."""
    return cast("Context", request.app.state.context)


Here = Annotated[Context, Depends(context_of)]
"""A handler's parameter that holds them."""


async def history_remains(here: Here) -> None:
    """Raise WorkflowHistoryError where the history was there and is gone: that is no empty history."""
    if database.is_there():
        here.had_history.set()
    elif here.had_history.is_set():
        raise WorkflowHistoryError(
            f"the history {database.location()} is gone since this server began; put it back, or sync anew"
        )


def note_mark(request: Request) -> None:
    """Note what the history's mark was before a page reads it: the page asks for what came after."""
    request.state.mark = mark_now()
