"""Response cache for GET requests of the REST API.

An entry is valid until the history changes, and for two seconds at most, because some responses depend on the
current time, such as `since=7d`. Responses with `no-store` or without an ETag are not cached.
"""

from __future__ import annotations

from asyncio import Event
from collections import OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Any, Final, NamedTuple

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ... import database
from ...common.errors import WorkflowHistoryError
from ..json_response import etag_matches, not_modified
from ..paths import API_PREFIX, STREAMED_PREFIXES

MAX_CACHE_BYTES: Final = 32 * 1024 * 1024  # bytes of all cached bodies
MAX_RESPONSE: Final = 1024 * 1024  # bytes of a body; larger ones are not cached
CACHE_SECONDS: Final = 2.0

_Key = tuple[str, bytes, bool]  # path, query, whether the client accepts gzip


class _Answer(NamedTuple):
    mark: Hashable  # change token of the history before the request
    until: float  # expiry in seconds of the monotonic clock
    start: Message
    body: bytes
    route: Any  # the matched route, for metrics


class ResponseCacheMiddleware:
    """Cache the latest responses up to a total size. Concurrent equal requests are processed once."""

    def __init__(self, app: ASGIApp, seconds: float = CACHE_SECONDS) -> None:
        self._app = app
        self._seconds = seconds
        self._answers: OrderedDict[_Key, _Answer] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[_Key, Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request from the cache, or pass it on and cache its response."""
        asked = scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(API_PREFIX)
        asked = asked and not scope["path"].startswith(STREAMED_PREFIXES)
        mark = _mark() if asked and self._seconds else None
        if mark is None:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        key = (scope["path"], scope["query_string"], "gzip" in headers.get("accept-encoding", ""))
        while (kept := self._holding(key, mark)) is None and key in self._under_way:
            await self._under_way[key].wait()  # an equal request is in progress: use its response
            mark = _mark()
        if kept is not None:
            scope["route"] = kept.route
            await _send_cached(kept, headers, scope, receive, send)
            return
        made = self._under_way[key] = Event()

        def ready(start: Message | None, body: bytes) -> None:
            if start is not None:
                until = monotonic() + self._seconds
                self._keep(key, _Answer(mark, until, start, body, scope.get("route")))
            if self._under_way.get(key) is made:
                del self._under_way[key]
            made.set()

        try:
            await self._app(scope, receive, _BufferedSend(send, ready))
        finally:
            ready(None, b"")

    def _holding(self, key: _Key, mark: Hashable) -> _Answer | None:
        kept = self._answers.get(key)
        return kept if kept is not None and kept.mark == mark and monotonic() < kept.until else None

    def _keep(self, key: _Key, answer: _Answer) -> None:
        former = self._answers.pop(key, None)
        self._answers[key] = answer
        self._bytes += len(answer.body) - (len(former.body) if former else 0)
        while self._bytes > MAX_CACHE_BYTES:
            _, oldest = self._answers.popitem(last=False)
            self._bytes -= len(oldest.body)


class _BufferedSend:
    """Buffer a cacheable response until it is complete, and send it after it was cached.

    Other requests that wait for the response don't wait for its client to read it.
    """

    def __init__(self, send: Send, ready: Callable[[Message | None, bytes], None]) -> None:
        self._send = send
        self._ready = ready  # gets the start message and body, or None if not cacheable
        self._held: list[Message] = []  # messages of a cacheable response until it is complete
        self._size = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _may_be_kept(message):
            self._held.append(message)
            return
        if not self._held:
            self._ready(None, b"")
            await self._send(message)
            return
        self._held.append(message)
        self._size += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if self._size <= MAX_RESPONSE and not whole:
            return
        start, *pieces = self._held
        self._held = []
        if self._size <= MAX_RESPONSE:
            # A copy, because outer middleware adds headers to the list.
            kept = {**start, "headers": list(start["headers"])}
            self._ready(kept, b"".join(piece.get("body", b"") for piece in pieces))
        else:
            self._ready(None, b"")
        for each in (start, *pieces):
            await self._send(each)


def _may_be_kept(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    return start["status"] == 200 and "etag" in headers and "no-store" not in headers["cache-control"]


def _mark() -> Hashable:
    try:
        return database.change_token()
    except WorkflowHistoryError:
        return None  # not cached: the handler reports the error


async def _send_cached(kept: _Answer, asked: Headers, scope: Scope, receive: Receive, send: Send) -> None:
    headers = Headers(raw=kept.start["headers"])
    if etag_matches(headers["etag"], asked):
        answer: Response = not_modified(headers["etag"])
        await answer(scope, receive, send)
        return
    await send({**kept.start, "headers": list(kept.start["headers"])})
    await send({"type": "http.response.body", "body": kept.body})
