"""Head of a run's details: name, status, request, times, duration, cost and tokens. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ....common.formatting.numbers import pluralize
from ....common.formatting.text import non_empty_lines, sanitize, single_line, truncate
from ....common.models import SourceState
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
from ....presentation.run_list import qualified_id, run_title
from .. import symbols
from ..table import label_grid
from ..text import clean_text, join_parts, unbroken_text

MAX_REQUEST_LINES = 5
MAX_ERROR_CHARS = 400

Run = Mapping[str, Any]

_NOTE_STYLES = {"": "", "source": "dim", "doubt": "magenta"}
"""Style of the note next to a fact, by its mood."""

_GAP = " " * 3


def render_header(run: Run, width: int) -> RenderableType:
    """Render the run's name, which is never broken, its status and the reason for the status."""
    gone = run.get("source_state") == SourceState.MISSING
    name, status = unbroken_text(qualified_id(run), "bold"), symbols.status_text(run.get("status"), gone=gone)
    fits = name.cell_len + len(_GAP) + status.cell_len <= width
    lines = [name.append(_GAP).append_text(status)] if fits else [name, status]
    if run.get("status_reason"):
        lines.append(clean_text(run["status_reason"], "dim"))
    if gone:
        lines.append(Text(deleted_files_note(run), style="magenta"))
    if run.get("error_message"):
        lines.append(clean_text(truncate(single_line(run["error_message"]), MAX_ERROR_CHARS), "red"))
    return Group(*lines)


def render_request(run: Run, width: int, *, full: bool) -> RenderableType:
    """Render the title, the request next to a bar, and its source below."""
    text, title = run.get("nl_input"), run_title(run)
    if not text:
        return Text(NO_REQUEST, style="dim") if title is None else Text(title, "bold")
    if full:
        shown, hidden = sanitize(text).split("\n"), 0
    else:
        lines = non_empty_lines(text)
        shown = [truncate(line, width - 2) for line in lines[:MAX_REQUEST_LINES]]
        hidden = len(lines) - len(shown)
    body = Text("\n".join(shown))
    if shown and not full:
        body.stylize("bold", 0, len(shown[0]))
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1, style="cyan")
    table.add_column(overflow="fold")
    height = sum(max(1, -(-Text(line).cell_len // max(1, width - 2))) for line in shown)
    table.add_row(Text("\n".join("▎" * height)), body)
    source = run.get("nl_input_source")
    note = join_parts(
        [
            f"from {single_line(source)}" if source else None,
            f"{pluralize(hidden, 'more line')}: --full" if hidden else None,
        ]
    )
    note.stylize("dim")
    parts = [Text(title, "bold") if title else None, table, note or None]
    return Group(*(part for part in parts if part is not None))


def render_facts(run: Run) -> RenderableType:
    """Render one line per fact, each with its source."""
    facts = (
        ("created", period_fact(run)),
        ("duration", duration_fact(run)),
        ("cost", cost_fact(run)),
        ("tokens", tokens_fact(run)),
    )
    rows = [(label, _format_fact(fact)) for label, fact in facts if fact is not None]
    if work := format_work(run):
        rows.append(("workflow", join_parts(work)))
    if not run.get("resume_command"):
        return label_grid(rows)
    # Below the table, which would cut it: a command to paste is never broken.
    label = "resume".ljust(max(len(name) for name, _ in rows) + 2)
    return Group(
        label_grid(rows),
        Text(label, "dim", no_wrap=True, overflow="ignore").append_text(unbroken_text(run["resume_command"])),
    )


def _format_fact(fact: RunFact) -> Text:
    value = Text(fact.value, "" if fact.value == UNKNOWN else "bold")
    return join_parts([value, *(Text(note.words, _NOTE_STYLES[note.mood]) for note in fact.notes)])
