"""Parse run ids in URL paths. Importing the module registers the path types `{id:run}` and `{id:whole_run}`.

A run id may contain slashes and may end like a subresource of a run. A slash encoded as %2F belongs to the
id: `/runs/a%2Fforecast` is a run, `/runs/a/forecast` is the forecast of a run.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

from ..paths import API_PREFIX

SUBRESOURCES: Final = ("agent-runs", "similar", "explain", "forecast", "progress", "resync")
"""Last path segments of a run's subresources, after its id and a slash."""

_RUN_PREFIXES: Final = (b"/runs/", f"{API_PREFIX}/runs/".encode())  # path prefixes
_SLASH: Final = "\0"  # placeholder of an encoded slash while routing: paths never contain NUL


class RunIdPathMiddleware:
    """Replace the encoded slashes (%2F) of a run id by a placeholder, so that routing ignores them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a rewritten path."""
        raw: bytes = scope.get("raw_path") or b""
        if raw.startswith(_RUN_PREFIXES) and b"%2f" in raw.lower():
            parts = (unquote(part.decode("latin-1")) for part in raw.split(b"/"))
            scope["path"] = "/".join(part.replace("/", _SLASH) for part in parts)
        await self._app(scope, receive, send)


class _RunId(Convertor[str]):
    """Path type for any text, including slashes and line breaks: ids come from directory and file names."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        """Return the id with its slashes restored."""
        return value.replace(_SLASH, "/")

    def to_string(self, value: str) -> str:
        """Return the id unchanged."""
        return value


class _WholeRunId(_RunId):
    """Path type for a run id that isn't followed by a subresource."""

    regex = rf"(?s:(?!.+/(?:{'|'.join(SUBRESOURCES)})\Z).+)"


register_url_convertor("run", _RunId())
register_url_convertor("whole_run", _WholeRunId())
