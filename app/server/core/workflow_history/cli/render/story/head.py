"""The head of a run's story: what it is, what was asked, when, how long and for how much. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ....wording.costs import BASES, RECORDED, at_least, record_and_beyond, spending
from ....wording.numbers import counted, duration, exact, moment, money, number, offset_name, percent, tokens
from ....wording.runs import full_id
from ....wording.text import UNKNOWN, clean, cut, lines_of, one_line
from .. import marks
from ..text import joined, said

REQUEST_LINES = 5
ERROR_CHARACTERS = 400

Run = Mapping[str, Any]


def header(run: Run) -> RenderableType:
    """Return the run's name and status, and why it is thought so."""
    gone = run.get("source_state") == "gone"
    title = Text.assemble((full_id(run), "bold"), "   ", marks.status(run.get("status"), gone=gone))
    lines = [title, said(run.get("status_reason"), "dim")] if run.get("status_reason") else [title]
    if gone:
        since = f" since {moment(run['gone_at'])}" if run.get("gone_at") else ""
        lines.append(Text(f"its files are gone{since}: only this history knows the run", style="magenta"))
    if run.get("error_message"):
        lines.append(said(cut(one_line(run["error_message"]), ERROR_CHARACTERS), "red"))
    return Group(*lines)


def request(run: Run, width: int, *, full: bool) -> RenderableType:
    """Return the request behind a bar, and where it stood."""
    text = run.get("nl_input")
    if not text:
        return Text("no request found: unknown what was asked", style="dim")
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
    rows = (
        ("when", _when(run)),
        ("took", _took(run)),
        ("cost", _cost(run)),
        ("tokens", _tokens(run)),
        ("work", _work(run)),
    )
    for label, value in rows:
        if value is not None:
            table.add_row(label, value)
    return Padding(table, 0)


def _when(run: Run) -> Text:
    offset = run.get("utc_offset_minutes")
    known = run.get("time_zone_known")
    start = moment(run.get("started_at") or run.get("created_at"), offset, zone_known=known)
    if start == UNKNOWN:
        return joined([UNKNOWN, Text("its files tell no time that can be trusted", style="dim")])
    end = moment(run.get("completed_at"), offset, zone_known=known)
    span = start if end == UNKNOWN else f"{start} → {_end(start, end)}"
    unknown = "time zone unknown" if known is False else "UTC; the run's own offset is unknown"
    zone = offset_name(offset) or unknown
    source = _source(run.get("times_basis"), run.get("times_source"))
    return joined([Text(span, "bold"), zone, source])


def _end(start: str, end: str) -> str:
    """Return the end of a span; the day is said once."""
    day, _, hour = end.partition(" ")
    return hour if start.startswith(day) else end


def _took(run: Run) -> Text:
    seconds = run.get("duration_seconds")
    if number(seconds) is None:
        return joined([UNKNOWN, Text("nothing tells how long it ran", style="dim")])
    idle, slow = number(run.get("idle_time_seconds")), run.get("bottleneck_phase")
    return joined(
        [
            Text(duration(seconds), "bold"),
            f"longest phase: {one_line(slow)}" if slow else None,
            f"idle {duration(idle)}" if idle else None,
            _source(run.get("duration_basis"), run.get("duration_source")),
        ]
    )


def _source(basis: Any, source: Any) -> Text | None:
    words = [one_line(word) for word in (basis, source) if word]
    return Text(": ".join(words), style="dim") if words else None


def _cost(run: Run) -> Text:
    spent, basis = spending(run), run.get("cost_basis")
    if spent.known is None and not basis:
        return joined([UNKNOWN, Text("no stream says what was spent", style="dim")])
    apart = record_and_beyond(spent.recorded, spent.beyond) if spent.beyond is not None else None
    missing = exact(run.get("unpriced_tokens"))
    retries = int(number(run.get("retry_count")) or 0)
    return joined(
        [
            Text(at_least(spent), "bold"),
            None if apart and basis == "lower_bound" else BASES.get(basis or "", one_line(basis)),
            apart,
            _own_sum(run),
            Text(f"{tokens(missing)} tokens without a known price", style="magenta") if missing else None,
            f"{money(run.get('retry_cost'))} of it for {counted(retries, 'retry', 'retries')}"
            if retries
            else None,
            _unheard(run),
        ]
    )


def _own_sum(run: Run) -> Text | None:
    """Return tokens times price beside what was reported, and by how much the two differ."""
    data = run.get("cost_data") or {}
    own, off = run.get("computed_cost"), data.get("cost_difference_percent")
    reported = any(agent.get("cost_basis") == "reported" for agent in run.get("phase_costs") or ())
    if exact(own) is None or run.get("cost_basis") not in RECORDED | {"lower_bound"} or not reported:
        return None
    words = f"own sum {money(own)}" + (f" ({percent(off)})" if exact(off) is not None else "")
    return Text(words, style="magenta" if data.get("cost_disputed") else "")


def _unheard(run: Run) -> str | None:
    silent = run.get("agents_without_stream") or ()
    names = ", ".join(one_line(agent) for agent in silent)
    return f"unknown what {names} spent: no stream" if names else None


def _tokens(run: Run) -> Text | None:
    if number(run.get("total_tokens")) is None:
        return None
    parts = (
        ("in", "input_tokens"),
        ("out", "output_tokens"),
        ("cache read", "cache_read_tokens"),
        ("cache written", "cache_creation_tokens"),
    )
    named = [f"{word} {tokens(run.get(key))}" for word, key in parts]
    return joined([Text(tokens(run["total_tokens"]), "bold"), *named])


def _work(run: Run) -> Text | None:
    issue = run.get("issue_number")
    words = [
        one_line(run["workflow_template"]) if run.get("workflow_template") else None,
        one_line(run["issue_class"]) if run.get("issue_class") else None,
        f"issue {one_line(issue)}" if issue else None,
        f"branch {one_line(run['branch_name'])}" if run.get("branch_name") else None,
        f"plan {one_line(run['plan_file'])}" if run.get("plan_file") else None,
    ]
    return joined([*words]) if any(words) else None
