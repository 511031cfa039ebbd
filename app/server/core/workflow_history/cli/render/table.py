"""Fit columns into a width: cells in, a Rich table out; the least important are dropped first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Final

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from ...common.formatting.text import name_parts

COLUMN_GAP = 2  # cells between two columns

_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; its cells contain clean text. Widths are in terminal cells."""

    key: str
    title: str
    cells: tuple[Text, ...]
    right: bool = False  # right-aligned, for numbers
    flexible: bool = False  # takes the remaining width
    max_width: int = 40  # wider cells are cut
    wraps: bool = False  # wider cells wrap instead of being cut

    @property
    def natural_width(self) -> int:
        """Width at which nothing is cut."""
        return max([cell_len(self.title), *(cell.cell_len for cell in self.cells)])

    @property
    def width(self) -> int:
        """Natural width, at most `max_width`."""
        return min(self.max_width, self.natural_width)


def ids_column(key: str, title: str, ids: Sequence[str]) -> Column:
    """Return a column of ids that are never cut, so that they can be copied."""
    return Column(
        key, title, tuple(Text(one, "bold") for one in ids), max_width=max(map(cell_len, ids), default=0)
    )


@dataclass(frozen=True, slots=True)
class DropColumn:
    """One step to a narrower table: drop a column, or replace it with a narrower one."""

    key: str
    stand_in: str | None = None


def fit_columns(
    columns: Sequence[Column], width: int, steps: Sequence[DropColumn], least: int = 20
) -> list[Column]:
    """Return the columns that fit the width, after as few of the steps as possible.

    A flexible column keeps at least `least` cells as long as a step is left. A column that replaces another
    one is shown only in its place.
    """
    waiting = {step.stand_in for step in steps}
    by_key = {column.key: column for column in columns}
    shown = [column for column in columns if column.key not in waiting]
    for step in steps:
        if required_width(shown, least) <= width:
            break
        stand_in = [by_key[step.stand_in]] if step.stand_in in by_key else []
        shown = [kept for column in shown for kept in (stand_in if column.key == step.key else [column])]
    return shown


def required_width(columns: Sequence[Column], least: int) -> int:
    """Return the minimum width of these columns with their gaps, in cells."""
    widths = (min(least, column.natural_width) if column.flexible else column.width for column in columns)
    return sum(widths) + COLUMN_GAP * (len(columns) - 1)


def build_table(columns: Sequence[Column], width: int, *, header: bool = True, ruled: bool = False) -> Table:
    """Build the table; the flexible column takes the remaining width. `ruled`: a line below the header."""
    fixed = sum(column.width for column in columns if not column.flexible) + COLUMN_GAP * (len(columns) - 1)
    rest = max(1, width - fixed)
    sized = [
        replace(column, max_width=min(column.natural_width, rest)) if column.flexible else column
        for column in columns
    ]
    table = Table(
        box=box.SIMPLE_HEAD if ruled else None,
        show_header=header,
        show_edge=False,
        pad_edge=False,
        padding=(0, COLUMN_GAP - 1 if ruled else COLUMN_GAP, 0, 0),
        header_style="bold" if ruled else "dim",
        border_style="dim",
    )
    sized = [_in_whole_words(column) if column.wraps else column for column in sized]
    for column in sized:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            width=column.width,
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
        )
    for row in zip(*(column.cells for column in sized), strict=True):
        table.add_row(*row)
    return table


def _in_whole_words(column: Column) -> Column:
    """Return the column with overlong names broken between their parts."""
    return replace(column, cells=tuple(_broken(cell, column.width) for cell in column.cells))


def _broken(cell: Text, width: int) -> Text:
    r"""Return the text with overlong words broken after one of their parts.

    >>> _broken(Text("mcp__browser__take_screenshot"), 16).plain.split("\n")
    ['mcp__browser__', 'take_screenshot']
    """
    breaks = [at for word in _WORD.finditer(cell.plain) for at in _breaks(word[0], word.start(), width)]
    return Text("\n").join(cell.divide(breaks)) if breaks else cell


def _breaks(word: str, start: int, width: int) -> Iterator[int]:
    begin, parts = 0, [*accumulate(map(len, name_parts(word)))]
    while len(word) - begin > width:
        fitting = [part for part in parts if begin < part <= begin + width]
        begin = fitting[-1] if fitting else begin + width
        yield start + begin
