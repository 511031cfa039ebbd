"""Ids of runs in addresses: a path in, the id in it out, whatever it holds. Importing it names `{id:run}`."""

from __future__ import annotations

from typing import Final

from starlette.convertors import Convertor, register_url_convertor

PARTS: Final = ("agent-runs", "similar", "explain", "forecast", "progress", "resync")
"""What may be asked of a run, after its id and a slash."""


class _RunId(Convertor[str]):
    """Any text, with slashes and new lines: an id is what a folder or a file says."""

    regex = "(?s:.+)"

    def convert(self, value: str) -> str:
        """Return an id."""
        return value

    def to_string(self, value: str) -> str:
        """Return an id as a path has it."""
        return value


class _WholeRun(_RunId):
    """The same where the run itself is asked for, and nothing that is asked of it."""

    regex = rf"(?s:(?!.+/(?:{'|'.join(PARTS)})\Z).+)"


register_url_convertor("run", _RunId())
register_url_convertor("whole_run", _WholeRun())
