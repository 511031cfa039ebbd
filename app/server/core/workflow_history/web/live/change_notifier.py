"""See that the history was written to, by our sync or by anybody: a call with its new mark comes out.

It asks once a second, and only while somebody listens.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

from ... import database
from ...common.errors import WorkflowHistoryError

POLL_INTERVAL: Final = 1.0  # seconds

_SERVER: Final = secrets.token_hex(4)  # marks of two servers have nothing to do with each other


class ChangeNotifier:
    """Compares the history's mark with the one before."""

    def __init__(self, somebody: asyncio.Event, changed: Callable[[str], None]) -> None:
        self._somebody = somebody
        self._changed = changed
        self._hurry = asyncio.Event()

    def check_now(self) -> None:
        """Ask now: something was likely written."""
        self._hurry.set()

    async def run(self) -> None:
        """Tell of each new mark, until cancelled."""
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
    """Return a word that stays as long as nothing is written to the history."""
    try:
        return f"{_SERVER}-{database.change_token()}"
    except WorkflowHistoryError:  # it cannot be read: pages say why
        return f"{_SERVER}-unreadable"
