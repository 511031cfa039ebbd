"""Detect writes to the history, by this server's syncs or by other processes.

The history is polled once a second, and only while a client is subscribed to events.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from ... import database
from ...common.errors import WorkflowHistoryError

POLL_INTERVAL: Final = 1.0  # seconds

_SERVER: Final = secrets.token_hex(4)  # prefix, because tokens of different servers aren't comparable


class ChangeNotifier:
    """Poll the history's change token, and call `changed` with each new one."""

    def __init__(self, somebody: asyncio.Event, changed: Callable[[str], None]) -> None:
        self._somebody = somebody
        self._changed = changed
        self._hurry = asyncio.Event()

    def check_now(self) -> None:
        """Poll at once, because something was probably written."""
        self._hurry.set()

    async def run(self) -> None:
        """Report each new change token until cancelled. Pauses while no client is subscribed."""
        last = await asyncio.to_thread(current_change_token)
        while True:
            await self._somebody.wait()
            mark = await asyncio.to_thread(current_change_token)
            if mark != last:
                last = mark
                self._changed(mark)
            self._hurry.clear()
            try:
                await asyncio.wait_for(self._hurry.wait(), POLL_INTERVAL)
            except TimeoutError:
                continue


def current_change_token() -> str:
    """Return a token that changes whenever the history changes."""
    try:
        return f"{_SERVER}-{database.change_token()}"
    except WorkflowHistoryError:  # the history cannot be read; the pages report the reason
        return f"{_SERVER}-unreadable"
