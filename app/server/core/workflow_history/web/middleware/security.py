"""Authenticate and validate requests before any data of the history is read.

Loopback doesn't protect from a page of another site in the same browser. Therefore the Host header must be
ours (DNS rebinding: another name may resolve to this machine). Requests that change data need a header that
pages of other sites can't send.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..error_responses import problem_response
from ..guess_limiter import GuessLimiter
from ..settings import ServerSettings

COOKIE: Final = "workflow_history_token"
CHANGE_HEADER: Final = "x-workflow-history"  # header required in requests that change data; any value
LOGIN: Final = "/login"
MAX_BODY_BYTES: Final = 64 * 1024  # bytes of a request body
MAX_URL_BYTES: Final = 64_000  # bytes of path and query; 4 times that at the login, for an encoded URL
_OPEN_PATHS: Final = ("/static/", LOGIN)
_SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class SecurityMiddleware:
    """Check host, origin, size and token of each request, and add security headers to each response."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, guess_limiter: GuessLimiter) -> None:
        self._app = app
        self._settings = settings
        self._guess_limiter = guess_limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a valid request on, or answer an invalid one with an error."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        rejection = self._reject(scope)
        if rejection is None and scope["method"] not in _SAFE_METHODS:
            try:
                body = await _read_body(receive)
            except ClientDisconnect:
                return  # the body is incomplete
            if body is None:
                rejection = _body_too_long()
            else:
                receive = _replay(body, receive)
        await (rejection or self._app)(scope, receive, send_with_headers)

    def _reject(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if _host_name(headers.get("host", "")) not in self._settings.hosts:
            return problem_response(
                421, "Unknown host name. Start the server with --allowed-host NAME to accept it."
            )
        if "transfer-encoding" in headers and "content-length" in headers:
            both = "Use Transfer-Encoding or Content-Length, not both."
            return problem_response(
                400, both, {"Connection": "close"}
            )  # request smuggling: its end is ambiguous
        if scope["method"] not in _SAFE_METHODS and (reason := _reason_not_to_change(scope["path"], headers)):
            return problem_response(403, reason)
        if (rejection := _reject_url(scope)) is not None:
            return rejection
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY_BYTES:
            return _body_too_long()
        return self._reject_unauthenticated(scope, headers)

    def _reject_unauthenticated(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the error response if the right token is missing; None if it was sent or isn't required."""
        token = self._settings.token
        if token is None or scope["path"].startswith(_OPEN_PATHS):
            return None
        sent, address = _sent_token(headers), client_address(scope)
        if sent is None:
            return _ask_for_token(scope, headers)
        if not self._guess_limiter.may_try(address):
            return problem_response(
                429,
                "Too many wrong tokens. Retry after the seconds in Retry-After.",
                {"Retry-After": str(self._guess_limiter.seconds_to_wait(address))},
            )
        if token_matches(token, sent):
            self._guess_limiter.record_right(address)
            return None
        self._guess_limiter.record_wrong(address, sent)
        return _ask_for_token(scope, headers)


def client_address(scope: Scope) -> str:
    """Return the client's IP address, or an empty string if it is unknown."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def token_matches(token: str, sent: str | None) -> bool:
    """Return whether a token is right. The comparison takes constant time."""
    return sent is not None and secrets.compare_digest(token.encode(), sent.encode())


def _sent_token(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    return cookie_parser(headers.get("cookie", "")).get(COOKIE)  # lenient: other cookies may be malformed


def _reject_url(scope: Scope) -> Response | None:
    if len(_sent_url(scope)) > (MAX_URL_BYTES if scope["path"] != LOGIN else 4 * MAX_URL_BYTES):
        return problem_response(414, f"URL too long: at most {MAX_URL_BYTES} bytes.")
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        return problem_response(422, "Invalid URL: it contains a NUL character.")
    return None


def _sent_url(scope: Scope) -> str:
    """Return the path and query as sent, still percent-encoded."""
    path = (scope.get("raw_path") or quote(scope["path"]).encode()).partition(b"?")[0]
    query = scope["query_string"]
    return str((path + b"?" + query if query else path).decode("latin-1"))


def _ask_for_token(scope: Scope, headers: Headers) -> Response:
    if "text/html" in headers.get("accept", "") and not scope["path"].startswith("/api/"):
        return RedirectResponse(f"{LOGIN}?next={quote(_sent_url(scope), safe='')}", 303)
    return problem_response(
        401,
        "Missing or wrong token. Send the header Authorization: Bearer TOKEN.",
        {"WWW-Authenticate": "Bearer"},
    )


def _reason_not_to_change(path: str, headers: Headers) -> str | None:
    """Return the reason why a request may not change data, or None if it may."""
    if not _is_same_origin(headers):
        return "Requests that change data are not accepted from pages of other sites."
    if path != LOGIN and CHANGE_HEADER not in headers:  # the login form can't send custom headers
        return f"Missing header {CHANGE_HEADER.title()}. Send it with any value on requests that change data."
    return None


def _is_same_origin(headers: Headers) -> bool:
    """Return whether a request comes from our pages or from no page, by Sec-Fetch-Site and Origin."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    return all(
        _origin_host(origin) == headers.get("host", "").lower() for origin in headers.getlist("origin")
    )


def _origin_host(origin: str) -> str | None:
    """Return the host and port of an Origin header, or None if it has none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _host_name(host: str) -> str:
    """Return the name in a Host header without port and brackets, or an empty string if it is invalid.

    >>> _host_name("localhost:8765"), _host_name("[::1]:80"), _host_name("evil.example")
    ('localhost', '::1', 'evil.example')
    """
    try:
        parts = urlsplit(f"//{host}")
        return "" if "@" in host or parts.netloc != host else (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""


def _body_too_long() -> Response:
    return problem_response(413, f"Request body too long: at most {MAX_BODY_BYTES} bytes.")


async def _read_body(receive: Receive) -> bytes | None:
    """Return a request's body, or None if it is too long. Raises ClientDisconnect if it is incomplete."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a receive function that returns a body already read, then waits for the disconnect."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_once() -> Message:
        return messages.pop() if messages else await receive()

    return receive_once
