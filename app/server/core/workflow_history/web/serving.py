"""Listen and serve: settings in; nothing comes back until the server is stopped."""

from __future__ import annotations

import errno
import gc
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
from sse_starlette.sse import AppStatus

from ..errors import WorkflowHistoryError
from ..wording.text import clean
from .app import create_app
from .settings import Settings

__all__ = ["Settings", "serve_forever"]

_SECONDS_TO_END = 1  # that open answers have when the server stops


def serve_forever(settings: Settings, ready: Callable[[str], None]) -> None:
    """Serve until somebody stops it; `ready` is told the address once it answers."""
    listening = _listen(settings)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SECONDS_TO_END,
    )
    AppStatus.enable_automatic_graceful_drain = False  # we end the streams ourselves: see _Server
    ready(_address(settings, listening))
    with troubles_shown(), suppress(KeyboardInterrupt):  # the way to stop it
        _Server(config, app.state.context.live.hub.close).run([listening])
    gc.freeze()  # the process ends now: going through all that is loaded would take longer than stopping


@contextmanager
def troubles_shown() -> Iterator[None]:
    """Write warnings and errors to stderr until the block ends: a server has no other way to say them."""
    shown = logging.StreamHandler()
    shown.setLevel(logging.WARNING)
    shown.setFormatter(_Harmless("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("workflow_history")
    logger.addHandler(shown)
    try:
        yield
    finally:
        logger.removeHandler(shown)


class _Harmless(logging.Formatter):
    """Lets no text of a run reach the terminal as a control code."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text."""
        return clean(super().format(record))


class _Server(uvicorn.Server):
    """A server that ends what would never end by itself before it waits for the rest."""

    def __init__(self, config: uvicorn.Config, end_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_streams = end_streams

    async def shutdown(self, sockets: Any = None) -> None:
        """Stop."""
        self._end_streams()
        await super().shutdown(sockets)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Named as TCP: only then does asyncio send small pieces at once, not 40 ms later.
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
    """Return what to do where an address cannot be listened to."""
    if error.errno in {errno.EADDRINUSE, errno.EACCES}:
        return "--port 0 takes a free port"
    return "--host names an address of this machine, as 127.0.0.1"


def _address(settings: Settings, listening: socket.socket) -> str:
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}/"
