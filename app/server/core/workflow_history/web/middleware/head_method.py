"""HEAD as GET without its body: a request in, the same answer's status and headers out."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..paths import EVENTS_PATH

_HEADER: Final = "accept-encoding"


class AcceptEncodingMiddleware:
    """Leaves one plain word of the header: what comes after looks for `gzip`, and not for its weight."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http":
            said = ",".join(Headers(scope=scope).getlist(_HEADER))
            scope["headers"] = list(scope["headers"])  # ours to change; the scope is looked at afterwards
            MutableHeaders(scope=scope)[_HEADER] = "gzip" if accepts_gzip(said) else "identity"
        await self._app(scope, receive, send)


def accepts_gzip(said: str) -> bool:
    """Return whether a client wants gzip.

    >>> (accepts_gzip("br, gzip"), accepts_gzip("gzip;q=0"), accepts_gzip("GZIP; q=0.5"),
    ...  accepts_gzip("gzip;q=x"))
    (True, False, True, False)
    """
    for entry in said.lower().split(","):
        name, _, weight = entry.partition(";")
        if name.strip() == "gzip":
            return _number(weight.strip().removeprefix("q=") or "1") > 0
    return False


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


class HeadMethodMiddleware:
    """Has every GET answer HEAD too; no route needs to know."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] == EVENTS_PATH:
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"
        await self._app(scope, receive, without_body)
