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

MAX_HEAD_BYTES: Final = 256 * 1024  # bytes of request line and headers; a login URL contains an encoded URL


@dataclass(frozen=True, slots=True)
class Limits:
    """Timeouts and the maximum number of connections."""

    request: float = 20.0  # seconds from the connection, or the first byte of a request, to its last byte
    idle: int = 5  # seconds between a response and the next request
    reading: float = 30.0  # seconds in which a client reads nothing of a pending response
    connections: int = 200  # open connections; of more, the one longest without a request is closed


def connection_factory(limits: Limits) -> Callable[..., Connection]:
    """Return a factory of connections with limits, for uvicorn's `http` option."""
    return partial(Connection, limits=limits)


class Connection(H11Protocol):
    """A connection that is closed if its client is too slow."""

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._request_timer: TimerHandle | None = None  # runs while a request is incomplete
        self._read_timer: TimerHandle | None = None  # runs while the client doesn't read

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start the request timeout. If there are too many connections, abort the first by rank."""
        super().connection_made(transport)
        self._time_request()
        limited = (connection for connection in self.connections if isinstance(connection, Connection))
        connections = [connection for connection in limited if not connection.transport.is_closing()]
        if len(connections) > self._limits.connections:
            min(connections, key=Connection.closing_rank).transport.abort()

    def closing_rank(self) -> tuple[int, float]:
        """Return the sort key for closing: idle, then with an incomplete request, each the longest first."""
        if self.timeout_keep_alive_task is not None:
            return 0, self.timeout_keep_alive_task.when()
        return (1, self._request_timer.when()) if self._request_timer is not None else (2, 0.0)

    def data_received(self, data: bytes) -> None:
        """Process a part of a request."""
        super().data_received(data)
        self._time_request()

    def on_response_complete(self) -> None:
        """Start the timeouts for the next request and for reading the response."""
        self._cancel_request_timer()
        super().on_response_complete()
        self._time_request()
        self._time_reader()

    def pause_writing(self) -> None:
        """Pause the response, and start the timeout for its reader."""
        super().pause_writing()
        self._time_reader()

    def resume_writing(self) -> None:
        """Continue the response, and stop the timeout for its reader."""
        super().resume_writing()
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timeouts."""
        self._cancel_request_timer()
        if self._read_timer is not None:
            self._read_timer.cancel()
        super().connection_lost(exc)

    def _time_request(self) -> None:
        """Start the timeout of an incomplete request, or stop it if the request is complete.

        An idle connection has uvicorn's own timeout.
        """
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            self._cancel_request_timer()
        elif self._request_timer is None and self.timeout_keep_alive_task is None:
            self._request_timer = self.loop.call_later(self._limits.request, self.transport.abort)

    def _cancel_request_timer(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _time_reader(self) -> None:
        if self._read_timer is None and self.transport.get_write_buffer_size():
            self._read_timer = self.loop.call_later(self._limits.reading, self._abort_if_unread)

    def _abort_if_unread(self) -> None:
        self._read_timer = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # not close(), which would wait for the unread data
