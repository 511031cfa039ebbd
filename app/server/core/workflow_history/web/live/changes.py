"""See that the history was written to, by our sync or by anybody: its mark in, a call when it is another out.

It asks once a second, and only while somebody listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ...store.marks import Marker

ASKS_EVERY: Final = 1.0  # seconds


class Changes:
    """Compares a history's mark with the one before."""

    def __init__(self, marker: Marker, somebody: asyncio.Event, changed: Callable[[str], None]) -> None:
        self._marker = marker
        self._somebody = somebody
        self._changed = changed
        self._hurry = asyncio.Event()

    def hurry(self) -> None:
        """Ask now: something was likely written."""
        self._hurry.set()

    async def run(self) -> None:
        """Call `changed` with each new mark, until cancelled."""
        last = await self._mark()
        while True:
            await self._somebody.wait()
            mark = await self._mark()
            if mark != last:
                last = mark
                self._changed(mark)
            self._hurry.clear()
            try:
                await asyncio.wait_for(self._hurry.wait(), ASKS_EVERY)
            except TimeoutError:
                continue

    async def _mark(self) -> str:
        return await asyncio.to_thread(mark_of, self._marker)


def mark_of(marker: Marker) -> str:
    """Return a history's mark as pages carry it; empty: there is no history."""
    mark = marker.mark()
    return "" if mark is None else f"{mark.opened}.{mark.version}"
