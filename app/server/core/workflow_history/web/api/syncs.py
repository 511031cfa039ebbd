"""The syncs on record: a page of them, the latest first."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...answers.syncs import find_syncs
from ..replies import reply
from .described import gives
from .runs import next_page

router = APIRouter(prefix="/syncs", tags=["syncs"])


@router.get("", summary="A page of syncs", responses=gives("syncs"))
def list_syncs(
    request: Request,
    limit: Annotated[int, Query(ge=0, le=200, description="Syncs on the page, at most.")] = 20,
    after: Annotated[
        str | None, Query(max_length=20, description="The `next_cursor` of the page before.")
    ] = None,
) -> Response:
    """Return the syncs on record, the latest first; one that changed nothing is not on record."""
    found = find_syncs(limit=limit, cursor=after)
    answer = {field.name: getattr(found, field.name) for field in fields(found)}
    return reply(request, answer, next_page(request, found.next_cursor))
