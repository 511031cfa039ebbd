"""What could not be read, one line each: problem records in, lines out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ...amounts import number
from ...wording.text import cut_middle, one_line
from .text import said

MOST = 10


def problem_lines(
    problems: Sequence[Mapping[str, Any]], width: int, most: int = MOST
) -> list[RenderableType]:
    """Return the first kinds of problems: place, reason, errors before warnings; and how many more there are.

    Problems that differ in their place alone are one line, with their count.
    """
    kinds: dict[tuple[bool, str], list[Mapping[str, Any]]] = {}
    for problem in problems:
        kind = problem.get("severity") == "warning", str(problem.get("reason"))
        kinds.setdefault(kind, []).append(problem)
    worst_first = [kinds[kind] for kind in sorted(kinds, key=lambda kind: kind[0])]
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for alike in worst_first[:most]:
        more = Text(f" (and {len(alike) - 1:,} more alike)", "dim") if len(alike) > 1 else Text()
        table.add_row(_place(alike[0], width), Text.assemble(said(alike[0].get("reason")), more))
    lines: list[RenderableType] = [table]
    if rest := sum(map(len, worst_first[most:])):
        lines.append(Text(f"and {rest:,} more: --json shows all", style="dim"))
    return lines


def _place(problem: Mapping[str, Any], width: int) -> Text:
    warning = problem.get("severity") == "warning"
    number_of_line = number(problem.get("line"))
    tail = "" if number_of_line is None else f":{number_of_line:.0f}"
    place = cut_middle(one_line(problem.get("path")), max(20, width // 2 - len(tail))) + tail
    sign = Text("! ", "magenta") if warning else Text("✗ ", "red")
    return Text.assemble(sign, (place, "bold"))
