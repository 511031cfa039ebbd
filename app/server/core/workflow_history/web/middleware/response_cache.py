"""Response cache for GET requests of the REST API.

An entry is valid until the history changes, and for two seconds at most, because some responses depend on the
current time, such as `since=7d`. Responses with `no-store` or without an ETag are not cached.
"""

from __future__ import annotations

from asyncio import Event
from collections.abc import Callable, Hashable
from typing import Any, Final, NamedTuple

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ... import database
from ...common.errors import WorkflowHistoryError
from ..caches import ExpiringCache
from ..json_response import etag_matches, not_modified
from ..paths import API_PREFIX, STREAMED_PREFIXES

MAX_CACHE_BYTES: Final = 32 * 1024 * 1024  # bytes of all cached bodies
MAX_RESPONSE_BYTES: Final = 1024 * 1024  # bytes of a body; larger ones are not cached
CACHE_SECONDS: Final = 2.0

_Key = tuple[str, bytes, bool]  # path, query, whether the client accepts gzip


class _CachedResponse(NamedTuple):
    start: Message
    body: bytes
    route: Any  # the matched route, for metrics


class ResponseCacheMiddleware:
    """Cache the latest responses up to a total size. Concurrent equal requests are processed once."""

    def __init__(self, app: ASGIApp, max_age: float = CACHE_SECONDS) -> None:
        self._app = app
        self._max_age = max_age
        self._responses: ExpiringCache[_CachedResponse] = ExpiringCache(
            max_age, MAX_CACHE_BYTES, lambda response: len(response.body)
        )
        self._in_progress: dict[_Key, Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request from the cache, or pass it on and cache its response."""
        is_cacheable = (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and scope["path"].startswith(API_PREFIX)
            and not scope["path"].startswith(STREAMED_PREFIXES)
        )
        change_token = _current_change_token() if is_cacheable and self._max_age else None
        if change_token is None:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        key = (scope["path"], scope["query_string"], "gzip" in headers.get("accept-encoding", ""))
        while (cached := self._responses.get((key, change_token))) is None and key in self._in_progress:
            await self._in_progress[key].wait()  # an equal request is in progress: use its response
            change_token = _current_change_token()
        if cached is not None:
            scope["route"] = cached.route
            await _send_cached(cached, headers, scope, receive, send)
            return
        done = self._in_progress[key] = Event()

        def on_complete(start: Message | None, body: bytes) -> None:
            if start is not None:
                response = _CachedResponse(start, body, scope.get("route"))
                self._responses.put((key, change_token), response)  # the token from before the request
            if self._in_progress.get(key) is done:
                del self._in_progress[key]
            done.set()

        try:
            await self._app(scope, receive, _BufferedSend(send, on_complete))
        finally:
            on_complete(None, b"")


class _BufferedSend:
    """Buffer a cacheable response until it is complete, and send it after it was cached.

    Other requests that wait for the response don't wait for its client to read it.
    """

    def __init__(self, send: Send, on_complete: Callable[[Message | None, bytes], None]) -> None:
        self._send = send
        self._on_complete = on_complete  # gets the start message and body, or None if not cacheable
        self._messages: list[Message] = []  # messages of a cacheable response until it is complete
        self._size = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_cacheable(message):
            self._messages.append(message)
            return
        if not self._messages:
            self._on_complete(None, b"")
            await self._send(message)
            return
        self._messages.append(message)
        self._size += len(message.get("body", b""))
        is_complete = not message.get("more_body", False)
        if self._size <= MAX_RESPONSE_BYTES and not is_complete:
            return
        start, *chunks = self._messages
        self._messages = []
        if self._size <= MAX_RESPONSE_BYTES:
            # A copy, because outer middleware adds headers to the list.
            stored = {**start, "headers": list(start["headers"])}
            self._on_complete(stored, b"".join(chunk.get("body", b"") for chunk in chunks))
        else:
            self._on_complete(None, b"")
        for buffered in (start, *chunks):
            await self._send(buffered)


def _is_cacheable(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return start["status"] == 200 and "etag" in headers and "no-store" not in headers["cache-control"]


def _current_change_token() -> Hashable:
    try:
        return database.change_token()
    except WorkflowHistoryError:
        return None  # not cached: the handler reports the error


async def _send_cached(
    cached: _CachedResponse, request_headers: Headers, scope: Scope, receive: Receive, send: Send
) -> None:
    headers = Headers(raw=cached.start["headers"])
    if etag_matches(headers["etag"], request_headers):
        response: Response = not_modified(headers["etag"])
        await response(scope, receive, send)
        return
    await send({**cached.start, "headers": list(cached.start["headers"])})
    await send({"type": "http.response.body", "body": cached.body})
