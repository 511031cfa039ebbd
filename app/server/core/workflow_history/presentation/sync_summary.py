"""Texts about a sync: its stages, the runs it found and their status, and redactions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..common.formatting.numbers import pluralize
from ..common.formatting.text import single_line
from ..common.models import Problem
from ..common.spending import format_fraction
from .run_list import copies_words

PHASES: Final[Mapping[str, str]] = {
    "make": "making runs up",
    "scan": "looking through",
    "enrich": "reading",
    "score": "scoring",
    "relate": "comparing",
    "store": "storing",
    "learn": "finding patterns",
    "merge": "bringing over",
}
"""Display names of the sync stages."""

_MOST_NAMED: Final = 3  # unread files that are listed
_READ: Final = (
    "Read are Claude Code's transcripts (name ~/.claude/projects) and streams (claude -p --output-format "
    "stream-json --verbose), codex exec --json and gemini --output-format stream-json: name the folder that "
    "holds such files. The sessions that Codex, Gemini CLI and Copilot CLI keep by themselves are not read"
)
"""Supported file formats and the directories to name instead."""

ORDER: Final = ("completed", "failed", "stopped", "running", "incomplete", "unknown")
"""Display order of the statuses; others follow by name."""


def phase_label(name: Any) -> str:
    """Return the display name of a sync stage; an unknown stage keeps its own name.

    >>> phase_label("enrich"), phase_label("polish")
    ('reading', 'polish')
    """
    return PHASES.get(name) or single_line(name)


def no_runs_words(folder: Any, unread: Sequence[Problem] = ()) -> str:
    """Format the message for a directory without runs: expected files and directories to name instead.

    `unread`: files there that could be streams, each with the reason why it is not read.

    >>> no_runs_words("logs", [Problem("a.jsonl", "not read: no line of it is JSON")])[:75]
    'No runs in logs: 1 file could be a stream, but is of no kind that is read: '
    """
    if not unread:
        return (
            f"No runs in {single_line(folder)}: nothing there has an adw_state.json, a workflow summary "
            f"or an "
            "agent's stream (*.jsonl). Name the folder that holds your runs, or a project: the agents "
            "folders in it are looked for"
        )
    named = [f"{single_line(file.path)} ({single_line(file.reason)})" for file in unread[:_MOST_NAMED]]
    more = [f"and {len(unread) - _MOST_NAMED:,} more"] if len(unread) > _MOST_NAMED else []
    files = pluralize(len(unread), "file could be a stream, but is", "files could be streams, but are")
    found = "; ".join([*named, *more])
    return f"No runs in {single_line(folder)}: {files} of no kind that is read: {found}. {_READ}"


def all_pruned_words(runs: int, where: str) -> str:
    """Format the message that all runs of a directory or history were pruned, and how to restore them.

    >>> all_pruned_words(1, "this history")[:39]
    'The one run of this history was pruned '
    """
    what = f"All {runs:,} runs of {where} were" if runs != 1 else f"The one run of {where} was"
    return f"{what} pruned and stay{'s' if runs == 1 else ''} out; sync --with-pruned lets them in again"


def found_words(stats: Mapping[str, Any], days: Sequence[str]) -> list[str]:
    """Format the dates of a directory's runs and the number of requests found.

    `days`: of the first and the last run; empty if no date is known.

    >>> found_words({"scanned": 5, "requests": 4, "undated": 2}, ["2026-03-01", "2026-03-08"])
    ['2026-03-01 to 2026-03-08 (2 undated)', '4 requests found']
    """
    undated = int(stats.get("undated") or 0)
    dates = " to ".join(dict.fromkeys(days)) + (f" ({undated:,} undated)" if undated else "")
    requests = int(stats.get("requests") or 0)
    return [dates if days else "no date known", f"{pluralize(requests, 'request')} found"]


def standing_words(stats: Mapping[str, Any]) -> list[str]:
    """Format the number of a directory's runs by status, their success rate and the copies left out.

    >>> three = {"completed": 3, "failed": 1}
    >>> standing_words({"statuses": three, "success_rate": 0.75, "success_rate_of": 4})[1:]
    ['1 failed', 'success rate 75% (3 of 4 with a known end)']
    """
    statuses: Mapping[str, int] = stats.get("statuses") or {}
    ordered = sorted(statuses, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    left_out = list(filter(None, [copies_words(int(stats.get("copies") or 0))]))
    if not statuses:
        return left_out
    known, completed = int(stats.get("success_rate_of") or 0), statuses.get("completed", 0)
    rate = f"{format_fraction(stats.get('success_rate'))} ({completed:,} of {known:,} with a known end)"
    return [
        *(f"{statuses[name]:,} {single_line(name)}" for name in ordered),
        f"success rate {rate if known else 'unknown: no run completed or failed'}",
        *left_out,
    ]


def describe_redactions(found: Mapping[str, int]) -> str | None:
    """Format the number of redacted secrets by kind; None if there are none.

    >>> describe_redactions({"password": 2, "github token": 1})
    '3 secrets taken out of texts (2 password, 1 github token)'
    """
    total = sum(found.values())
    if not total:
        return None
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.items(), key=lambda each: -each[1]))
    return f"{pluralize(total, 'secret')} taken out of texts ({kinds})"
