"""`workflow-history anomalies`: recent regressions and improvements, and outlier runs."""

from __future__ import annotations

import shlex
from datetime import tzinfo
from typing import Annotated

import typer

from ...common.filter_options import parse_recent
from ...common.formatting.numbers import day
from ...common.time_zones import zone_named
from ...queries.anomalies import Anomalies, find_anomalies
from ..filter_options import FilteredCommand, get_filter, zone_of
from ..output import get_output
from ..render.anomalies import render_anomalies, render_sentences

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history anomalies
  workflow-history anomalies --recent 7d --template adw_sdlc_iso
  workflow-history anomalies --recent 50 --phase plan
  workflow-history anomalies --json | jq '.regressions[].sentence'
"""


@app.command(name="anomalies", epilog=EXAMPLES, cls=FilteredCommand)
def anomalies(
    context: typer.Context,
    recent: Annotated[
        str,
        typer.Option(metavar="AGE_OR_RUNS", help="What counts as lately: 7d, 4w, or a number of runs."),
    ] = "30d",
) -> None:
    """Tell what got worse or better lately, and which runs stand out.

    Compares cost, failures, duration, turns, cache hit rate and failed tool calls, by template and phase.

    "Lately" is counted back from the latest run. Changes that may be due to chance are left out.
    """
    screen = get_output(context)
    found = find_anomalies(get_filter(context), parse_recent(recent), tz=zone_of(context))
    zone = zone_named(zone_of(context))
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.print(*render_sentences(found.regressions))
    else:
        screen.print(render_anomalies(found, screen.width, zone))
        screen.print_hints(*_next(found, zone))


def _next(found: Anomalies, zone: tzinfo | None) -> list[tuple[str, str]]:
    steps = []
    for finding in (*found.regressions, *found.improvements)[:1]:
        if finding.runs:
            steps.append((f"workflow-history show {shlex.quote(finding.runs[0].id)}", "the most telling run"))
        if finding.template is not None:
            since = day(finding.since, zone)
            same = f"--template {shlex.quote(finding.template)} --since {since}"
            steps.append((f"workflow-history list {same}", "the runs since then"))
    if not steps and found.stand_outs:
        steps.append((f"workflow-history show {shlex.quote(found.stand_outs[0].id)}", "the one furthest out"))
    return steps
