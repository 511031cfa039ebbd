"""What could not be read, one line each: problem records in, lines out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...amounts import number
from ...wording.text import one_line
from .text import said, whole

MOST = 10


def problem_lines(
    problems: Sequence[Mapping[str, Any]], width: int, most: int = MOST
) -> list[RenderableType]:
    """Return the first problems: place, reason, errors before warnings; and how many more there are."""
    worst_first = sorted(problems, key=lambda problem: problem.get("severity") == "warning")
    shown = [(_place(problem), said(problem.get("reason"))) for problem in worst_first[:most]]
    lines: list[RenderableType] = []
    if max((place.cell_len for place, _ in shown), default=0) <= width // 2:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for row in shown:
            table.add_row(*row)
        lines.append(table)
    else:  # a place is never cut: it can be copied
        for place, reason in shown:
            lines += [place, Padding(reason, (0, 0, 0, 4))]
    if len(worst_first) > most:
        lines.append(Text(f"and {len(worst_first) - most:,} more: --json shows all", style="dim"))
    return lines


def _place(problem: Mapping[str, Any]) -> Text:
    warning = problem.get("severity") == "warning"
    number_of_line = number(problem.get("line"))
    tail = "" if number_of_line is None else f":{number_of_line:.0f}"
    found = whole("! " if warning else "✗ ", "magenta" if warning else "red")
    return found.append(f"{one_line(problem.get('path'))}{tail}", "bold")
