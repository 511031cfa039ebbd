"""What could not be read, one line each: problem records in, lines out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...amounts import number
from ...wording.text import one_line
from .text import said, whole

MOST = 10

_DETAILS: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\bphase \S+|\d[\d,.:]*")
"""What differs between two warnings of one kind: quoted words, phases, numbers; names of its path, too."""

Problem = Mapping[str, Any]


def problem_lines(
    problems: Sequence[Problem], width: int, most: int = MOST, *, each: bool = False
) -> list[RenderableType]:
    """Return the first problems: place, reason, errors before warnings; and how many more there are.

    Warnings of one kind take one line with their count, unless `each` is asked for.
    """
    worst_first = sorted(problems, key=_is_warning)
    kinds = [[problem] for problem in worst_first] if each else list(_by_kind(worst_first))
    shown = [(_place(first), _reason(first, len(others))) for first, *others in kinds[:most]]
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
    if left := sum(map(len, kinds[most:])):
        lines.append(Text(f"and {left:,} more: --json shows all", style="dim"))
    return lines


def _by_kind(problems: Sequence[Problem]) -> Iterator[list[Problem]]:
    """Yield every error alone, and warnings of one kind together, where the first of them stands."""
    kinds: dict[object, list[Problem]] = {}
    for place, problem in enumerate(problems):
        kinds.setdefault(_kind(problem) if _is_warning(problem) else place, []).append(problem)
    yield from kinds.values()


def _kind(problem: Problem) -> str:
    """Return what a warning says of any file: its reason without the details of this one.

    >>> one, other = ({"path": f"a/{name}/x.txt", "reason": f"{name} ends at byte 7"} for name in ("b", "c"))
    >>> _kind(one) == _kind(other)
    True
    """
    reason = one_line(problem.get("reason"))
    names = {part for part in one_line(problem.get("path")).split("/") if part}
    return " ".join(
        "…" if word.strip(".,:;") in names else word for word in _DETAILS.sub("…", reason).split()
    )


def _is_warning(problem: Problem) -> bool:
    return problem.get("severity") == "warning"


def _reason(problem: Problem, others: int) -> Text:
    text = said(problem.get("reason"))
    if others:
        text.append(f" (and {others:,} more like it: --json shows all)", style="dim")
    return text


def _place(problem: Problem) -> Text:
    number_of_line = number(problem.get("line"))
    tail = "" if number_of_line is None else f":{number_of_line:.0f}"
    found = whole("! ", "magenta") if _is_warning(problem) else whole("✗ ", "red")
    return found.append(f"{one_line(problem.get('path'))}{tail}", "bold")
