"""Say that there is no run to show, why, and what to type then."""

from __future__ import annotations

import typer

from ..care.pruning import runs_pruned
from .filtering import filter_of
from .render.runs import after_no_runs, no_runs
from .screen import screen_of


def show_no_runs(context: typer.Context) -> None:
    """Say it for a command that can be narrowed to some runs."""
    screen, filtered = screen_of(context), not filter_of(context).is_empty
    pruned = 0 if filtered else runs_pruned()
    screen.show(no_runs(filtered=filtered, pruned=pruned))
    screen.next_steps(after_no_runs(filtered=filtered, pruned=pruned))
