"""`workflow-history patterns`: recurring operations, their estimated savings, and decisions on them."""

from __future__ import annotations

from typing import Annotated

import typer

from ...analysis.patterns.savings import DEFAULT_RESIDUAL_COST
from ...common.models import PatternStatus
from ...common.time_zones import zone_named
from ...presentation.patterns import short_id
from ...queries.pattern_records import PatternDetail, PatternReport, RankedPattern
from ...queries.patterns import (
    DEFAULT_EXAMPLES,
    DEFAULT_STATUSES,
    PATTERN_KINDS,
    PATTERN_STATUSES,
    decide_pattern,
    find_patterns,
    show_pattern,
)
from ..common_options import HistoryCommand, decode_argument, require_named_history
from ..filter_options import FilteredCommand, FilteredGroup, get_filter, get_time_zone
from ..no_runs import show_no_runs
from ..output import get_output
from ..render.pattern_detail import render_pattern_detail, render_pattern_line
from ..render.patterns import render_decision, render_patterns

EXAMPLES = """
Examples:
  workflow-history patterns
  workflow-history patterns --project shop --since 30d
  workflow-history patterns --residual-cost 0.1 --kind sequence
  workflow-history patterns show 33e9fc27
  workflow-history patterns dismiss 33e9fc27 --note "different each time"
  workflow-history patterns --json | jq '.patterns[] | [.signature, .saved]'
"""

DEFAULT_LIMIT = 20

PatternId = Annotated[
    str,
    typer.Argument(
        metavar="PATTERN_ID", help="Pattern ID, a unique prefix of four digits or more, or the signature."
    ),
]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Reason, stored with the decision.")]
RemainingShare = Annotated[
    float,
    typer.Option(
        "--residual-cost",
        metavar="SHARE",
        help="Share of the cost that remains with a script; at least one call of a sequence.",
    ),
]

app = typer.Typer(
    cls=FilteredGroup,
    add_completion=False,
    invoke_without_command=True,
    no_args_is_help=False,
    epilog=EXAMPLES,
)


@app.callback()
def patterns(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            metavar="N",
            help="Show at most N patterns; default: 20, with --all every one.",
            min=1,
        ),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help=f"Only {', '.join(PATTERN_KINDS)}. Repeatable."),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="STATUS", help=f"Only {', '.join(PATTERN_STATUSES)}. Repeatable."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also show phases, the agents' own tools and covered patterns."),
    ] = False,
    residual_cost: RemainingShare = DEFAULT_RESIDUAL_COST,
) -> None:
    """List recurring operations and the savings of a script in their place.

    Ranked by risk-adjusted savings. Not shown: dismissed patterns, and without --all the agents' own tools
    (reading, editing, planning) and patterns that another pattern covers.

    With --quiet, prints pattern IDs only.
    """
    if context.invoked_subcommand is not None:
        return
    require_named_history()
    output = get_output(context)
    result = find_patterns(
        get_filter(context),
        kinds=kind,
        statuses=state or DEFAULT_STATUSES,
        limit=DEFAULT_LIMIT if limit is None and not everything else limit,
        residual_cost=residual_cost,
        everything=everything,
    )
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        output.print(*(pattern.id for pattern in result.patterns))
    elif not result.span.runs:
        show_no_runs(context)
    else:
        output.print(render_patterns(result, output.width, zone_named(get_time_zone(context))))
        output.print_hints(*_list_hints(result))


def _list_hints(result: PatternReport) -> list[tuple[str, str]]:
    if not result.patterns:
        return [("workflow-history patterns --all", "all recurring operations")]
    first = short_id(result.patterns[0].id)
    hints = [(f"workflow-history patterns show {first}", "see occurrences and ranking")]
    undecided = next(filter(_needs_decision, result.patterns), None)
    return hints if undecided is None else [*hints, *_decision_hints(undecided)]


def _needs_decision(pattern: RankedPattern) -> bool:
    """Return whether the pattern is undecided, scriptable and not covered by another pattern."""
    return pattern.status == PatternStatus.DETECTED and pattern.scriptable and pattern.covered_by is None


def _decision_hints(pattern: RankedPattern) -> list[tuple[str, str]]:
    return [
        (f"workflow-history patterns accept {short_id(pattern.id)}", "mark as worth automating"),
        (f"workflow-history patterns dismiss {short_id(pattern.id)}", "hide from this list"),
    ]


@app.command(
    epilog="Example: workflow-history patterns show 33e9fc27 --since 30d --residual-cost 0.1",
    cls=FilteredCommand,
)
def show(
    context: typer.Context,
    pattern: PatternId,
    examples: Annotated[
        int, typer.Option(metavar="N", help="List at most N occurrences.", min=1)
    ] = DEFAULT_EXAMPLES,
    residual_cost: RemainingShare = DEFAULT_RESIDUAL_COST,
) -> None:
    """Show one pattern: its cost, the estimated savings of a script, and where it occurs."""
    output = get_output(context)
    result = show_pattern(pattern, get_filter(context), residual_cost=residual_cost, examples=examples)
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        output.print(render_pattern_line(result))
    else:
        output.print(render_pattern_detail(result, output.width, zone_named(get_time_zone(context))))
        output.print_hints(*_pattern_hints(result))


def _pattern_hints(result: PatternDetail) -> list[tuple[str, str]]:
    pattern = result.pattern
    hints = [(f"workflow-history list --pattern {short_id(pattern.id)}", "runs with this pattern")]
    if pattern.status == PatternStatus.DETECTED:
        return [*hints, *_decision_hints(pattern)]
    return [*hints, (f"workflow-history patterns reset {short_id(pattern.id)}", "clear the decision")]


@app.command(
    epilog='Example: workflow-history patterns accept 33e9fc27 --note "make check does it"',
    cls=HistoryCommand,
)
def accept(context: typer.Context, pattern: PatternId, note: Note = None) -> None:
    """Mark a pattern as worth automating. Later syncs keep the decision."""
    _decide(context, pattern, PatternStatus.ACCEPTED, note)


@app.command(
    epilog='Example: workflow-history patterns dismiss 33e9fc27 --note "different each time"',
    cls=HistoryCommand,
)
def dismiss(context: typer.Context, pattern: PatternId, note: Note = None) -> None:
    """Hide a pattern and the patterns it covers. Later syncs keep the decision."""
    _decide(context, pattern, PatternStatus.DISMISSED, note)


@app.command(epilog="Example: workflow-history patterns reset 33e9fc27", cls=HistoryCommand)
def reset(context: typer.Context, pattern: PatternId) -> None:
    """Clear the decision on a pattern."""
    _decide(context, pattern, PatternStatus.DETECTED, None)


def _decide(context: typer.Context, pattern: str, status: PatternStatus, note: str | None) -> None:
    output = get_output(context)
    decision = decide_pattern(
        pattern, status, None if note is None else decode_argument(note)
    )  # one of the three above
    if output.as_json:
        output.print_json(decision)
    elif not output.quiet:
        output.print(render_decision(decision))
        if decision.status == PatternStatus.DETECTED:
            output.print_hints(("workflow-history patterns", "list patterns"))
        else:
            output.print_hints(
                (f"workflow-history patterns reset {short_id(decision.id)}", "clear the decision")
            )
