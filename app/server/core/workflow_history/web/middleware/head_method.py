"""Answer HEAD requests as GET without a body, and normalize the Accept-Encoding header."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..paths import EVENTS_PATH

_HEADER: Final = "accept-encoding"


class AcceptEncodingMiddleware:
    """Replace the Accept-Encoding header by `gzip` or `identity`.

    The middleware behind it only searches the header for `gzip` and ignores weights such as `gzip;q=0`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a normalized header."""
        if scope["type"] == "http":
            accept_encoding = ",".join(Headers(scope=scope).getlist(_HEADER))
            scope["headers"] = list(scope["headers"])  # a copy: the server still uses the original
            MutableHeaders(scope=scope)[_HEADER] = "gzip" if accepts_gzip(accept_encoding) else "identity"
        await self._app(scope, receive, send)


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an Accept-Encoding header allows gzip.

    >>> (accepts_gzip("br, gzip"), accepts_gzip("gzip;q=0"), accepts_gzip("GZIP; q=0.5"),
    ...  accepts_gzip("gzip;q=x"))
    (True, False, True, False)
    """
    for entry in accept_encoding.lower().split(","):
        name, _, weight = entry.partition(";")
        if name.strip() == "gzip":
            return _parse_weight(weight.strip().removeprefix("q=") or "1") > 0
    return False


def _parse_weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


class HeadMethodMiddleware:
    """Answer HEAD on all GET routes except the event stream, which never ends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a HEAD request on as GET, and send its response without a body."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] == EVENTS_PATH:
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"
        await self._app(scope, receive, send_without_body)
