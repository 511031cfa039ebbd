"""Page that compares two runs phase by phase, and the form to choose them."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...common.errors import AmbiguousWorkflowError, WorkflowNotFoundError
from ...common.formatting.text import single_line
from ...presentation.comparison import comparison_notes, describe_cost_difference
from ...presentation.run_list import qualified_id
from ...queries.compare import compare_runs
from ...queries.similar import count_unindexed_runs, similar_runs
from ..caches import filter_choices
from ..context import Context, ContextDep
from ..rendering import render_page, url_for
from ..views import comparison as comparison_view

router = APIRouter()

SCORE_COMPONENTS: Final = ("text", "status", "cost", "duration")
"""Components of a similarity score, in the order of its bar."""

_MAX_SIMILAR: Final = 8  # similar runs that are offered
_MAX_UNINDEXED: Final = 2_000
"""Maximum of runs without a text vector to read while loading a page; more only on request (`likes=1`)."""


@router.get("/compare")
def compare(request: Request, context: ContextDep, a: str = "", b: str = "", likes: str = "") -> Response:
    """Return the comparison of two runs, or the form if one is missing, ambiguous or not found."""
    a, b = a.strip(), b.strip()
    try:
        if not (a and b):
            return _choose_page(request, context, a or b, compute=likes == "1")
        comparison = compare_runs(a, b)
    except (AmbiguousWorkflowError, WorkflowNotFoundError) as error:
        return _retry_page(request, a, b, error)
    names = [qualified_id({"id": side.id, "project": side.project}) for side in (comparison.a, comparison.b)]
    return render_page(
        request,
        "compare.html",
        comparison=comparison,
        headers=comparison_view.run_headers(comparison),
        sentence=describe_cost_difference(comparison),
        facts=comparison_view.fact_rows(comparison),
        metrics=comparison_view.metric_rows(comparison),
        steps=comparison_view.step_rows(comparison),
        cost_from=comparison_view.contribution_rows(comparison.cost_from, "USD"),
        time_from=comparison_view.contribution_rows(comparison.duration_from, "seconds"),
        similarity_bar=comparison_view.similarity_bar(comparison),
        score_components=SCORE_COMPONENTS,
        notes=[single_line(note) for note in comparison_notes(comparison)],
        swapped_url=url_for("/compare", {"a": names[1], "b": names[0]}),
        choose_url=url_for("/compare", {"a": names[0]}),
    )


def _choose_page(request: Request, context: Context, name: str, *, compute: bool) -> Response:
    """Return the form; if one run is given, with the runs most similar to it."""
    return render_page(
        request,
        "compare_choose.html",
        a=name,
        b="",
        error="",
        candidates=[],
        history_is_empty=not any(context.query_cache(filter_choices).values()),
        score_components=SCORE_COMPONENTS,
        **_similar_values(name, compute=compute),
    )


def _retry_page(
    request: Request, a: str, b: str, error: AmbiguousWorkflowError | WorkflowNotFoundError
) -> Response:
    """Return the form as filled in, with the error and the runs that may be meant."""
    if isinstance(error, AmbiguousWorkflowError):
        status, message, wrong, names = 409, str(error), error.workflow_id, error.candidates
    else:
        status, message, wrong, names = 404, error.problem, error.reference, error.suggestions
    side = "b" if b == wrong else "a"
    values: dict[str, Any] = {
        "a": a,
        "b": b,
        "error": single_line(message),
        "candidates": [(name, url_for("/compare", {"a": a, "b": b}, **{side: name})) for name in names],
        "history_is_empty": False,
    }
    return render_page(request, "compare_choose.html", status=status, similar=None, unindexed=0, **values)


def _similar_values(name: str, *, compute: bool) -> dict[str, Any]:
    if not name:
        return {"similar": None, "rows": [], "unindexed": 0}
    unindexed = count_unindexed_runs()
    if unindexed > _MAX_UNINDEXED and not compute:
        return {"similar": None, "rows": [], "unindexed": unindexed}
    similar = similar_runs(name, limit=_MAX_SIMILAR, threshold=0.0)
    own = qualified_id({"id": similar.id, "project": similar.project or ""})
    return {"similar": similar, "rows": comparison_view.similar_rows(similar.runs, own), "unindexed": 0}
