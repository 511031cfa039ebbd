"""Answers that are given again for a moment: a GET of the REST part in, its bytes out, nothing asked anew.

An answer holds while nothing was stored since it was begun, and two seconds at most: some depend on the
clock, as `since=7d` does. One that says no-store, or has no ETag, is not kept.
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

MAX_CACHE_BYTES: Final = 32 * 1024 * 1024  # of all answers that are kept
MAX_RESPONSE: Final = 1024 * 1024  # bytes of an answer that is kept
CACHE_SECONDS: Final = 2.0

_Key = tuple[str, bytes, bool]  # path, query, whether it may be compressed


class _Answer(NamedTuple):
    mark: Hashable  # of the history before it was asked
    until: float  # seconds of the monotonic clock
    start: Message
    body: bytes
    route: Any  # that gave it


class ResponseCacheMiddleware:
    """Keeps answers, the latest ones, bounded by their bytes."""

    def __init__(self, app: ASGIApp, seconds: float = CACHE_SECONDS) -> None:
        self._app = app
        self._seconds = seconds
        self._answers: OrderedDict[_Key, _Answer] = OrderedDict()
        self._bytes = 0
        self._under_way: dict[_Key, Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, with what is kept where that holds."""
        asked = scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(API_PREFIX)
        asked = asked and not scope["path"].startswith(STREAMED_PREFIXES)
        mark = _mark() if asked and self._seconds else None
        if mark is None:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        key = (scope["path"], scope["query_string"], "gzip" in headers.get("accept-encoding", ""))
        while (kept := self._holding(key, mark)) is None and key in self._under_way:
            await self._under_way[
                key
            ].wait()  # somebody asks the same right now: what takes long is done once
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
    """Passes an answer on once it is made: how slowly its client reads it is nobody else's concern."""

    def __init__(self, send: Send, ready: Callable[[Message | None, bytes], None]) -> None:
        self._send = send
        self._ready = ready  # told the answer's start and body, or None where it is not to be kept
        self._held: list[Message] = []  # what may be kept, until it is whole
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
            # A copy: who passes it on adds headers to the list.
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
        return None  # who reads it says what is wrong


async def _send_cached(kept: _Answer, asked: Headers, scope: Scope, receive: Receive, send: Send) -> None:
    headers = Headers(raw=kept.start["headers"])
    if etag_matches(headers["etag"], asked):
        answer: Response = not_modified(headers["etag"])
        await answer(scope, receive, send)
        return
    await send({**kept.start, "headers": list(kept.start["headers"])})
    await send({"type": "http.response.body", "body": kept.body})
