"""Two runs side by side, phase by phase; where one of both is missing, what to hold the other against."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...answers.compare import compare_runs
from ...answers.similar import similar_runs, uncompared_runs
from ...errors import AmbiguousWorkflowError, WorkflowHistoryError, WorkflowNotFoundError
from ...wording.comparing import cost_sentence, remarks
from ...wording.runs import full_id
from ...wording.text import one_line
from ..rendering import address, page
from ..views import comparing

router = APIRouter()

PARTS: Final = ("text", "status", "cost", "duration")
"""What a similarity is made of, in the order of its bar."""

_LIKES: Final = 8
_AT_ONCE: Final = 2_000
"""Runs without a text vector that are read while a page is waited for; more only where somebody asks."""


@router.get("/compare")
def compare(request: Request, a: str = "", b: str = "", likes: str = "") -> Response:
    """Return both side by side, or a form for what is missing."""
    first, second = a.strip(), b.strip()
    try:
        if not (first and second):
            return _choose(request, first or second, wanted=likes == "1")
        found = compare_runs(first, second)
    except (AmbiguousWorkflowError, WorkflowNotFoundError) as error:
        return _again(request, first, second, error)
    names = [full_id({"id": side.id, "project": side.project}) for side in (found.a, found.b)]
    return page(
        request,
        "compare.html",
        found=found,
        heads=comparing.heads(found),
        sentence=cost_sentence(found),
        facts=comparing.facts(found),
        figures=comparing.figures(found),
        steps=comparing.steps(found),
        cost_from=comparing.origins(found.cost_from, "USD"),
        time_from=comparing.origins(found.duration_from, "seconds"),
        similarity=comparing.similarity(found),
        parts=PARTS,
        notes=[one_line(note) for note in remarks(found)],
        swapped=address("/compare", {"a": names[1], "b": names[0]}),
        others=address("/compare", {"a": names[0]}),
    )


def _choose(request: Request, name: str, *, wanted: bool) -> Response:
    """Return the form; with one run, those that are most like it."""
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
    """Return the form as it was filled in, with what is wrong and the runs that may be meant."""
    meant = []
    if isinstance(error, AmbiguousWorkflowError):
        given = {"a": first, "b": second}
        unclear = "b" if second == error.workflow_id else "a"
        meant = [(name, address("/compare", given, **{unclear: name})) for name in error.candidates]
    values: dict[str, Any] = {"given": first, "other": second, "wrong": one_line(str(error)), "meant": meant}
    status = 409 if meant else 404
    return page(request, "compare_choose.html", status=status, found=None, unread=0, **values)


def _likes(name: str, *, wanted: bool) -> dict[str, Any]:
    if not name:
        return {"found": None, "rows": [], "unread": 0}
    unread = uncompared_runs()
    if unread > _AT_ONCE and not wanted:
        return {"found": None, "rows": [], "unread": unread}
    found = similar_runs(name, limit=_LIKES, threshold=0.0)
    own = full_id({"id": found.id, "project": found.project or ""})
    return {"found": found, "rows": comparing.likes(found.runs, own), "unread": 0}
