"""Fit columns into a width: cells in, a Rich table out; the least important are dropped first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import accumulate
from typing import Final, TypeVar

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from ...common.formatting.text import name_parts, single_line
from .symbols import bar

MAX_WIDTH: Final = 120  # cells; longer lines are hard to read
MAX_CELL_WIDTH: Final = 40  # cells, unless a column overrides it
COLUMN_GAP: Final = 2  # cells between two columns

Amount = TypeVar("Amount", float, Decimal)

_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; its cells contain clean text. Widths are in terminal cells."""

    key: str
    title: str
    cells: tuple[Text, ...]
    right: bool = False  # right-aligned, for numbers
    flexible: bool = False  # takes the remaining width
    max_width: int = MAX_CELL_WIDTH  # wider cells are cut
    wraps: bool = False  # wider cells wrap instead of being cut

    @property
    def natural_width(self) -> int:
        """Width at which nothing is cut."""
        return max([cell_len(self.title), *(cell.cell_len for cell in self.cells)])

    @property
    def width(self) -> int:
        """Natural width, at most `max_width`."""
        return min(self.max_width, self.natural_width)


def id_column(key: str, title: str, ids: Sequence[str]) -> Column:
    """Return a column of ids that are never cut, so that they can be copied."""
    cells = tuple(Text(run_id, "bold") for run_id in ids)
    return Column(key, title, cells, max_width=max(map(cell_len, ids), default=0))


def text_column(
    key: str, title: str, cells: Iterable[str], *, right: bool = False, max_width: int = MAX_CELL_WIDTH
) -> Column:
    """Return a column of unstyled texts, cleaned to one line each."""
    texts = tuple(Text(single_line(cell)) for cell in cells)
    return Column(key, title, texts, right=right, max_width=max_width)


def number_column(key: str, title: str, cells: Iterable[str]) -> Column:
    """Return a right-aligned column of formatted numbers."""
    return Column(key, title, tuple(Text(cell) for cell in cells), right=True)


def bar_column(
    shares: Iterable[float | None], width: int, style: str = "green", *, key: str = "bar", title: str = ""
) -> Column:
    """Return a column of bars for shares from 0 to 1; None: no bar."""
    return Column(key, title, tuple(Text(bar(share, width), style) for share in shares))


def bar_columns(
    shares: Sequence[float | None], widths: tuple[int, int], style: str = "green", *, key: str = "bar"
) -> list[Column]:
    """Return a bar column and the one, named `short_` and its key, that can take its place if it is wide."""
    keys = (key, f"short_{key}")
    return [bar_column(shares, width, style, key=name) for name, width in zip(keys, widths, strict=True)]


def share_of(amount: Amount | None, largest: Amount) -> float | None:
    """Return the share of the largest amount, for a bar; None if the amount or the largest one is unknown.

    >>> share_of(1.0, 4.0), share_of(1.0, 0.0), share_of(None, 4.0)
    (0.25, None, None)
    """
    return None if amount is None or not largest else float(amount / largest)


@dataclass(frozen=True, slots=True)
class DropColumn:
    """One step to a narrower table: drop a column, or replace it with a narrower one."""

    key: str
    replacement: str | None = None


def fit_columns(
    columns: Sequence[Column], width: int, steps: Sequence[DropColumn], min_flexible: int = 20
) -> list[Column]:
    """Return the columns that fit the width, after as few of the steps as possible.

    A flexible column keeps at least `min_flexible` cells as long as a step is left. A column that replaces
    another one is shown only in its place.
    """
    replacements = {step.replacement for step in steps}
    by_key = {column.key: column for column in columns}
    shown = [column for column in columns if column.key not in replacements]
    for step in steps:
        if required_width(shown, min_flexible) <= width:
            break
        replacement = [by_key[step.replacement]] if step.replacement in by_key else []
        shown = [new for column in shown for new in (replacement if column.key == step.key else [column])]
    return shown


def required_width(columns: Sequence[Column], min_flexible: int) -> int:
    """Return the minimum width of these columns with their gaps, in cells."""
    widths = (
        min(min_flexible, column.natural_width) if column.flexible else column.width for column in columns
    )
    return sum(widths) + COLUMN_GAP * (len(columns) - 1)


def build_table(columns: Sequence[Column], width: int, *, header: bool = True, ruled: bool = False) -> Table:
    """Build the table; the flexible column takes the remaining width. `ruled`: a line below the header."""
    fixed = sum(column.width for column in columns if not column.flexible) + COLUMN_GAP * (len(columns) - 1)
    rest = max(1, width - fixed)
    table = Table(
        box=box.SIMPLE_HEAD if ruled else None,
        show_header=header,
        show_edge=False,
        pad_edge=False,
        padding=(0, COLUMN_GAP - 1 if ruled else COLUMN_GAP, 0, 0),
        header_style="bold" if ruled else "dim",
        border_style="dim",
    )
    sized = []
    for original in columns:
        column = original
        if column.flexible:
            column = replace(column, max_width=min(column.natural_width, rest))
        if column.wraps:
            cells = tuple(_break_long_words(cell, column.width) for cell in column.cells)
            column = replace(column, cells=cells)
        sized.append(column)
        table.add_column(
            column.title[:1].upper() + column.title[1:],
            justify="right" if column.right else "left",
            width=column.width,
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
        )
    for row in zip(*(column.cells for column in sized), strict=True):
        table.add_row(*row)
    return table


def label_grid(rows: Iterable[tuple[str, str | Text]]) -> Table:
    """Build a table without a header: dim labels on the left, values that may wrap on the right."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def _break_long_words(cell: Text, width: int) -> Text:
    r"""Return the text with overlong words broken after one of their parts.

    >>> _break_long_words(Text("mcp__browser__take_screenshot"), 16).plain.split("\n")
    ['mcp__browser__', 'take_screenshot']
    """
    breaks = [
        word.start() + offset
        for word in _WORD.finditer(cell.plain)
        for offset in _break_offsets(word[0], width)
    ]
    return Text("\n").join(cell.divide(breaks)) if breaks else cell


def _break_offsets(word: str, width: int) -> Iterator[int]:
    start, part_ends = 0, [*accumulate(map(len, name_parts(word)))]
    while len(word) - start > width:
        fitting = [end for end in part_ends if start < end <= start + width]
        start = fitting[-1] if fitting else start + width
        yield start
