"""Whether a client takes compressed answers: its header Accept-Encoding in, the plain word of it out."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

_HEADER: Final = "accept-encoding"


class Encodings:
    """Leaves one plain word of the header: what comes after looks for `gzip`, and not for its weight."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http":
            said = ",".join(Headers(scope=scope).getlist(_HEADER))
            scope["headers"] = list(scope["headers"])  # ours to change; the scope is looked at afterwards
            MutableHeaders(scope=scope)[_HEADER] = "gzip" if takes_gzip(said) else "identity"
        await self._app(scope, receive, send)


def takes_gzip(said: str) -> bool:
    """Tell whether a client wants gzip.

    >>> takes_gzip("br, gzip"), takes_gzip("gzip;q=0"), takes_gzip("GZIP; q=0.5"), takes_gzip("gzip;q=x")
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
