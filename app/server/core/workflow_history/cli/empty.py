"""Explain an empty result: no runs, the reason and the next command."""

from __future__ import annotations

import typer

from ..maintenance.pruning import runs_pruned
from .filter_options import get_filter
from .output import get_output
from .render.run_list import after_no_runs, render_no_runs


def show_no_runs(context: typer.Context) -> None:
    """Print why a command with filter options has no runs to show, and the next command."""
    screen, filtered = get_output(context), not get_filter(context).is_empty
    pruned = 0 if filtered else runs_pruned()
    screen.print(render_no_runs(filtered=filtered, pruned=pruned))
    screen.print_hints(after_no_runs(filtered=filtered, pruned=pruned))
