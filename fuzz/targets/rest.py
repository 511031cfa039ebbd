"""Fuzz target: in-process requests to the web server. No address, header or body may cause a 5xx status."""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from app.server.core.workflow_history import database
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.settings import ServerSettings

from .. import histories, hostile
from ..dice import Dice
from ..oracle import Broken, is_calm_page, numbers_are_numbers

ENDLESS = "/api/v1/events"
FAULT = 500


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that sends one request built from input bytes."""
    histories.make(folder)
    app = create_app(ServerSettings(cache_seconds=0))
    described = app.openapi()["paths"]
    operations = [
        (path, method, [p["name"] for p in told.get("parameters", ()) if p["in"] == "query"])
        for path, methods in described.items()
        for method, told in methods.items()
        if path != ENDLESS
    ]
    pages = (
        "/",
        "/runs",
        "/runs/{run_id}",
        "/insights",
        "/trends",
        "/patterns",
        "/forecast",
        "/compare",
        "/metrics",
        "/login",
    )
    operations += [
        (path, "get", ["search", "status", "since", "cost", "sort", "cursor", "by", "a", "b"])
        for path in pages
    ]
    known = [f"{run['project']}/{run['id']}" for run in database.get_workflow_history(limit=5)["workflows"]]
    loop = asyncio.new_event_loop()

    def once(data: bytes) -> None:
        dice = Dice(data)
        path, method, names = dice.pick(operations)
        raw = _address(dice, path, known)
        query = "&".join(f"{dice.pick(names or ['x'])}={_typed(dice)}" for _ in range(dice.whole(0, 3)))
        headers = _headers(dice)
        body = hostile.encoded(dice, hostile.value(dice)) if dice.one_in(3) else b""
        if dice.one_in(20):
            method = dice.pick(("put", "delete", "options", "head", "trace", "x"))
        status, told, content = loop.run_until_complete(asked(app, method.upper(), raw, query, headers, body))
        _is_calm(status, told, content, f"{method} {raw}?{query}")

    weakref.finalize(once, loop.close)
    return once


def _address(dice: Dice, path: str, known: list[str]) -> str:
    parts = []
    for part in path.split("/"):
        if not part.startswith("{") or dice.one_in(20):
            parts.append(part)
        elif dice.one_in(2):
            parts.append(_typed(dice))
        else:
            parts.append(dice.pick(known).replace("/", dice.pick(("/", "%2F"))))
    return "/".join(parts)


def _typed(dice: Dice) -> str:
    text = hostile.text(dice)
    if dice.one_in(6):
        return "".join(c for c in text if " " < c < "\x7f" and c not in "?#")
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _headers(dice: Dice) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"host", b"127.0.0.1:8765"),
        (b"x-workflow-history", b"1"),
        (b"content-type", b"application/json"),
    ]
    if dice.one_in(3):
        name = dice.pick(
            (
                b"if-none-match",
                b"accept",
                b"accept-encoding",
                b"cookie",
                b"range",
                b"last-event-id",
                b"authorization",
                b"host",
                b"origin",
                b"content-length",
                b"content-type",
                b"x-forwarded-for",
            )
        )
        headers.append(
            (name, hostile.text(dice).encode("latin-1", "replace").replace(b"\n", b"").replace(b"\r", b""))
        )
    return headers


async def asked(  # noqa: PLR0917 - the parts of a request
    app: Any, method: str, raw: str, query: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> tuple[int, str, bytes]:
    """Send a request to an ASGI app and return the status, content type and body.

    The content type is empty if the body is compressed; the status is 0 if there was no response.
    """
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw, errors="replace"),
        "raw_path": raw.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": headers,
        "server": ("127.0.0.1", 8765),
        "client": ("127.0.0.1", 50_000),
    }
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    sent: dict[str, Any] = {"status": 0, "type": "", "body": b""}

    async def receive() -> Any:
        return waiting.pop() if waiting else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            sent["status"] = message["status"]
            sent["type"] = next((v.decode() for n, v in message["headers"] if n == b"content-type"), "")
            sent["zip"] = any(n == b"content-encoding" for n, v in message["headers"])
        else:
            sent["body"] += message.get("body", b"")

    await app(scope, receive, send)
    return sent["status"], "" if sent.get("zip") else sent["type"], sent["body"]


def _is_calm(status: int, kind: str, body: bytes, asked: str) -> None:
    if status >= FAULT or status == 0:
        raise Broken(f"{status} for {asked}: {body[:500]!r}")
    if kind.startswith("text/html"):
        is_calm_page(body.decode())
    elif kind.startswith("application/") and "json" in kind and body and not kind.endswith("lines"):
        try:
            numbers_are_numbers(json.loads(body))
        except ValueError as error:
            if "ndjson" not in kind and "jsonl" not in kind:
                raise Broken(f"no JSON for {asked}: {body[:200]!r}") from error
