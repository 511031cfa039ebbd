"""Texts about a sync: its stages, the runs it found and their status, and redactions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from ..common.formatting.numbers import pluralize
from ..common.formatting.text import single_line
from ..common.models import Problem, RunStatus
from ..common.spending import format_fraction
from .run_list import copies_note

_STAGE_LABELS: Final[Mapping[str, str]] = {
    "make": "creating runs",
    "scan": "finding runs",
    "enrich": "reading",
    "score": "scoring",
    "relate": "comparing",
    "store": "storing",
    "learn": "finding patterns",
    "merge": "importing",
}
"""Display names of the sync stages."""

_MAX_UNREAD_FILES: Final = 3  # unread files that are listed
_SUPPORTED_FORMATS: Final = (
    "Supported are sessions of Claude Code (~/.claude/projects) and Codex (~/.codex/sessions), and the "
    "output of claude -p --output-format stream-json --verbose, codex exec --json, gemini --output-format "
    "stream-json, cursor-agent --output-format stream-json and opencode run --format json. Name a directory "
    "with such files"
)
"""Supported file formats and the directories to name instead."""


def stage_label(name: Any) -> str:
    """Return the display name of a sync stage; an unknown stage keeps its own name.

    >>> stage_label("enrich"), stage_label("polish")
    ('reading', 'polish')
    """
    return _STAGE_LABELS.get(name) or single_line(name)


def changed_runs(sync: Mapping[str, Any]) -> int | None:
    """Return the number of stored runs that a recorded sync wrote again; None if it is unknown.

    >>> changed_runs({"updated": 9, "unchanged": 7}), changed_runs({"updated": None, "unchanged": 7})
    (2, None)
    """
    updated, unchanged = sync["updated"], sync["unchanged"]
    return None if updated is None or unchanged is None else max(updated - unchanged, 0)


def no_runs_message(folder: Any, unread: Sequence[Problem] = ()) -> str:
    """Format the message for a directory without runs: expected files and directories to name instead.

    `unread`: files there that may be transcripts, each with the reason why it is not read.

    >>> no_runs_message("logs", [Problem("a.jsonl", "not read: no line of it is JSON")])[:75]
    'No runs in logs: 1 file may be a transcript, but has an unsupported format:'
    """
    if not unread:
        return (
            f"No runs in {single_line(folder)}: it has no adw_state.json, workflow summary or transcript "
            "(*.jsonl). Name an agents directory, or a project that contains agents directories."
        )
    files = [f"{single_line(file.path)} ({single_line(file.reason)})" for file in unread[:_MAX_UNREAD_FILES]]
    if len(unread) > _MAX_UNREAD_FILES:
        files.append(f"and {len(unread) - _MAX_UNREAD_FILES:,} more")
    count = pluralize(len(unread), "file may be a transcript, but has", "files may be transcripts, but have")
    return (
        f"No runs in {single_line(folder)}: {count} an unsupported format: {'; '.join(files)}. "
        f"{_SUPPORTED_FORMATS}"
    )


def all_pruned_message(runs: int, where: str) -> str:
    """Format the message that all runs of a directory or history were pruned, and how to restore them.

    >>> all_pruned_message(1, "this history")[:39]
    'The only run of this history was pruned'
    """
    subject = f"All {runs:,} runs of {where} were" if runs != 1 else f"The only run of {where} was"
    pronoun = "it" if runs == 1 else "them"
    return (
        f"{subject} pruned. Re-import {pronoun} with: workflow-history sync path/to/project --include-pruned"
    )


def describe_contents(stats: Mapping[str, Any], days: Sequence[str]) -> list[str]:
    """Format the dates of a directory's runs and the number of requests found.

    `days`: of the first and the last run; empty if no date is known.

    >>> describe_contents({"scanned": 5, "requests": 4, "undated": 2}, ["2026-03-01", "2026-03-08"])
    ['2026-03-01 to 2026-03-08 (2 undated)', '4 requests found']
    """
    undated = int(stats.get("undated") or 0)
    dates = " to ".join(dict.fromkeys(days)) + (f" ({undated:,} undated)" if undated else "")
    requests = int(stats.get("requests") or 0)
    return [dates if days else "no date known", f"{pluralize(requests, 'request')} found"]


def describe_statuses(stats: Mapping[str, Any]) -> list[str]:
    """Format the number of a directory's runs by status, their success rate and the copies left out.

    >>> three = {"completed": 3, "failed": 1}
    >>> describe_statuses({"statuses": three, "success_rate": 0.75, "success_rate_of": 4})[1:]
    ['1 failed', 'success rate 75% (3 of 4 finished runs)']
    """
    statuses: Mapping[str, int] = stats.get("statuses") or {}
    copies = list(filter(None, [copies_note(int(stats.get("copies") or 0))]))
    if not statuses:
        return copies
    names: list[str] = [name for name in RunStatus if name in statuses]
    names += sorted(statuses.keys() - names)
    ended, completed = int(stats.get("success_rate_of") or 0), statuses.get(RunStatus.COMPLETED, 0)
    rate = f"{format_fraction(stats.get('success_rate'))} ({completed:,} of {ended:,} finished runs)"
    return [
        *(f"{statuses[name]:,} {single_line(name)}" for name in names),
        f"success rate {rate if ended else 'unknown: no run completed or failed'}",
        *copies,
    ]


def describe_redactions(secrets: Mapping[str, int]) -> str | None:
    """Format the number of redacted secrets by kind; None if there are none.

    >>> describe_redactions({"password": 2, "github token": 1})
    '3 secrets redacted (2 password, 1 github token)'
    """
    total = sum(secrets.values())
    if not total:
        return None
    most_first = sorted(secrets.items(), key=itemgetter(1), reverse=True)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in most_first)
    return f"{pluralize(total, 'secret')} redacted ({kinds})"
