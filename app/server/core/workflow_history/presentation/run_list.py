"""Values of a run in a list: a run dict in, short clean texts out. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from itertools import islice
from typing import Any

from rich.cells import cell_len

from ..common.coercion import is_at_least_so_long
from ..common.formatting.costs import format_run_cost, sum_words
from ..common.formatting.numbers import format_duration, format_timestamp, pluralize
from ..common.formatting.text import non_empty_lines, single_line, truncate
from ..common.spending import UNKNOWN, Spending

Run = Mapping[str, Any]

NO_REQUEST = "no request found"
_MOST_ORIGINAL = 24  # cells of the name of a copy's original run


def qualified_id(run: Run) -> str:
    """Return a run's id with its project, as every command accepts it."""
    project = run.get("project")
    return single_line(f"{project}/{run.get('id')}" if project else run.get("id"))


def short_ids(ids: Sequence[str], width: int) -> list[str]:
    """Shorten ids to about `width` cells; each can be typed, because it means only one of these runs.

    A long id is cut to its last parts, as few as are unique, and to their beginning; it may stay longer.

    >>> short_ids(["home/shop/4f1c2a77-1d", "home/desk/4f1c2a78-9e", "a1b2c3d4"], 6)
    ['4f1c2a77…', '4f1c2a78…', 'a1b2c3d4']
    """
    ends = sorted({(one[at:], one) for one in ids for at in _parts(one)})

    def is_clear(text: str) -> bool:
        meant: set[str] = set()
        for end, of in islice(ends, bisect_left(ends, (text, "")), None):
            if not end.startswith(text) or len(meant) > 1:
                break
            meant.add(of)
        return len(meant) == 1

    def shorter(one: str) -> str:
        tails = (one[at:] for at in reversed(_parts(one)))
        return one if cell_len(one) <= width else next(filter(is_clear, tails), one)

    tails = [shorter(one) for one in ids]
    longest = max(map(cell_len, tails), default=0)
    fit = (
        room
        for room in range(width, longest)
        if all(is_clear(truncate(one, room).rstrip("…")) for one in tails)
    )
    room = next(fit, longest)
    return [truncate(one, room) for one in tails]


def _parts(run_id: str) -> list[int]:
    """Return the positions at which the parts of an id begin."""
    return [0, *(place + 1 for place, sign in enumerate(run_id) if sign == "/")]


def request_summary(run: Run) -> str | None:
    r"""Return the first non-empty line of a run's request, None if there is none.

    >>> request_summary({"nl_input": "\n  Add export\nas CSV"}), request_summary({})
    ('Add export', None)
    """
    lines = non_empty_lines(run.get("nl_input") or "")
    return single_line(lines[0]) if lines else None


def copy_words(run: Run) -> str | None:
    """Format the name of a copy's original run; None if the run is not a copy.

    >>> copy_words({"copy_of": "shop/a1b2c3d4", "project": "shop"}), copy_words({"copy_of": None})
    ('copy of a1b2c3d4', None)
    """
    original = run.get("copy_of")
    if original is None:
        return None
    named = original.removeprefix(f"{run.get('project')}/")
    return f"copy of {truncate(single_line(named), _MOST_ORIGINAL)}"


def copies_words(copies: int) -> str | None:
    """Format the number of copied runs that are left out of statistics; None if there are none."""
    return f"{pluralize(copies, 'copy', 'copies')} left out" if copies else None


def workflow_summary(run: Run) -> str:
    """Format a run's workflow and issue class.

    >>> workflow_summary({"workflow_template": "adw_patch", "issue_class": "/bug"})
    'patch /bug'
    """
    template, kind = run.get("workflow_template"), run.get("issue_class")
    named = single_line(template).removeprefix("adw_") if template else None
    return " ".join(word for word in (named, single_line(kind) if kind else None) if word) or UNKNOWN


def format_date(run: Run, zone: tzinfo | None = None) -> str:
    """Format a run's creation time in a zone (None: local); `~` if derived from its files' times."""
    when = _moment(run, zone)
    return f"~{when}" if is_derived(run) else when


def lasted_words(run: Run) -> str:
    """Format a run's duration; `≥` if the time of some of its agents is missing.

    >>> lasted_words({"duration_seconds": 168.0, "duration_basis": "lower_bound"})
    '≥ 2m 48s'
    """
    return f"{'≥ ' if is_at_least_so_long(run) else ''}{format_duration(run.get('duration_seconds'))}"


def is_derived(run: Run) -> bool:
    """Return whether a run's times are derived from the times of its files."""
    return run.get("times_basis") == "derived" and run.get("created_at") is not None


def is_source_deleted(run: Run) -> bool:
    """Return whether a run's files are missing, so that only this history has it."""
    return run.get("source_state") == "gone"


def list_footer(shown: int, total: int, spent: Spending) -> list[str]:
    """Format the number of shown and of all runs, and the cost of all."""
    count = pluralize(total, "run") if shown == total else f"{shown:,} of {pluralize(total, 'run')}"
    first, *more = sum_words(spent)
    return [count, first if shown == total else f"all: {first}", *more]


def list_legend(runs: Sequence[Run], *, timed: bool = True, zoned: bool = True) -> list[str]:
    """Explain the signs in a list. `timed`: it has a column of days; `zoned`: that column has times, too."""
    moments = [_moment(run) for run in runs]
    notes = (
        (
            f"{UNKNOWN} undated: a copy keeps times by cp -a or rsync -a",
            timed and not all(map(_is_dated, runs)),
        ),
        ("~ time taken from the files", timed and any(is_derived(run) for run in runs)),
        ("? time zone unknown", zoned and any(when.endswith("?") for when in moments)),
        (
            "≥ at least",
            any("≥" in word for run in runs for word in (format_run_cost(run), lasted_words(run))),
        ),
        ("copies are in no statistics", any(copy_words(run) for run in runs)),
        ("† its files are gone", any(is_source_deleted(run) for run in runs)),
    )
    return [note for note, shown in notes if shown]


def _is_dated(run: Run) -> bool:
    return run.get("created_at") is not None


def _moment(run: Run, zone: tzinfo | None = None) -> str:
    return format_timestamp(run.get("created_at"), zone, zone_known=run.get("time_zone_known"))
