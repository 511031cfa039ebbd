"""HEAD as GET without its body: a request in, the same answer's status and headers out."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .paths import ENDLESS


class Heads:
    """Has every GET answer HEAD too; no route needs to know."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] == ENDLESS:
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["method"] = "GET"
        await self._app(scope, receive, without_body)
