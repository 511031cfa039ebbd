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
from .middleware.connection_limits import MOST_HEAD, Limits, bounded
from .settings import ServerSettings

__all__ = ["ServerSettings", "serve_forever"]

_SECONDS_TO_END = 1  # grace period of open responses when the server stops


def serve_forever(
    settings: ServerSettings, ready: Callable[[str], None], limits: Limits | None = None
) -> None:
    """Serve until interrupted; call `ready` with the server's URL once it accepts connections."""
    listening = _listen(settings)
    server = server_of(settings, limits or Limits())
    AppStatus.enable_automatic_graceful_drain = False  # _Server ends the streams itself
    ready(_address(settings, listening))
    with log_to_stderr(), suppress(KeyboardInterrupt):  # Ctrl-C is the normal way to stop the server
        server.run([listening])
    gc.freeze()  # the process exits now: a final garbage collection would take longer than the shutdown


def server_of(settings: ServerSettings, limits: Limits) -> uvicorn.Server:
    """Build a server that isn't listening yet."""
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        http=cast("type[H11Protocol]", bounded(limits)),  # only called, so a factory is enough
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MOST_HEAD,
        timeout_keep_alive=limits.idle,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )
    return _Server(config, app.state.context.live.hub.close)


class _Server(uvicorn.Server):
    """A server that ends the endless event streams before it waits for the other responses."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    async def shutdown(self, sockets: Any = None) -> None:
        """End the event streams, then shut down."""
        self._end_streams()
        await super().shutdown(sockets)


def _listen(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The explicit TCP protocol makes asyncio set TCP_NODELAY; otherwise small writes are delayed by 40 ms.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((settings.host, settings.port))
        found.listen(1024)
    except OSError as error:
        found.close()
        raise WorkflowHistoryError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}; {_instead(error)}"
        ) from error
    return found


def _instead(error: OSError) -> str:
    """Return a hint for an address that the server can't listen on."""
    if error.errno in {errno.EADDRINUSE, errno.EACCES}:
        return "--port 0 takes a free port"
    return "--host names an address of this machine, as 127.0.0.1"


def _address(settings: ServerSettings, listening: socket.socket) -> str:
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}/"
