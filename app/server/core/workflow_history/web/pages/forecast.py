"""Pages with the forecast of a new task and of a stored run: cost, duration and success."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...common.errors import InvalidQueryError
from ...common.filters import RunFilter
from ...common.formatting.text import single_line, truncate
from ...presentation.forecast import VERDICT_LABELS, headline, run_headline
from ...queries.forecast import CalibrationReport, calibration, forecast, forecast_run
from ...queries.list_runs import list_run_summaries
from ..api.parameters import MAX_TEXT_CHARS, Project, RunId, qualified_id
from ..context import ContextDep
from ..rendering import page
from ..views import calibration as calibrating
from ..views import forecast as forecasting
from ..views.filter_form import SelectField

router = APIRouter()

_SHOWN: Final = 30  # comparable runs that are drawn and listed
_RUNNING: Final = 10  # running runs that are listed
_FIELDS: Final = (("template", "Workflow", "template"), ("class", "Class", "issue_class"),
                  ("project", "Project", "project"))  # fmt: skip
_MOST_WORDS: Final = 300  # options of one field


@router.get("/forecast")
def new_task(request: Request, here: ContextDep) -> Response:
    """Return the form for a new task and, if it is filled in, its forecast."""
    given = {name: value.strip() for name, value in request.query_params.items()}
    text = given.get("text") or None
    if text is not None and len(text) > MAX_TEXT_CHARS:
        raise InvalidQueryError(
            f"a task has at most {MAX_TEXT_CHARS:,} characters here; forecast --file takes a longer one"
        )
    asked = text is not None or bool(given.get("template"))
    found = (
        forecast(
            text,
            given.get("template") or None,
            given.get("class") or None,
            given.get("project") or None,
            examples=_SHOWN,
        )
        if asked
        else None
    )
    return page(
        request,
        "forecast.html",
        text=text or "",
        fields=_fields(given, here.words.all()),
        found=found,
        headline=headline(found) if found else None,
        running=list_run_summaries(RunFilter(status=("running",)), limit=_RUNNING).workflows,
        empty=not any(here.words.all().values()),
        **_shown(found),
        **(_calibration(here.kept(calibration)) if given.get("calibration") == "1" else _NOT_CALIBRATED),
    )


@router.get("/runs/{id:run}/forecast")
def stored_run(request: Request, run_id: RunId, project: Project = None) -> Response:
    """Return the forecast from a run's start and, for a running run, the remaining cost and duration."""
    found = forecast_run(qualified_id(run_id, project), examples=_SHOWN)
    flight = found.flight
    return page(
        request,
        "forecast_run.html",
        found=found,
        run={"id": found.id, "project": found.project},
        name=truncate(single_line(found.id), 48),
        headline=run_headline(found),
        verdicts=VERDICT_LABELS,
        flight=flight,
        flight_plots=[] if flight is None else forecasting.remaining_plots(flight),
        flight_chance=None if flight is None else forecasting.chance(flight.success),
        **_shown(found.forecast, (found.cost, found.duration_seconds)),
    )


def _shown(found: Any, came: tuple[float | None, float | None] = (None, None)) -> dict[str, Any]:
    """Return the template values of a forecast; `came` is the actual cost in USD and duration in seconds."""
    if found is None:
        return {"plots": [], "chance": None, "phases": [], "rests": [], "weak": ()}
    return {
        "plots": forecasting.plots(found, came),
        "chance": forecasting.chance(found.success),
        "phases": forecasting.phases(found.phases),
        "rests": forecasting.runs(found.runs),
        "weak": [single_line(line) for line in found.weak],
    }


def _fields(given: Mapping[str, str], words: Mapping[str, Sequence[str]]) -> list[SelectField]:
    """Return the select fields that have at least one option."""
    fields = []
    for name, label, column in _FIELDS:
        chosen = given.get(name, "")
        known = [
            one.removeprefix("/") if name == "class" else one for one in words.get(column, ())[:_MOST_WORDS]
        ]
        options = dict.fromkeys([*known, *([chosen] if chosen else [])])
        if options:
            shown = (("", "any"), *((one, truncate(single_line(one), 44)) for one in options))
            fields.append(SelectField(name, label, shown, chosen))
    return fields


def _calibration(found: CalibrationReport) -> dict[str, Any]:
    return {
        "calibrated": found,
        "held": calibrating.figures(found),
        "chances": calibrating.chances(found),
        "by_template": calibrating.templates(found),
    }


_NOT_CALIBRATED: Final[dict[str, Any]] = {"calibrated": None, "held": [], "chances": [], "by_template": []}
