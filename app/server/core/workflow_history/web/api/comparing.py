"""Runs side by side: two runs or a task in words in, what they share and where they differ out."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...answers.compare import compare_runs
from ...answers.similar import similar_runs
from ..replies import reply
from ..wanted import NARROWED, Wanted
from .described import gives
from .parameters import Reference, Shown, TaskText, Threshold

router = APIRouter(tags=["comparing"])


@router.get("/compare", summary="Two runs side by side", responses=gives("compare"))
def compare(request: Request, a: Reference, b: Reference) -> Response:
    """Return two runs phase by phase, and where their difference in cost comes from: all is B less A."""
    return reply(request, compare_runs(a, b))


@router.get(
    "/similar", summary="The runs most like a task", responses=gives("similar"), openapi_extra=NARROWED
)
def similar_to_text(
    request: Request, text: TaskText, where: Wanted, limit: Shown = 10, threshold: Threshold = None
) -> Response:
    """Return the runs most like a task that has not run yet, by its words alone, and why."""
    return reply(request, similar_runs(None, text, where, limit, threshold))
