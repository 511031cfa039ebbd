"""What a list says of a run in a word or two: a run dict in, harmless words out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..amounts import UNKNOWN, Spending
from .costs import record_and_beyond, short_cost
from .numbers import counted, moment
from .text import lines_of, one_line

Run = Mapping[str, Any]

NO_REQUEST = "no request found"


def full_id(run: Run) -> str:
    """Return a run's id with its project, as every command takes it."""
    project = run.get("project")
    return one_line(f"{project}/{run.get('id')}" if project else run.get("id"))


def request_words(run: Run) -> str | None:
    r"""Return the first line of a run's request that says something, None where there is none.

    >>> request_words({"nl_input": "\n  Add export\nas CSV"}), request_words({})
    ('Add export', None)
    """
    lines = lines_of(run.get("nl_input") or "")
    return one_line(lines[0]) if lines else None


def workflow_words(run: Run) -> str:
    """Return a run's workflow and class of issue.

    >>> workflow_words({"workflow_template": "adw_patch", "issue_class": "/bug"})
    'patch /bug'
    """
    template, kind = run.get("workflow_template"), run.get("issue_class")
    named = one_line(template).removeprefix("adw_") if template else None
    return " ".join(word for word in (named, one_line(kind) if kind else None) if word) or UNKNOWN


def when_words(run: Run) -> str:
    """Return when a run was made; `~`: the time is taken from its files."""
    when = _moment(run)
    return f"~{when}" if is_derived(run) else when


def is_derived(run: Run) -> bool:
    """Whether a run's times are those of its files."""
    return run.get("times_basis") == "derived" and run.get("created_at") is not None


def is_gone(run: Run) -> bool:
    """Whether only this history knows the run."""
    return run.get("source_state") == "gone"


def sums_words(shown: int, total: int, spent: Spending) -> list[str]:
    """Return how many runs a list shows of how many, and what all of them cost."""
    count = counted(total, "run") if shown == total else f"{shown:,} of {counted(total, 'run')}"
    money = record_and_beyond(spent.recorded, spent.beyond)
    return [count, money if shown == total else f"all: {money}"]


def legend_words(runs: Sequence[Run], *, timed: bool = True, zoned: bool = True) -> list[str]:
    """Explain the signs that a list shows; `timed`, `zoned`: it shows days, it shows hours."""
    moments = [_moment(run) for run in runs]
    notes = (
        ("~ time taken from the files", timed and any(is_derived(run) for run in runs)),
        ("Z UTC, local time unknown", zoned and any(when.endswith("Z") for when in moments)),
        ("? time zone unknown", zoned and any(when.endswith("?") for when in moments)),
        ("≥ at least", any("≥" in short_cost(run) for run in runs)),
        ("† its files are gone", any(is_gone(run) for run in runs)),
    )
    return [note for note, shown in notes if shown]


def _moment(run: Run) -> str:
    known = run.get("time_zone_known")
    return moment(run.get("created_at"), run.get("utc_offset_minutes"), zone_known=known)
