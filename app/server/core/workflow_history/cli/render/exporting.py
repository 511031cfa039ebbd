"""What was taken out: an answer in, a line out. Pure."""

from __future__ import annotations

from rich.text import Text

from ...answers.export import Exported
from ...wording.numbers import counted
from ...wording.text import one_line
from .text import joined

_OF_WHAT = {"runs": "run", "agent-runs": "agent run", "patterns": "pattern"}


def exported(found: Exported) -> Text:
    """Return how much was written where."""
    rows = counted(found.rows, _OF_WHAT.get(found.what, "row"))
    return joined(
        [
            Text.assemble((rows, "bold"), f" to {one_line(found.path)}"),
            f"{found.format}, {counted(len(found.columns), 'column')}",
        ]
    )
