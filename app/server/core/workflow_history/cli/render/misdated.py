"""Name the runs that cannot have been made when they say: what an answer left out in, a note out. Pure."""

from __future__ import annotations

from rich.text import Text

from ...dating import Misdated
from ...wording.numbers import counted
from ...wording.text import one_line


def misdated_note(found: Misdated | None) -> list[Text]:
    """Return a line that names them, as a list; an empty one where there are none."""
    if found is None or not found.runs:
        return []
    named = ", ".join(f"{one_line(run.id)} {run.created_at.date()}" for run in found.shown)
    more = ", …" if found.runs > len(found.shown) else ""
    runs = counted(found.runs, "run")
    return [Text(f"! {runs} dated before 2000 or in the future, placed nowhere: {named}{more}", "magenta")]
