"""Text blocks for Rich: any string in, clean text without markup out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...common.formatting.costs import sum_words
from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line
from ...common.plausible_dates import ImplausibleDates
from ...common.spending import Spending, number


def section_rule(title: str, width: int, note: str = "") -> Text:
    """Return a section title followed by a rule and, at its end, a note."""
    tail = f" {note}" if note else ""
    rule = "─" * max(2, width - len(title) - 1 - len(tail))
    return Text.assemble((title, "bold cyan"), " ", (rule, "dim"), (tail, "dim"))


MAX_PROBLEMS = 10

_DETAILS: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\bphase \S+|\d[\d,.:]*")
"""Parts that differ between warnings of one kind: quoted words, phases, numbers; see also `_kind`."""

Problem = Mapping[str, Any]


def render_problems(
    problems: Sequence[Problem], width: int, most: int = MAX_PROBLEMS, *, each: bool = False
) -> list[RenderableType]:
    """Render the first problems with path and reason, errors before warnings, and the number of others.

    Warnings of one kind share one line with their count, unless `each` is set.
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
    else:  # a path is never cut, so that it can be copied
        for place, reason in shown:
            lines += [place, Padding(reason, (0, 0, 0, 4))]
    if left := sum(map(len, kinds[most:])):
        lines.append(Text(f"and {left:,} more: --json shows all", style="dim"))
    return lines


def _by_kind(problems: Sequence[Problem]) -> Iterator[list[Problem]]:
    """Yield each error alone and warnings of one kind together, at the position of the first one."""
    kinds: dict[object, list[Problem]] = {}
    for place, problem in enumerate(problems):
        kinds.setdefault(_kind(problem) if _is_warning(problem) else place, []).append(problem)
    yield from kinds.values()


def _kind(problem: Problem) -> str:
    """Return the reason of a warning without the details of its file, such as names and numbers.

    >>> one, other = ({"path": f"a/{name}/x.txt", "reason": f"{name} ends at byte 7"} for name in ("b", "c"))
    >>> _kind(one) == _kind(other)
    True
    """
    reason = single_line(problem.get("reason"))
    names = {part for part in single_line(problem.get("path")).split("/") if part}
    return " ".join(
        "…" if word.strip(".,:;") in names else word for word in _DETAILS.sub("…", reason).split()
    )


def _is_warning(problem: Problem) -> bool:
    return problem.get("severity") == "warning"


def _reason(problem: Problem, others: int) -> Text:
    text = clean_text(problem.get("reason"))
    if others:
        text.append(f" (and {others:,} more like it: --json shows all)", style="dim")
    return text


def _place(problem: Problem) -> Text:
    number_of_line = number(problem.get("line"))
    tail = "" if number_of_line is None else f":{number_of_line:.0f}"
    found = whole("! ", "magenta") if _is_warning(problem) else whole("✗ ", "red")
    return found.append(f"{single_line(problem.get('path'))}{tail}", "bold")


def implausible_dates_note(found: ImplausibleDates | None) -> list[Text]:
    """Return a line about runs with invalid timestamps, as a list; empty if there are none."""
    if found is None or not found.runs:
        return []
    named = ", ".join(f"{single_line(run.id)} {run.created_at.date()}" for run in found.shown)
    more = ", …" if found.runs > len(found.shown) else ""
    runs = pluralize(found.runs, "run")
    return [Text(f"! {runs} dated before 2000 or in the future, placed nowhere: {named}{more}", "magenta")]


PREFIX = "next:  "
INDENT = " " * (len(PREFIX) + 2)


def render_hints(commands: Sequence[tuple[str, str]], width: int) -> Text:
    """Format commands one per line, each purpose next to its command, or below if the width is too small."""
    widest = max(cell_len(command) for command, _ in commands)
    beside = all(len(PREFIX) + widest + 2 + cell_len(purpose) <= width for _, purpose in commands)
    lines = []
    for at, (command, purpose) in enumerate(commands):
        lead = PREFIX if at == 0 else " " * len(PREFIX)
        line = Text.assemble((lead, "dim"), (single_line(command), "bold"))
        if beside:
            line.append(" " * (widest + 2 - cell_len(command)) + purpose, style="dim")
        elif cell_len(INDENT + purpose) <= width:
            line.append(f"\n{INDENT}{purpose}", style="dim")
        lines.append(line)
    return Text("\n").join(lines)


_DOT: Final = " · "


def clean_text(given: Any, style: str = "") -> Text:
    """Return clean single-line text for Rich; brackets are not read as markup."""
    return Text(single_line(given), style=style)


def whole(given: Any, style: str = "") -> Text:
    """Return clean single-line text that is never broken, so that it can be copied."""
    return Text(single_line(given), style=style, no_wrap=True, overflow="ignore")


def in_lines(parts: Sequence[str | Text | None], width: int) -> Text:
    """Join the non-empty parts with dots into lines of at most `width` cells; a part is never broken."""
    lines: list[list[str | Text]] = []
    room = 0
    for part in [part for part in parts if part]:
        size = cell_len(str(part))
        if lines and size + len(_DOT) <= room:
            lines[-1].append(part)
            room -= size + len(_DOT)
        else:
            lines.append([part])
            room = width - size
    return Text("\n").join(join_parts(line) for line in lines)


def render_sum(spent: Spending) -> Text:
    """Format the recorded cost, the lower-bound cost and the number of runs of unknown cost."""
    return join_parts([Text(words, "bold") for words in sum_words(spent)])


def join_parts(parts: Sequence[str | Text | None], separator: str = _DOT) -> Text:
    """Join the non-empty parts with a separator."""
    known = [part if isinstance(part, Text) else Text(part) for part in parts if part]
    between = Text()
    between.append(separator, style="dim")
    return between.join(known)
