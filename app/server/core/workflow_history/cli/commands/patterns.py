"""`workflow-history patterns`: what agents do again and again, what a script would save, what was decided."""

from __future__ import annotations

from typing import Annotated

import typer

from ...answers.automate import (
    KINDS,
    SHOWN_EXAMPLES,
    STATUSES,
    USUAL_STATUSES,
    decide_pattern,
    find_patterns,
    show_pattern,
)
from ...answers.pattern_shapes import Patterns, PatternStory, RankedPattern
from ...patterns.savings import KEEP_SHARE
from ...wording.patterns import short_id
from ...zones import zone_named
from ..empty import show_no_runs
from ..filtering import FilterCommand, FilterGroup, filter_of, zone_of
from ..options import AskingCommand, check_named, typed
from ..render.pattern_story import pattern_story, story_line
from ..render.patterns import decision_line, pattern_list
from ..screen import screen_of

EXAMPLES = """
Examples:
  workflow-history patterns
  workflow-history patterns --project shop --since 30d
  workflow-history patterns --keep-share 0.1 --kind sequence
  workflow-history patterns show 33e9fc27
  workflow-history patterns dismiss 33e9fc27 --note "different each time"
  workflow-history patterns --json | jq '.patterns[] | [.signature, .saved]'
"""

USUAL_LIMIT = 20

PatternId = Annotated[
    str,
    typer.Argument(
        metavar="PATTERN_ID", help="Its id, a beginning of four digits or more, or its signature."
    ),
]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="Why; kept with it.")]
KeepShare = Annotated[
    float,
    typer.Option(
        "--keep-share",
        metavar="SHARE",
        help="This share of the cost stays with a script, of a sequence no less than one call.",
    ),
]

app = typer.Typer(
    cls=FilterGroup, add_completion=False, invoke_without_command=True, no_args_is_help=False, epilog=EXAMPLES
)


@app.callback()
def patterns(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", metavar="N", help="At most this many; 20, all with --all.", min=1),
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help=f"Only {', '.join(KINDS)}; may be repeated."),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="WORD", help=f"Only {', '.join(STATUSES)}; may be repeated."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also phases, the agents' own tools, and what tells the same."),
    ] = False,
    keep_share: KeepShare = KEEP_SHARE,
) -> None:
    """Tell what agents do again and again, and what a script would save.

    Where a script is worth most comes first; what was dismissed is left out.

    So are the agents' own tools (reading, editing, planning) and what tells the same again.
    """
    if context.invoked_subcommand is not None:
        return
    check_named()
    screen, wanted = screen_of(context), filter_of(context)
    found = find_patterns(
        wanted,
        kinds=kind,  # type: ignore[arg-type]  # words are checked there
        statuses=state or USUAL_STATUSES,  # type: ignore[arg-type]
        limit=USUAL_LIMIT if limit is None and not everything else limit,
        keep_share=keep_share,
        everything=everything,
    )
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.show(*(one.id for one in found.patterns))
    elif not found.span.runs:
        show_no_runs(context)
    else:
        screen.show(pattern_list(found, screen.width, zone_named(zone_of(context))))
        screen.next_steps(*_next(found))


def _next(found: Patterns) -> list[tuple[str, str]]:
    if not found.patterns:
        return [("workflow-history patterns --all", "everything that recurs")]
    told = [
        (f"workflow-history patterns show {short_id(found.patterns[0].id)}", "where, and why it is first")
    ]
    undecided = [short_id(one.id) for one in found.patterns if _is_open(one)]
    for name in undecided[:1]:
        told += [
            (f"workflow-history patterns accept {name}", "a script is to do it"),
            (f"workflow-history patterns dismiss {name}", "not to be shown again"),
        ]
    return told


def _is_open(one: RankedPattern) -> bool:
    """Tell whether it is still to be decided, and no other pattern tells its work already."""
    return one.status == "detected" and one.scriptable and one.part_of is None


@app.command(
    epilog="Example: workflow-history patterns show 33e9fc27 --since 30d --keep-share 0.1", cls=FilterCommand
)
def show(
    context: typer.Context,
    pattern: PatternId,
    examples: Annotated[
        int, typer.Option(metavar="N", help="Name at most this many places.", min=1)
    ] = SHOWN_EXAMPLES,
    keep_share: KeepShare = KEEP_SHARE,
) -> None:
    """Show one pattern: what it costs, what a script would save, and where to look at it."""
    screen = screen_of(context)
    found = show_pattern(pattern, filter_of(context), keep_share=keep_share, examples=examples)
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.show(story_line(found))
    else:
        screen.show(pattern_story(found, screen.width, zone_named(zone_of(context))))
        screen.next_steps(*_after(found))


def _after(found: PatternStory) -> list[tuple[str, str]]:
    one = found.pattern
    steps = [(f"workflow-history list --pattern {short_id(one.id)}", "the runs that show it")]
    if one.status == "detected":
        steps += [
            (f"workflow-history patterns accept {short_id(one.id)}", "a script is to do it"),
            (f"workflow-history patterns dismiss {short_id(one.id)}", "not to be shown again"),
        ]
    else:
        steps.append((f"workflow-history patterns reset {short_id(one.id)}", "take that back"))
    return steps


@app.command(
    epilog='Example: workflow-history patterns accept 33e9fc27 --note "make check does it"', cls=AskingCommand
)
def accept(context: typer.Context, pattern: PatternId, note: Note = None) -> None:
    """Note that a script is to do it; it stays in the list, marked. Syncs keep that."""
    _decide(context, pattern, "accepted", note)


@app.command(
    epilog='Example: workflow-history patterns dismiss 33e9fc27 --note "different each time"',
    cls=AskingCommand,
)
def dismiss(context: typer.Context, pattern: PatternId, note: Note = None) -> None:
    """Take it out of the list, with all that it tells of; syncs keep that."""
    _decide(context, pattern, "dismissed", note)


@app.command(epilog="Example: workflow-history patterns reset 33e9fc27", cls=AskingCommand)
def reset(context: typer.Context, pattern: PatternId) -> None:
    """Take back what was decided of it."""
    _decide(context, pattern, "detected", None)


def _decide(context: typer.Context, pattern: str, status: str, note: str | None) -> None:
    screen = screen_of(context)
    made = decide_pattern(pattern, status, None if note is None else typed(note))  # type: ignore[arg-type]  # one of the three above
    if screen.as_json:
        screen.answer(made)
    elif not screen.quiet:
        screen.show(decision_line(made))
        if made.status == "detected":
            screen.next_steps(("workflow-history patterns", "what recurs"))
        else:
            screen.next_steps((f"workflow-history patterns reset {short_id(made.id)}", "take that back"))
