"""`workflow-history forecast`: predict cost, duration and success of a run, before and while it runs."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ...common.errors import InvalidQueryError
from ...queries.forecast import Forecast, calibration, forecast, forecast_run
from ...queries.forecast.backtest import DEFAULT_RUNS
from ..common_options import HistoryCommand, OptionalRunId, decode_argument
from ..output import Output, get_output
from ..render.calibration import render_calibration
from ..render.forecast import headline, render_forecast
from ..render.forecast_run import render_run_forecast, run_headline

app = typer.Typer(add_completion=False)

MAX_TEXT_CHARS = 1_000_000  # characters that are read of a request

EXAMPLES = """
Examples:
  workflow-history forecast --text "Add CSV export to the orders page"
  workflow-history forecast --text "Fix the login" --workflow adw_plan_build --class bug
  workflow-history forecast --file issue.md --workflow adw_sdlc_iso
  workflow-history forecast a1b2c3d4
  workflow-history forecast --backtest
"""


@app.command(name="forecast", epilog=EXAMPLES, cls=HistoryCommand)
def forecast_command(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    run_id: OptionalRunId = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="TEXT", help="Request text; - reads standard input.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="PATH", help="Read the request from a file.")
    ] = None,
    template: Annotated[
        str | None, typer.Option("--workflow", metavar="NAME", help="Workflow that will run.")
    ] = None,
    issue_class: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help="Issue class, such as bug.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(metavar="NAME", help="Project the run will belong to.")
    ] = None,
    show_calibration: Annotated[
        bool,
        typer.Option("--backtest", help="Forecast stored runs from earlier runs; show the accuracy."),
    ] = False,
    all_runs: Annotated[
        bool, typer.Option("--all", help="With --backtest: all runs, not only the latest 2,000.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", metavar="N", help="List at most N comparable runs.", min=0)
    ] = 8,
) -> None:
    """Forecast cost, duration and success probability from past runs.

    For a request that has not run yet. With an ID: the remaining cost and duration of a running run, or the
    forecast at the start of a finished run. With too few comparable runs, prints the reason instead.

    With --quiet, prints one line.
    """
    output = get_output(context)
    has_request = text is not None or file is not None or template is not None
    if sum((has_request, run_id is not None, show_calibration)) != 1:
        raise InvalidQueryError(
            "Nothing to forecast, or several things. Use one of: a request (--text, --file, --workflow), "
            "a run ID, --backtest."
        )
    if show_calibration:
        _show_calibration(output, all_runs=all_runs)
    elif run_id is not None:
        _show_run_forecast(output, run_id, limit)
    else:
        request = _read_request(text, file)
        _show_forecast(output, forecast(request, template, issue_class, project, examples=limit))


def _read_request(text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise InvalidQueryError("--text and --file exclude each other. Use one of them.")
    if file is not None:
        try:
            with file.open(encoding="utf-8", errors="replace") as stream:
                return stream.read(MAX_TEXT_CHARS)
        except OSError as error:
            raise InvalidQueryError(f"Cannot read --file {file}: {error.strerror or error}.") from error
    return sys.stdin.read(MAX_TEXT_CHARS) if text == "-" or text is None else decode_argument(text)


def _show_forecast(output: Output, result: Forecast) -> None:
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        output.print(headline(result))
    else:
        output.print(render_forecast(result, output.width))
        output.print_hints(*_hints(result))


def _hints(result: Forecast) -> list[tuple[str, str]]:
    if not result.runs:
        return [("workflow-history sync path/to/project", "sync more runs to forecast from")]
    return [
        (f"workflow-history show {result.runs[0].id}", "the comparable run with the highest weight"),
        ("workflow-history forecast --backtest", "accuracy of forecasts of stored runs"),
    ]


def _show_run_forecast(output: Output, run_id: str, limit: int) -> None:
    result = forecast_run(run_id, examples=limit)
    if output.as_json:
        output.print_json(result)
    elif output.quiet:
        output.print(run_headline(result))
    else:
        output.print(render_run_forecast(result, output.width))


def _show_calibration(output: Output, *, all_runs: bool) -> None:
    with output.progress() as report:
        report_runs = None if report is None else partial(report, "forecast")
        result = calibration(None if all_runs else DEFAULT_RUNS, progress=report_runs)
    if output.as_json:
        output.print_json(result)
    else:
        output.print(render_calibration(result, output.width, brief=output.quiet))
