"""The head of a run's story: what it is, what was asked, when, how long and for how much. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ....amounts import UNKNOWN
from ....wording.numbers import counted
from ....wording.runs import full_id
from ....wording.story import (
    NO_REQUEST,
    Fact,
    cost_fact,
    gone_words,
    tokens_fact,
    took_fact,
    when_fact,
    work_words,
)
from ....wording.text import clean, cut, lines_of, one_line
from .. import marks
from ..text import joined, said, whole

REQUEST_LINES = 5
ERROR_CHARACTERS = 400

Run = Mapping[str, Any]

_STYLES = {"": "", "source": "dim", "doubt": "magenta"}
"""How what is said beside a fact looks, by its mood."""


_APART = " " * 3


def header(run: Run, width: int) -> RenderableType:
    """Return the run's name, which never breaks, its status, and why it is thought so."""
    gone = run.get("source_state") == "gone"
    name, status = whole(full_id(run), "bold"), marks.status(run.get("status"), gone=gone)
    beside = name.cell_len + len(_APART) + status.cell_len <= width
    lines = [name.append(_APART).append_text(status)] if beside else [name, status]
    if run.get("status_reason"):
        lines.append(said(run["status_reason"], "dim"))
    if gone:
        lines.append(Text(gone_words(run), style="magenta"))
    if run.get("error_message"):
        lines.append(said(cut(one_line(run["error_message"]), ERROR_CHARACTERS), "red"))
    return Group(*lines)


def request(run: Run, width: int, *, full: bool) -> RenderableType:
    """Return the request behind a bar, and where it stood."""
    text = run.get("nl_input")
    if not text:
        return Text(NO_REQUEST, style="dim")
    lines = clean(text).split("\n") if full else [cut(line, width - 2) for line in lines_of(text)]
    shown = lines if full else lines[:REQUEST_LINES]
    more = counted(len(lines) - len(shown), "more line") + ": --full" if len(lines) > len(shown) else None
    source = run.get("nl_input_source")
    note = joined([f"from {one_line(source)}" if source else None, more])
    note.stylize("dim")
    body = Text("\n".join(shown))
    if shown and not full:
        body.stylize("bold", 0, len(shown[0]))
    quoted = Table.grid(padding=(0, 1, 0, 0))
    quoted.add_column(width=1, style="cyan")
    quoted.add_column(overflow="fold")
    height = sum(max(1, -(-Text(line).cell_len // max(1, width - 2))) for line in shown)
    quoted.add_row(Text("\n".join("▎" * height)), body)
    return Group(quoted, note) if note.plain else quoted


def facts(run: Run) -> RenderableType:
    """Return the lines of facts, each with where it is known from."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, fact in (
        ("when", when_fact(run)),
        ("took", took_fact(run)),
        ("cost", cost_fact(run)),
        ("tokens", tokens_fact(run)),
    ):
        if fact is not None:
            table.add_row(label, _said(fact))
    if work := work_words(run):
        table.add_row("work", joined([*work]))
    return Padding(table, 0)


def _said(fact: Fact) -> Text:
    value = Text(fact.value, "" if fact.value == UNKNOWN else "bold")
    return joined([value, *(Text(note.words, _STYLES[note.mood]) for note in fact.notes)])
