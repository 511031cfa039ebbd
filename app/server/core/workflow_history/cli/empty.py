"""Say that there is no run to show, why, and what to type then."""

from __future__ import annotations

import typer

from ..maintenance.pruning import runs_pruned
from .filter_options import get_filter
from .output import get_output
from .render.run_list import after_no_runs, render_no_runs


def show_no_runs(context: typer.Context) -> None:
    """Say it for a command that can be narrowed to some runs."""
    screen, filtered = get_output(context), not get_filter(context).is_empty
    pruned = 0 if filtered else runs_pruned()
    screen.print(render_no_runs(filtered=filtered, pruned=pruned))
    screen.print_hints(after_no_runs(filtered=filtered, pruned=pruned))
