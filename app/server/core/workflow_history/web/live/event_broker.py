"""Broadcast server-sent events to all subscribed clients. Events aren't stored.

A client that is too slow is dropped. It reconnects and gets the current state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from sse_starlette import ServerSentEvent

MAX_CLIENTS: Final = 100
MAX_QUEUE: Final = 32  # pending messages of one client
RECONNECT_MS: Final = 2_000  # milliseconds after which a browser reconnects


class Subscriber:
    """One subscribed client with its queue of messages."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[ServerSentEvent | None] = asyncio.Queue(MAX_QUEUE)

    def send(self, name: str, data: Any) -> bool:
        """Queue a message with JSON data. Return False if the queue is full."""
        text = msgspec.json.encode(data).decode()
        try:
            self._messages.put_nowait(ServerSentEvent(text, event=name, retry=RECONNECT_MS))
        except asyncio.QueueFull:
            return False
        return True

    def close(self) -> None:
        """End the client's stream, and discard the pending messages."""
        while not self._messages.empty():
            self._messages.get_nowait()
        self._messages.put_nowait(None)

    async def messages(self) -> AsyncIterator[ServerSentEvent]:
        """Yield the messages until the stream is closed."""
        while (message := await self._messages.get()) is not None:
            yield message


class EventBroker:
    """All subscribed clients."""

    def __init__(self, max_clients: int = MAX_CLIENTS) -> None:
        self._max_clients = max_clients
        self._clients: set[Subscriber] = set()
        self._closed = False
        self.has_subscribers = asyncio.Event()  # set while at least one client is subscribed

    def subscribe(self) -> Subscriber | None:
        """Add a client. Return None if there are too many or the server is stopping."""
        if self._closed or len(self._clients) >= self._max_clients:
            return None
        client = Subscriber()
        self._clients.add(client)
        self.has_subscribers.set()
        return client

    def unsubscribe(self, client: Subscriber) -> None:
        """Remove a client."""
        self._clients.discard(client)
        if not self._clients:
            self.has_subscribers.clear()

    def broadcast(self, name: str, data: Any) -> None:
        """Send a message to all clients. Clients with a full queue are dropped."""
        for client in [client for client in self._clients if not client.send(name, data)]:
            self._drop(client)

    def close(self) -> None:
        """End all streams and reject new clients."""
        self._closed = True
        for client in list(self._clients):
            self._drop(client)

    def _drop(self, client: Subscriber) -> None:
        client.close()
        self.unsubscribe(client)
