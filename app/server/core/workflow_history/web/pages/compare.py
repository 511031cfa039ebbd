"""Page that compares two runs phase by phase, and the form to choose them."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...common.errors import AmbiguousWorkflowError, WorkflowHistoryError, WorkflowNotFoundError
from ...common.formatting.text import single_line
from ...presentation.comparison import comparison_notes, describe_cost_difference
from ...presentation.run_list import qualified_id
from ...queries.compare import compare_runs
from ...queries.similar import count_unindexed_runs, similar_runs
from ..rendering import page, url_for
from ..views import comparison

router = APIRouter()

PARTS: Final = ("text", "status", "cost", "duration")
"""Components of a similarity score, in the order of its bar."""

_LIKES: Final = 8  # similar runs that are offered
_AT_ONCE: Final = 2_000
"""Maximum of runs without a text vector to read while loading a page; more only on request (`likes=1`)."""


@router.get("/compare")
def compare(request: Request, a: str = "", b: str = "", likes: str = "") -> Response:
    """Return the comparison of two runs, or the form if one is missing, ambiguous or not found."""
    first, second = a.strip(), b.strip()
    try:
        if not (first and second):
            return _choose(request, first or second, wanted=likes == "1")
        found = compare_runs(first, second)
    except (AmbiguousWorkflowError, WorkflowNotFoundError) as error:
        return _again(request, first, second, error)
    names = [qualified_id({"id": side.id, "project": side.project}) for side in (found.a, found.b)]
    return page(
        request,
        "compare.html",
        found=found,
        heads=comparison.heads(found),
        sentence=describe_cost_difference(found),
        facts=comparison.facts(found),
        figures=comparison.figures(found),
        steps=comparison.steps(found),
        cost_from=comparison.contribution_rows(found.cost_from, "USD"),
        time_from=comparison.contribution_rows(found.duration_from, "seconds"),
        similarity=comparison.similarity(found),
        parts=PARTS,
        notes=[single_line(note) for note in comparison_notes(found)],
        swapped=url_for("/compare", {"a": names[1], "b": names[0]}),
        others=url_for("/compare", {"a": names[0]}),
    )


def _choose(request: Request, name: str, *, wanted: bool) -> Response:
    """Return the form; if one run is given, with the runs most similar to it."""
    return page(
        request,
        "compare_choose.html",
        given=name,
        other="",
        wrong="",
        meant=[],
        parts=PARTS,
        **_likes(name, wanted=wanted),
    )


def _again(request: Request, first: str, second: str, error: WorkflowHistoryError) -> Response:
    """Return the form as filled in, with the error and the candidates of an ambiguous id."""
    meant = []
    if isinstance(error, AmbiguousWorkflowError):
        given = {"a": first, "b": second}
        unclear = "b" if second == error.workflow_id else "a"
        meant = [(name, url_for("/compare", given, **{unclear: name})) for name in error.candidates]
    values: dict[str, Any] = {
        "given": first,
        "other": second,
        "wrong": single_line(str(error)),
        "meant": meant,
    }
    status = 409 if meant else 404
    return page(request, "compare_choose.html", status=status, found=None, unread=0, **values)


def _likes(name: str, *, wanted: bool) -> dict[str, Any]:
    if not name:
        return {"found": None, "rows": [], "unread": 0}
    unread = count_unindexed_runs()
    if unread > _AT_ONCE and not wanted:
        return {"found": None, "rows": [], "unread": unread}
    found = similar_runs(name, limit=_LIKES, threshold=0.0)
    own = qualified_id({"id": found.id, "project": found.project or ""})
    return {"found": found, "rows": comparison.similar_rows(found.runs, own), "unread": 0}
