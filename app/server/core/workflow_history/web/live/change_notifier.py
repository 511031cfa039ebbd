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

_SERVER_ID: Final = secrets.token_hex(4)  # prefix, because tokens of different servers aren't comparable


class ChangeNotifier:
    """Poll the history's change token, and call `on_change` with each new one."""

    def __init__(self, has_subscribers: asyncio.Event, on_change: Callable[[str], None]) -> None:
        self._has_subscribers = has_subscribers
        self._on_change = on_change
        self._poll_now = asyncio.Event()

    def check_now(self) -> None:
        """Poll at once, because something was probably written."""
        self._poll_now.set()

    async def run(self) -> None:
        """Report each new change token until cancelled. Pauses while no client is subscribed."""
        last_token = await asyncio.to_thread(current_change_token)
        while True:
            await self._has_subscribers.wait()
            token = await asyncio.to_thread(current_change_token)
            if token != last_token:
                last_token = token
                self._on_change(token)
            self._poll_now.clear()
            try:
                await asyncio.wait_for(self._poll_now.wait(), POLL_INTERVAL)
            except TimeoutError:
                continue


def current_change_token() -> str:
    """Return a token that changes whenever the history changes."""
    try:
        return f"{_SERVER_ID}-{database.change_token()}"
    except WorkflowHistoryError:  # the history cannot be read; the pages report the reason
        return f"{_SERVER_ID}-unreadable"
