"""`workflow-history forecast`: predict cost, duration and success of a run, before and while it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ...common.errors import InvalidQueryError
from ...queries.forecast import Forecast, calibration, forecast, forecast_run
from ...queries.forecast.backtest import DEFAULT_RUNS
from ..common_options import HistoryCommand, decode_argument
from ..output import Output, get_output
from ..render.calibration import render_calibration
from ..render.forecast import headline, render_forecast
from ..render.forecast_run import render_run_forecast, run_headline

app = typer.Typer(add_completion=False)

MAX_TEXT_CHARS = 1_000_000  # characters that are read of a request

EXAMPLES = """
Examples:
  workflow-history forecast --text "Add CSV export to the orders page"
  workflow-history forecast --text "Fix the login" --template adw_plan_build --class bug
  workflow-history forecast --file issue.md --template adw_sdlc_iso
  workflow-history forecast a1b2c3d4
  workflow-history forecast --calibration
"""


@app.command(name="forecast", epilog=EXAMPLES, cls=HistoryCommand)
def tell(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID]", help="A stored run: its id, project/id, or a beginning that only it has."
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="The request; - reads standard input.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="PATH", help="Read the request from a file.")
    ] = None,
    template: Annotated[str | None, typer.Option(metavar="NAME", help="The workflow that will run.")] = None,
    issue_class: Annotated[
        str | None, typer.Option("--class", metavar="WORD", help="The class of the issue, such as bug.")
    ] = None,
    project: Annotated[str | None, typer.Option(metavar="NAME", help="The project it will run in.")] = None,
    held: Annotated[
        bool,
        typer.Option("--calibration", help="Show how forecasts of the stored runs held."),
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="With --calibration: forecast all runs, not the latest 2,000.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", help="Name at most this many past runs.", min=0)
    ] = 8,
) -> None:
    """Tell what a run will cost and take, and how likely it succeeds, from past runs.

    For a request that has not run yet. With an ID: for a running run the remaining cost and time, for an
    ended run the forecast it would have had. With too few comparable runs, it gives a reason and no number.
    """
    screen = get_output(context)
    asked = [text is not None or file is not None or template is not None, run_id is not None, held]
    if sum(asked) != 1:
        raise InvalidQueryError(
            "say one of: a request (--text, --file, --template), a run's ID, --calibration"
        )
    if held:
        _show_calibration(screen, every=every)
    elif run_id is not None:
        _show_run(screen, run_id, limit)
    else:
        request = _request(text, file)
        _show_forecast(screen, forecast(request, template, issue_class, project, examples=limit))


def _request(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise InvalidQueryError("say --text or --file, not both")
    if file is not None:
        try:
            with file.open(encoding="utf-8", errors="replace") as stream:
                return stream.read(MAX_TEXT_CHARS)
        except OSError as error:
            raise InvalidQueryError(f"cannot read {file}: {error.strerror or error}") from error
    return sys.stdin.read(MAX_TEXT_CHARS) if text == "-" or text is None else decode_argument(text)


def _show_forecast(screen: Output, found: Forecast) -> None:
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.print(headline(found))
    else:
        screen.print(render_forecast(found, screen.width))
        screen.print_hints(*_next(found))


def _next(found: Forecast) -> list[tuple[str, str]]:
    if not found.runs:
        return [("workflow-history list", "the runs there are")]
    steps = [(f"workflow-history show {found.runs[0].id}", "the run that counts most")]
    return [*steps, ("workflow-history forecast --calibration", "how well such forecasts held")]


def _show_run(screen: Output, run_id: str, limit: int) -> None:
    found = forecast_run(run_id, examples=limit)
    if screen.as_json:
        screen.answer(found)
    elif screen.quiet:
        screen.print(run_headline(found))
    else:
        screen.print(render_run_forecast(found, screen.width))


def _show_calibration(screen: Output, *, every: bool) -> None:
    with screen.progress() as report:
        told = None if report is None else (lambda done, total: report("forecast", done, total))
        found = calibration(None if every else DEFAULT_RUNS, progress=told)
    if screen.as_json:
        screen.answer(found)
    else:
        screen.print(render_calibration(found, screen.width, brief=screen.quiet))
