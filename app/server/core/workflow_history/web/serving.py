"""Open the listening socket and run the server until it is stopped."""

from __future__ import annotations

import errno
import gc
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import uvicorn
from sse_starlette.sse import AppStatus
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..common.errors import WorkflowHistoryError
from .app import create_app
from .logs import log_to_stderr
from .middleware.connection_limits import MAX_HEAD_BYTES, Limits, connection_factory
from .settings import ANY_ADDRESSES, ServerSettings

__all__ = ["ServerSettings", "serve_forever"]

_SHUTDOWN_SECONDS = 1  # grace period of open responses when the server stops


def serve_forever(
    settings: ServerSettings, on_ready: Callable[[str], None], limits: Limits | None = None
) -> None:
    """Serve until interrupted; call `on_ready` with the server's URL once it accepts connections."""
    listener = _open_listener(settings)
    server = build_server(settings, limits or Limits())
    AppStatus.enable_automatic_graceful_drain = False  # _Server ends the streams itself
    host = ANY_ADDRESSES.get(settings.host, settings.host)  # no browser opens 0.0.0.0
    host = f"[{host}]" if ":" in host else host
    on_ready(f"http://{host}:{listener.getsockname()[1]}/")
    with log_to_stderr(), suppress(KeyboardInterrupt):  # Ctrl-C is the normal way to stop the server
        server.run([listener])
    gc.freeze()  # the process exits now: a final garbage collection would take longer than the shutdown


def build_server(settings: ServerSettings, limits: Limits) -> uvicorn.Server:
    """Build a server that isn't listening yet."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        http=cast("type[H11Protocol]", connection_factory(limits)),  # only called, so a factory is enough
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_keep_alive=limits.idle,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    return _Server(config, app.state.context.live.broker.close)


class _Server(uvicorn.Server):
    """A server that ends the endless event streams before it waits for the other responses."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    async def shutdown(self, sockets: Any = None) -> None:
        """End the event streams, then shut down."""
        self._end_streams()
        await super().shutdown(sockets)


def _open_listener(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The explicit TCP protocol makes asyncio set TCP_NODELAY; otherwise small writes are delayed by 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        hint = "Use an address of this host for --host, such as 127.0.0.1."
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            hint = "Use --port 0 for a free port."
        raise WorkflowHistoryError(
            f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. {hint}"
        ) from error
    return listener
