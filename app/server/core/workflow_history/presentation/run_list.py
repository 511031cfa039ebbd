"""Values of a run in a list: a run dict in, short clean texts out. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from itertools import islice
from typing import Any

from rich.cells import cell_len

from ..common.coercion import is_duration_lower_bound
from ..common.formatting.costs import format_run_cost, format_total_cost
from ..common.formatting.numbers import format_duration, format_timestamp, pluralize
from ..common.formatting.text import non_empty_lines, single_line, truncate
from ..common.models import SourceState, TimeBasis
from ..common.spending import UNKNOWN, Cost

Run = Mapping[str, Any]

NO_REQUEST = "no request found"
_MAX_ORIGINAL_WIDTH = 24  # cells of the name of a copy's original run


def qualified_id(run: Run) -> str:
    """Return a run's id with its project, as every command accepts it."""
    return join_run_id(run.get("project"), run.get("id"))


def join_run_id(project: str | None, run_id: Any) -> str:
    """Return a project and an id as one id, as every command accepts it.

    >>> join_run_id("shop", "a1b2c3d4"), join_run_id("", "a1b2c3d4")
    ('shop/a1b2c3d4', 'a1b2c3d4')
    """
    return single_line(f"{project}/{run_id}" if project else run_id)


def short_ids(ids: Sequence[str], width: int) -> list[str]:
    """Shorten ids to about `width` cells; each can be typed, because it means only one of these runs.

    A long id is cut to its last parts, as few as are unique, and to their beginning; it may stay longer.

    >>> short_ids(["home/shop/4f1c2a77-1d", "home/desk/4f1c2a78-9e", "a1b2c3d4"], 6)
    ['4f1c2a77…', '4f1c2a78…', 'a1b2c3d4']
    """
    suffixes = sorted({(suffix, run_id) for run_id in ids for suffix in _suffixes(run_id)})

    def is_unique(text: str) -> bool:
        matches: set[str] = set()
        for suffix, run_id in islice(suffixes, bisect_left(suffixes, (text, "")), None):
            if not suffix.startswith(text) or len(matches) > 1:
                break
            matches.add(run_id)
        return len(matches) == 1

    def shorten(run_id: str) -> str:
        return run_id if cell_len(run_id) <= width else next(filter(is_unique, _suffixes(run_id)), run_id)

    shortened = [shorten(run_id) for run_id in ids]
    longest = max(map(cell_len, shortened), default=0)
    unique_widths = (
        cells
        for cells in range(width, longest)
        if all(is_unique(truncate(run_id, cells).rstrip("…")) for run_id in shortened)
    )
    cells = next(unique_widths, longest)
    return [truncate(run_id, cells) for run_id in shortened]


def _suffixes(run_id: str) -> list[str]:
    """Return the ends of an id that begin with one of its parts, shortest first."""
    starts = [0, *(index + 1 for index, character in enumerate(run_id) if character == "/")]
    return [run_id[start:] for start in reversed(starts)]


def first_line(request: str | None) -> str | None:
    """Return the first non-empty line of a request, None if there is none."""
    lines = non_empty_lines(request or "")
    return single_line(lines[0]) if lines else None


def request_summary(run: Run) -> str | None:
    r"""Return the first non-empty line of a run's request, None if there is none.

    >>> request_summary({"nl_input": "\n  Add export\nas CSV"}), request_summary({})
    ('Add export', None)
    """
    return first_line(run.get("nl_input"))


def run_title(run: Run) -> str | None:
    """Return the title of a run, such as a session's; None if it has none or it only repeats the request.

    >>> run_title({"title": "CSV export", "nl_input": "Add export"}), run_title({"nl_input": "Add export"})
    ('CSV export', None)
    """
    stored = run.get("title")
    title = first_line(stored) if isinstance(stored, str) else None  # a state file may have anything
    return None if title == request_summary(run) else title


def copy_note(run: Run) -> str | None:
    """Format the name of a copy's original run; None if the run is not a copy.

    >>> copy_note({"copy_of": "shop/a1b2c3d4", "project": "shop"}), copy_note({"copy_of": None})
    ('copy of a1b2c3d4', None)
    """
    original = run.get("copy_of")
    if original is None:
        return None
    name = original.removeprefix(f"{run.get('project')}/")
    return f"copy of {truncate(single_line(name), _MAX_ORIGINAL_WIDTH)}"


def copies_note(copies: int) -> str | None:
    """Format the number of copied runs that are left out of statistics; None if there are none."""
    return f"{pluralize(copies, 'copy', 'copies')} not counted" if copies else None


def workflow_summary(run: Run) -> str:
    """Format a run's workflow and issue class.

    >>> workflow_summary({"workflow_template": "adw_patch", "issue_class": "/bug"})
    'patch /bug'
    """
    template, issue_class = run.get("workflow_template"), run.get("issue_class")
    words = (
        single_line(template).removeprefix("adw_") if template else "",
        single_line(issue_class) if issue_class else "",
    )
    return " ".join(filter(None, words)) or UNKNOWN


def format_date(run: Run, zone: tzinfo | None = None) -> str:
    """Format a run's creation time in a zone (None: local); `~` if derived from its files' times."""
    created = _format_created(run, zone)
    return f"~{created}" if is_derived(run) else created


def format_run_duration(run: Run) -> str:
    """Format a run's duration; `≥` if the time of some of its agents is missing.

    >>> format_run_duration({"duration_seconds": 168.0, "duration_basis": "lower_bound"})
    '≥ 2m 48s'
    """
    return f"{'≥ ' if is_duration_lower_bound(run) else ''}{format_duration(run.get('duration_seconds'))}"


def is_derived(run: Run) -> bool:
    """Return whether a run's times are derived from the times of its files."""
    return run.get("times_basis") == TimeBasis.DERIVED and run.get("created_at") is not None


def is_source_deleted(run: Run) -> bool:
    """Return whether a run's files are missing, so that only this history has it."""
    return run.get("source_state") == SourceState.MISSING


def list_footer(shown: int, total: int, cost: Cost) -> list[str]:
    """Format the number of shown and of all runs, and the cost of all."""
    count = pluralize(total, "run") if shown == total else f"{shown:,} of {pluralize(total, 'run')}"
    amount, *notes = format_total_cost(cost)
    return [count, amount if shown == total else f"all: {amount}", *notes]


def list_legend(runs: Sequence[Run], *, has_dates: bool = True, has_times: bool = True) -> list[str]:
    """Explain the signs in a list. `has_dates`: it has a column of dates; `has_times`: with times of day."""
    notes = (
        (
            f"{UNKNOWN} no date: copy with cp -a or rsync -a to keep file times",
            has_dates and any(run.get("created_at") is None for run in runs),
        ),
        ("~ derived from file times", has_dates and any(map(is_derived, runs))),
        ("? time zone unknown", has_times and any(_format_created(run).endswith("?") for run in runs)),
        (
            "≥ lower bound",
            any("≥" in text for run in runs for text in (format_run_cost(run), format_run_duration(run))),
        ),
        ("copies are not counted in statistics", any(map(copy_note, runs))),
        ("† files missing", any(map(is_source_deleted, runs))),
    )
    return [note for note, is_needed in notes if is_needed]


def _format_created(run: Run, zone: tzinfo | None = None) -> str:
    return format_timestamp(run.get("created_at"), zone, zone_known=run.get("time_zone_known"))
