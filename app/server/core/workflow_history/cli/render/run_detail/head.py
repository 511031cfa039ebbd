"""Head of a run's details: name, status, request, times, duration, cost and tokens. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ....common.formatting.numbers import pluralize
from ....common.formatting.text import non_empty_lines, sanitize, single_line, truncate
from ....common.spending import UNKNOWN
from ....presentation.run_detail import (
    NO_REQUEST,
    RunFact,
    cost_fact,
    deleted_files_note,
    duration_fact,
    format_work,
    period_fact,
    tokens_fact,
)
from ....presentation.run_list import qualified_id
from .. import symbols
from ..text import clean_text, join_parts, whole

REQUEST_LINES = 5
ERROR_CHARACTERS = 400

Run = Mapping[str, Any]

_STYLES = {"": "", "source": "dim", "doubt": "magenta"}
"""Style of the note next to a fact, by its mood."""


_APART = " " * 3


def render_header(run: Run, width: int) -> RenderableType:
    """Render the run's name, which is never broken, its status and the reason for the status."""
    gone = run.get("source_state") == "gone"
    name, status = whole(qualified_id(run), "bold"), symbols.status_text(run.get("status"), gone=gone)
    beside = name.cell_len + len(_APART) + status.cell_len <= width
    lines = [name.append(_APART).append_text(status)] if beside else [name, status]
    if run.get("status_reason"):
        lines.append(clean_text(run["status_reason"], "dim"))
    if gone:
        lines.append(Text(deleted_files_note(run), style="magenta"))
    if run.get("error_message"):
        lines.append(clean_text(truncate(single_line(run["error_message"]), ERROR_CHARACTERS), "red"))
    return Group(*lines)


def request(run: Run, width: int, *, full: bool) -> RenderableType:
    """Render the request next to a bar, with its source below."""
    text = run.get("nl_input")
    if not text:
        return Text(NO_REQUEST, style="dim")
    lines = (
        sanitize(text).split("\n") if full else [truncate(line, width - 2) for line in non_empty_lines(text)]
    )
    shown = lines if full else lines[:REQUEST_LINES]
    more = pluralize(len(lines) - len(shown), "more line") + ": --full" if len(lines) > len(shown) else None
    source = run.get("nl_input_source")
    note = join_parts([f"from {single_line(source)}" if source else None, more])
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
    """Render one line per fact, each with its source."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, fact in (
        ("when", period_fact(run)),
        ("took", duration_fact(run)),
        ("cost", cost_fact(run)),
        ("tokens", tokens_fact(run)),
    ):
        if fact is not None:
            table.add_row(label, _said(fact))
    if work := format_work(run):
        table.add_row("work", join_parts([*work]))
    return Padding(table, 0)


def _said(fact: RunFact) -> Text:
    value = Text(fact.value, "" if fact.value == UNKNOWN else "bold")
    return join_parts([value, *(Text(note.words, _STYLES[note.mood]) for note in fact.notes)])
