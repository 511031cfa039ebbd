"""Events for whoever listens: one thing that happened in, one message for each client out. Keeps nothing.

A client that does not keep up is dropped; it comes again and is told how things stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from sse_starlette import ServerSentEvent

MAX_CLIENTS: Final = 100
MAX_QUEUE: Final = 32  # messages for one client
RECONNECT_MS: Final = 2_000  # milliseconds after which a browser that lost the connection asks anew


class Subscriber:
    """One who listens."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[ServerSentEvent | None] = asyncio.Queue(MAX_QUEUE)

    def send(self, name: str, data: Any) -> bool:
        """Have a message sent; False where too many wait."""
        text = msgspec.json.encode(data).decode()
        try:
            self._messages.put_nowait(ServerSentEvent(text, event=name, retry=RECONNECT_MS))
        except asyncio.QueueFull:
            return False
        return True

    def close(self) -> None:
        """Have its stream end, whatever still waits."""
        while not self._messages.empty():
            self._messages.get_nowait()
        self._messages.put_nowait(None)

    async def messages(self) -> AsyncIterator[ServerSentEvent]:
        """Yield what it is told until its end."""
        while (message := await self._messages.get()) is not None:
            yield message


class EventBroker:
    """All who listen."""

    def __init__(self, most: int = MAX_CLIENTS) -> None:
        self._most = most
        self._clients: set[Subscriber] = set()
        self._closed = False
        self.somebody = asyncio.Event()  # set while anybody listens

    def subscribe(self) -> Subscriber | None:
        """Let one more listen; None where there are too many, or the server ends."""
        if self._closed or len(self._clients) >= self._most:
            return None
        client = Subscriber()
        self._clients.add(client)
        self.somebody.set()
        return client

    def unsubscribe(self, client: Subscriber) -> None:
        """Forget one."""
        self._clients.discard(client)
        if not self._clients:
            self.somebody.clear()

    def broadcast(self, name: str, data: Any) -> None:
        """Tell all."""
        for client in [client for client in self._clients if not client.send(name, data)]:
            self._drop(client)

    def close(self) -> None:
        """End all streams, and begin no more."""
        self._closed = True
        for client in list(self._clients):
            self._drop(client)

    def _drop(self, client: Subscriber) -> None:
        client.close()
        self.unsubscribe(client)
