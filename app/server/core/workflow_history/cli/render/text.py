"""Text blocks for Rich: any string in, clean text without markup out. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...common.formatting.costs import format_total_cost
from ...common.formatting.numbers import pluralize
from ...common.formatting.text import single_line
from ...common.models import Severity
from ...common.plausible_dates import ImplausibleDates
from ...common.spending import Cost, number


def section_rule(title: str, width: int, note: str = "") -> Text:
    """Return a section title followed by a rule and, at its end, a note."""
    tail = f" {note}" if note else ""
    rule = "─" * max(2, width - len(title) - 1 - len(tail))
    return Text.assemble((title, "bold cyan"), " ", (rule, "dim"), (tail, "dim"))


MAX_PROBLEMS: Final = 10

_DETAILS: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\bphase \S+|\d[\d,.:]*")
"""Parts that differ between warnings of one kind: quoted words, phases, numbers; see also `_warning_kind`."""

Problem = Mapping[str, Any]


def render_problems(
    problems: Sequence[Problem], width: int, limit: int | None = MAX_PROBLEMS
) -> list[RenderableType]:
    """Render the first problems with path and reason, errors before warnings, and the number of others.

    Warnings of one kind share one line with their count, unless `limit` is None: then all are listed.
    """
    groups: dict[object, list[Problem]] = {}
    for index, problem in enumerate(sorted(problems, key=_is_warning)):
        key = _warning_kind(problem) if _is_warning(problem) and limit is not None else index
        groups.setdefault(key, []).append(problem)
    kinds = list(groups.values())
    rows = []
    for first, *others in kinds[:limit]:
        reason = clean_text(first.get("reason"))
        if others:
            reason.append(f" (and {len(others):,} more like it: --verbose)", style="dim")
        rows.append((_problem_location(first), reason))
    lines: list[RenderableType] = []
    if max((location.cell_len for location, _ in rows), default=0) <= width // 2:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for row in rows:
            table.add_row(*row)
        lines.append(table)
    else:  # a path is never cut, so that it can be copied
        for location, reason in rows:
            lines += [location, Padding(reason, (0, 0, 0, 4))]
    if more := sum(map(len, kinds[limit:] if limit is not None else [])):
        lines.append(more_note(more, "--verbose"))
    return lines


def more_note(count: int, option: str = "--json") -> Text:
    """Return the line about entries of a list that are not shown."""
    return Text(f"and {count:,} more: {option}", style="dim")


def _warning_kind(warning: Problem) -> str:
    """Return the reason of a warning without the details of its file, such as names and numbers.

    >>> one, other = ({"path": f"a/{name}/x.txt", "reason": f"{name} ends at byte 7"} for name in ("b", "c"))
    >>> _warning_kind(one) == _warning_kind(other)
    True
    """
    reason = single_line(warning.get("reason"))
    names = {part for part in single_line(warning.get("path")).split("/") if part}
    return " ".join(
        "…" if word.strip(".,:;") in names else word for word in _DETAILS.sub("…", reason).split()
    )


def _is_warning(problem: Problem) -> bool:
    return problem.get("severity") == Severity.WARNING


def _problem_location(problem: Problem) -> Text:
    """Return the sign of an error or warning with its path and line, never broken."""
    line = number(problem.get("line"))
    suffix = "" if line is None else f":{line:.0f}"
    sign = unbroken_text("!", "magenta") if _is_warning(problem) else unbroken_text("✗", "red")
    return sign.append(f" {single_line(problem.get('path'))}{suffix}", "bold")


def implausible_dates_note(dates: ImplausibleDates | None) -> list[Text]:
    """Return a line about runs with invalid timestamps, as a list; empty if there are none."""
    if dates is None or not dates.runs:
        return []
    names = ", ".join(f"{single_line(run.id)} {run.created_at.date()}" for run in dates.shown)
    more = ", …" if dates.runs > len(dates.shown) else ""
    runs = pluralize(dates.runs, "run")
    return [Text(f"! {runs} dated before 2000 or in the future, in no time window: {names}{more}", "magenta")]


def docs_hint(page: str) -> Text:
    """Return how to open a page of the documentation, which `serve` has also after an installation.

    >>> docs_hint("docs/costs.md").plain
    'more: workflow-history serve, then http://127.0.0.1:8765/docs/costs.html'
    """
    name = page.removeprefix("docs/").removesuffix(".md")
    return unbroken_text(f"more: workflow-history serve, then http://127.0.0.1:8765/docs/{name}.html", "dim")


HINT_PREFIX: Final = "next:  "
HINT_INDENT: Final = " " * (len(HINT_PREFIX) + 2)


def render_hints(commands: Sequence[tuple[str, str]], width: int) -> Text:
    """Format commands one per line, each purpose next to its command, or below if the width is too small."""
    widest = max(cell_len(command) for command, _ in commands)
    same_line = all(len(HINT_PREFIX) + widest + 2 + cell_len(purpose) <= width for _, purpose in commands)
    lines = []
    for index, (command, purpose) in enumerate(commands):
        prefix = HINT_PREFIX if index == 0 else " " * len(HINT_PREFIX)
        line = Text.assemble((prefix, "dim"), (single_line(command), "bold"))
        if same_line:
            line.append(" " * (widest + 2 - cell_len(command)) + purpose, style="dim")
        elif cell_len(HINT_INDENT + purpose) <= width:
            line.append(f"\n{HINT_INDENT}{purpose}", style="dim")
        lines.append(line)
    return Text("\n").join(lines)


_SEPARATOR: Final = " · "


def clean_text(value: Any, style: str = "") -> Text:
    """Return clean single-line text for Rich; brackets are not read as markup."""
    return Text(single_line(value), style=style)


def unbroken_text(value: Any, style: str = "") -> Text:
    """Return clean single-line text that is never broken, so that it can be copied."""
    return Text(single_line(value), style=style, no_wrap=True, overflow="ignore")


def wrap_parts(parts: Sequence[str | Text | None], width: int) -> Text:
    """Join the non-empty parts with dots into lines of at most `width` cells; a part is never broken."""
    lines: list[list[str | Text]] = []
    room = 0
    for part in (part for part in parts if part):
        size = cell_len(str(part))
        if lines and size + len(_SEPARATOR) <= room:
            lines[-1].append(part)
            room -= size + len(_SEPARATOR)
        else:
            lines.append([part])
            room = width - size
    return Text("\n").join(join_parts(line) for line in lines)


def render_cost(cost: Cost) -> Text:
    """Format the recorded cost, the lower-bound cost and the number of runs of unknown cost."""
    return join_parts([Text(words, "bold") for words in format_total_cost(cost)])


def join_parts(parts: Sequence[str | Text | None]) -> Text:
    """Join the non-empty parts with dim dots."""
    texts = [part if isinstance(part, Text) else Text(part) for part in parts if part]
    return Text.assemble((_SEPARATOR, "dim")).join(texts)  # a style of the separator would style all parts
