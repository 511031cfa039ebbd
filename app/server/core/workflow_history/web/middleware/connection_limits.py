"""Connections that cannot be held for nothing: a request comes whole in time, and an answer is read in time.

The server's library bounds how long a connection is idle after an answer, and how long a head is. It waits
without end for a request that is sent by halves, and for a client that reads nothing: this ends both.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_HEAD: Final = 256 * 1024  # bytes of a request's first line and headers: an address in the login's


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may take of a server."""

    request: float = 20.0  # seconds from a connection, or a request's first byte, to its last one
    idle: int = 5  # seconds between an answer and the next request
    reading: float = 30.0  # seconds in which a client takes nothing of what waits for it
    connections: int = 200  # at the same time; of those above it, the longest without a request is closed


def bounded(limits: Limits) -> Callable[..., Connection]:
    """Return what makes connections with limits, as the server's library asks for it."""
    return partial(Connection, limits=limits)


class Connection(H11Protocol):
    """A connection that is closed where its client is too slow."""

    def __init__(self, *given: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*given, **named)
        self._limits = limits
        self._coming: TimerHandle | None = None  # runs while a request is not there whole
        self._leaving: TimerHandle | None = None  # runs while a client does not read

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin; where there are too many, one that asks for nothing makes room."""
        super().connection_made(transport)
        self._watch_request()
        every = (each for each in self.connections if isinstance(each, Connection))
        held = [each for each in every if not each.transport.is_closing()]
        if len(held) > self._limits.connections:
            min(held, key=Connection.rank).transport.abort()

    def rank(self) -> tuple[int, float]:
        """Return who makes room first, as the lowest: idle, then without a request; the longest first."""
        if self.timeout_keep_alive_task is not None:
            return 0, self.timeout_keep_alive_task.when()
        return (1, self._coming.when()) if self._coming is not None else (2, 0.0)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        super().data_received(data)
        self._watch_request()

    def on_response_complete(self) -> None:
        """Wait for the next request, and for what was answered to be read."""
        self._stop_coming()
        super().on_response_complete()
        self._watch_request()
        self._await_reader()

    def pause_writing(self) -> None:
        """Have an answer wait for its reader, for some time."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """Go on with an answer."""
        super().resume_writing()
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_coming()
        if self._leaving is not None:
            self._leaving.cancel()
        super().connection_lost(exc)

    def _watch_request(self) -> None:
        """Let time run while a request is not there whole; an idle connection has a time of its own."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            self._stop_coming()
        elif self._coming is None and self.timeout_keep_alive_task is None:
            self._coming = self.loop.call_later(self._limits.request, self.transport.abort)

    def _stop_coming(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None

    def _await_reader(self) -> None:
        if self._leaving is None and self.transport.get_write_buffer_size():
            self._leaving = self.loop.call_later(self._limits.reading, self._drop_reader)

    def _drop_reader(self) -> None:
        self._leaving = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # to close it would wait for what nobody reads
