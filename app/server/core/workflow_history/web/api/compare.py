"""Routes that compare two runs, and find past runs similar to a task."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...queries.compare import compare_runs
from ...queries.similar import similar_runs
from ..filter_params import FILTER_OPENAPI, FilterDep
from ..json_response import json_response
from .openapi import schema_responses
from .parameters import Limit, Reference, TaskText, Threshold

router = APIRouter(tags=["comparisons"])


@router.get("/compare", summary="Compare two runs", responses=schema_responses("compare"))
def compare(request: Request, a: Reference, b: Reference) -> Response:
    """Compare two runs phase by phase, and attribute their cost difference. All differences are B minus A."""
    return json_response(request, compare_runs(a, b))


@router.get(
    "/similar",
    summary="List runs similar to a task",
    responses=schema_responses("similar"),
    openapi_extra=FILTER_OPENAPI,
)
def similar_to_text(
    request: Request, text: TaskText, where: FilterDep, limit: Limit = 10, threshold: Threshold = None
) -> Response:
    """Return the runs most similar to the text of a task that has not run yet, with the reasons."""
    return json_response(request, similar_runs(None, text, where, limit, threshold))
