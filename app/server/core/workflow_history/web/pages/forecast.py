"""Pages with the forecast of a new task and of a stored run: cost, duration and success."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...common.errors import InvalidQueryError
from ...common.filters import RunFilter
from ...common.formatting.text import single_line, truncate
from ...common.models import RunStatus
from ...presentation.forecast import VERDICT_LABELS, headline, run_headline
from ...queries.forecast import CalibrationReport, calibration, forecast, forecast_run
from ...queries.list_runs import list_run_summaries
from ..api.parameters import MAX_TEXT_CHARS, Project, RunId, qualified_id
from ..caches import filter_choices
from ..context import ContextDep
from ..rendering import render_page
from ..views import calibration as calibration_view
from ..views import forecast as forecast_view
from ..views.filter_form import SelectField

router = APIRouter()

_MAX_RUNS: Final = 30  # comparable runs that are drawn and listed
_MAX_RUNNING: Final = 10  # running runs that are listed
_FIELDS: Final = (("workflow", "Workflow"), ("class", "Issue class"), ("project", "Project"))
_MAX_OPTIONS: Final = 300  # options of one field


@router.get("/forecast")
def new_task(request: Request, context: ContextDep) -> Response:
    """Return the form for a new task and, if it is filled in, its forecast."""
    params = {name: value.strip() for name, value in request.query_params.items()}
    text = params.get("text") or None
    if text is not None and len(text) > MAX_TEXT_CHARS:
        raise InvalidQueryError(
            f"Request too long: at most {MAX_TEXT_CHARS:,} characters here. For a longer one, use "
            "workflow-history forecast --file FILE."
        )
    template = params.get("workflow") or params.get("template") or None  # "template" is its former name
    result = None
    if text is not None or template is not None:
        issue_class, project = params.get("class") or None, params.get("project") or None
        result = forecast(text, template, issue_class, project, examples=_MAX_RUNS)
    return render_page(
        request,
        "forecast.html",
        text=text or "",
        fields=_select_fields(params, context.query_cache(filter_choices)),
        forecast=result,
        headline=headline(result) if result else None,
        running=list_run_summaries(RunFilter(status=(RunStatus.RUNNING,)), limit=_MAX_RUNNING).workflows,
        history_is_empty=not any(context.query_cache(filter_choices).values()),
        **_forecast_values(result),
        **(
            _calibration_values(context.query_cache(calibration))
            if params.get("calibration") == "1"
            else _NOT_CALIBRATED
        ),
    )


@router.get("/runs/{id:run}/forecast")
def stored_run(request: Request, run_id: RunId, project: Project = None) -> Response:
    """Return the forecast from a run's start and, for a running run, the remaining cost and duration."""
    result = forecast_run(qualified_id(run_id, project), examples=_MAX_RUNS)
    remaining = result.flight
    return render_page(
        request,
        "forecast_run.html",
        run_forecast=result,
        run={"id": result.id, "project": result.project},
        name=truncate(single_line(result.id), 48),
        headline=run_headline(result),
        verdicts=VERDICT_LABELS,
        remaining=remaining,
        remaining_plots=[] if remaining is None else forecast_view.remaining_plots(remaining),
        remaining_success=None if remaining is None else forecast_view.success_view(remaining.success),
        **_forecast_values(result.forecast, (result.cost, result.duration_seconds)),
    )


def _forecast_values(result: Any, actual: tuple[float | None, float | None] = (None, None)) -> dict[str, Any]:
    """Return the template values of a forecast; `actual` has the actual cost (USD) and duration (seconds)."""
    if result is None:
        return {"plots": [], "success": None, "phases": [], "comparable_runs": [], "caveats": ()}
    return {
        "plots": forecast_view.estimate_plots(result, actual),
        "success": forecast_view.success_view(result.success),
        "phases": forecast_view.phase_rows(result.phases),
        "comparable_runs": forecast_view.comparable_rows(result.runs),
        "caveats": [single_line(line) for line in result.weak],
    }


def _select_fields(params: Mapping[str, str], choices: Mapping[str, Sequence[str]]) -> list[SelectField]:
    """Return the select fields that have at least one option."""
    fields = []
    for name, label in _FIELDS:
        chosen = params.get(name, "")
        values = [
            value.removeprefix("/") if name == "class" else value
            for value in choices.get(name, ())[:_MAX_OPTIONS]
        ]
        if chosen and chosen not in values:
            values.append(chosen)
        if values:
            labels = ((value, truncate(single_line(value), 44)) for value in dict.fromkeys(values))
            fields.append(SelectField(name, label, (("", "any"), *labels), chosen))
    return fields


def _calibration_values(report: CalibrationReport) -> dict[str, Any]:
    return {
        "calibration": report,
        "calibrated_metrics": calibration_view.metric_views(report),
        "success_rows": calibration_view.probability_rows(report),
        "coverage_by_template": calibration_view.coverage_by_template(report),
    }


_NOT_CALIBRATED: Final[dict[str, Any]] = {
    "calibration": None,
    "calibrated_metrics": [],
    "success_rows": [],
    "coverage_by_template": [],
}
