"""Who may ask what: each request in, let through or refused before anything of the history is read.

Loopback is no protection from a page in the same browser: the Host header must be ours (a foreign name that
resolves to this machine is refused), and what changes something needs a header that no foreign page can send.
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

from ..error_responses import problem
from ..guesses import Guesses
from ..settings import ServerSettings

COOKIE: Final = "workflow_history_token"
UNSAFE_METHODS: Final = "x-workflow-history"  # header of requests that change something; any value
LOGIN: Final = "/login"
MAX_BODY: Final = 64 * 1024  # bytes of a request
MOST_ADDRESS: Final = 64_000  # bytes of a path and its query; the login's holds another's, each byte in three
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
    """Asks every request who it is, and every answer to be careful."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, guesses: Guesses) -> None:
        self._app = app
        self._settings = settings
        self._guesses = guesses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(scope)
        if refused is None and scope["method"] not in _SAFE_METHODS:
            try:
                body = await _whole(receive)
            except ClientDisconnect:
                return  # what came is a part of what was meant
            if body is None:
                refused = _too_long()
            else:
                receive = _once(body, receive)
        await (refused or self._app)(scope, receive, careful)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if _host_name(headers.get("host", "")) not in self._settings.hosts:
            return problem(421, "this server does not go by that name; serve --name NAME makes it known")
        if "transfer-encoding" in headers and "content-length" in headers:
            both = "a request says its length once: Transfer-Encoding or Content-Length"
            return problem(400, both, {"Connection": "close"})  # where it ends, and the next begins, is open
        if scope["method"] not in _SAFE_METHODS and (why := _may_not_change(scope["path"], headers)):
            return problem(403, why)
        if (odd := _odd_address(scope)) is not None:
            return odd
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 9 or int(length) > MAX_BODY:
            return _too_long()
        return self._not_known(scope, headers)

    def _not_known(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to who has not shown the token; None: there is none, or it was shown."""
        token = self._settings.token
        if token is None or scope["path"].startswith(_OPEN_PATHS):
            return None
        given, address = _given_token(headers), address_of(scope)
        if given is None:
            return _ask_for_token(scope, headers)
        if not self._guesses.goes_on(address):
            return problem(429, "too many wrong tokens", {"Retry-After": str(self._guesses.wait(address))})
        if token_matches(token, given):
            self._guesses.was_right(address)
            return None
        self._guesses.was_wrong(address, given)
        return _ask_for_token(scope, headers)


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def token_matches(token: str, given: str | None) -> bool:
    """Return whether a token is the right one, in the same time whatever is wrong with it."""
    return given is not None and secrets.compare_digest(token.encode(), given.encode())


def _given_token(headers: Headers) -> str | None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    return cookie_parser(headers.get("cookie", "")).get(
        COOKIE
    )  # pair by pair: others may be no cookies at all


def _odd_address(scope: Scope) -> Response | None:
    if len(_asked_for(scope)) > (MOST_ADDRESS if scope["path"] != LOGIN else 4 * MOST_ADDRESS):
        return problem(414, f"an address has at most {MOST_ADDRESS} bytes")
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        return problem(422, "no text of an address holds NUL")
    return None


def _asked_for(scope: Scope) -> str:
    """Return a path and its query as they were sent."""
    path = (scope.get("raw_path") or quote(scope["path"]).encode()).partition(b"?")[0]
    query = scope["query_string"]
    return str((path + b"?" + query if query else path).decode("latin-1"))


def _ask_for_token(scope: Scope, headers: Headers) -> Response:
    if "text/html" in headers.get("accept", "") and not scope["path"].startswith("/api/"):
        return RedirectResponse(f"{LOGIN}?next={quote(_asked_for(scope), safe='')}", 303)
    return problem(401, "say who you are: Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})


def _may_not_change(path: str, headers: Headers) -> str | None:
    """Return why a request may change nothing; None: it may."""
    if not _comes_from_us(headers):
        return "this was sent from a page of another site, or from one that does not say which"
    if path != LOGIN and UNSAFE_METHODS not in headers:  # a form has no headers of its own
        return f"what changes something needs the header {UNSAFE_METHODS}: 1"
    return None


def _comes_from_us(headers: Headers) -> bool:
    """Return whether a request was sent by our pages, or by no page at all, as a browser has it."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    return all(_place_of(origin) == headers.get("host", "").lower() for origin in headers.getlist("origin"))


def _place_of(origin: str) -> str | None:
    """Return the host and port in an Origin header; None: it names none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _host_name(host: str) -> str:
    """Return the name in a Host header, without port and brackets.

    >>> _host_name("localhost:8765"), _host_name("[::1]:80"), _host_name("evil.example")
    ('localhost', '::1', 'evil.example')
    """
    try:
        found = urlsplit(f"//{host}")
        return "" if "@" in host or found.netloc != host else (found.hostname or "").rstrip(".")
    except ValueError:
        return ""


def _too_long() -> Response:
    return problem(413, f"a request holds at most {MAX_BODY} bytes")


async def _whole(receive: Receive) -> bytes | None:
    """Return a request's body, however it comes; None: too long. Raises ClientDisconnect: it broke off."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece: bytes = message.get("body", b"")
        body += piece
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _once(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read, and then what else comes: that the client has gone."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def given() -> Message:
        return waiting.pop() if waiting else await receive()

    return given
