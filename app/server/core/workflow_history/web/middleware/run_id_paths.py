"""Ids of runs in addresses: a path in, the id in it out, whatever it holds. Importing it names `{id:run}`.

An id may hold slashes, and end as a question about a run does. Where it is sent in code, as %2F, a slash of
it is no slash of the address: `/runs/a%2Fforecast` is a run, `/runs/a/forecast` is asked of one.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

from ..paths import API_PREFIX

SUBRESOURCES: Final = ("agent-runs", "similar", "explain", "forecast", "progress", "resync")
"""What may be asked of a run, after its id and a slash."""

_ABOUT_RUNS: Final = (b"/runs/", f"{API_PREFIX}/runs/".encode())  # beginnings of paths
_SLASH: Final = "\0"  # an id's own slash in a path that routes are found by: no path comes with a NUL


class RunIdPathMiddleware:
    """Keeps the slashes of an id, where they are sent in code, apart from those of the address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        raw: bytes = scope.get("raw_path") or b""
        if raw.startswith(_ABOUT_RUNS) and b"%2f" in raw.lower():
            parts = (unquote(part.decode("latin-1")) for part in raw.split(b"/"))
            scope["path"] = "/".join(part.replace("/", _SLASH) for part in parts)
        await self._app(scope, receive, send)


class _RunId(Convertor[str]):
    """Any text, with slashes and new lines: an id is what a folder or a file says."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        """Return an id."""
        return value.replace(_SLASH, "/")

    def to_string(self, value: str) -> str:
        """Return an id as a path has it."""
        return value


class _WholeRun(_RunId):
    """The same where the run itself is asked for, and nothing that is asked of it."""

    regex = rf"(?s:(?!.+/(?:{'|'.join(SUBRESOURCES)})\Z).+)"


register_url_convertor("run", _RunId())
register_url_convertor("whole_run", _WholeRun())
