"""Limits on connections: a request must arrive in time, and a response must be read in time.

uvicorn limits the idle time after a response and the size of the request head. It waits forever for an
incomplete request and for a client that doesn't read its response. This module ends both.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_HEAD: Final = 256 * 1024  # bytes of request line and headers; a login URL contains an encoded URL


@dataclass(frozen=True, slots=True)
class Limits:
    """Timeouts and the maximum number of connections."""

    request: float = 20.0  # seconds from the connection, or the first byte of a request, to its last byte
    idle: int = 5  # seconds between a response and the next request
    reading: float = 30.0  # seconds in which a client reads nothing of a pending response
    connections: int = 200  # open connections; of more, the one longest without a request is closed


def bounded(limits: Limits) -> Callable[..., Connection]:
    """Return a factory of connections with limits, for uvicorn's `http` option."""
    return partial(Connection, limits=limits)


class Connection(H11Protocol):
    """A connection that is closed if its client is too slow."""

    def __init__(self, *given: Any, limits: Limits, **named: Any) -> None:
        super().__init__(*given, **named)
        self._limits = limits
        self._coming: TimerHandle | None = None  # runs while a request is incomplete
        self._leaving: TimerHandle | None = None  # runs while the client doesn't read

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start the request timeout. If there are too many connections, abort the first by rank."""
        super().connection_made(transport)
        self._watch_request()
        every = (each for each in self.connections if isinstance(each, Connection))
        held = [each for each in every if not each.transport.is_closing()]
        if len(held) > self._limits.connections:
            min(held, key=Connection.rank).transport.abort()

    def rank(self) -> tuple[int, float]:
        """Return the sort key for closing: idle, then with an incomplete request, each the longest first."""
        if self.timeout_keep_alive_task is not None:
            return 0, self.timeout_keep_alive_task.when()
        return (1, self._coming.when()) if self._coming is not None else (2, 0.0)

    def data_received(self, data: bytes) -> None:
        """Process a part of a request."""
        super().data_received(data)
        self._watch_request()

    def on_response_complete(self) -> None:
        """Start the timeouts for the next request and for reading the response."""
        self._stop_coming()
        super().on_response_complete()
        self._watch_request()
        self._await_reader()

    def pause_writing(self) -> None:
        """Pause the response, and start the timeout for its reader."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """Continue the response, and stop the timeout for its reader."""
        super().resume_writing()
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timeouts."""
        self._stop_coming()
        if self._leaving is not None:
            self._leaving.cancel()
        super().connection_lost(exc)

    def _watch_request(self) -> None:
        """Start the timeout of an incomplete request, or stop it if the request is complete.

        An idle connection has uvicorn's own timeout.
        """
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
            self.transport.abort()  # not close(), which would wait for the unread data
