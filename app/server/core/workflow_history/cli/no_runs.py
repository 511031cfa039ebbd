"""Explain an empty result: no runs, the reason and the next command."""

from __future__ import annotations

import typer
from rich.text import Text

from ..presentation.sync_summary import all_pruned_message
from ..queries.list_runs import runs_pruned
from .filter_options import get_filter
from .output import get_output


def show_no_runs(context: typer.Context) -> None:
    """Print why a command with filter options has no runs to show, and the next command."""
    if not get_filter(context).is_empty:
        message, hint = "No run matches.", ("workflow-history list", "all runs")
    elif pruned := runs_pruned():
        message, hint = all_pruned_message(pruned, "this history"), None
    else:
        message, hint = "No runs yet.", ("workflow-history sync path/to/project", "sync a project's runs")
    output = get_output(context)
    output.print(Text(message))
    output.print_hints(*([hint] if hint else []))
