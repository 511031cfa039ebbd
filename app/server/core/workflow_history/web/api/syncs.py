"""Route that lists the recorded syncs, latest first."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ...queries.sync_status import find_syncs
from ..json_response import json_response
from .openapi import schema_responses
from .runs import next_link

router = APIRouter(prefix="/syncs", tags=["syncs"])


@router.get("", summary="List recorded syncs", responses=schema_responses("syncs"))
def list_syncs(
    request: Request,
    limit: Annotated[int, Query(ge=0, le=200, description="Maximum number of syncs on the page.")] = 20,
    after: Annotated[
        str | None, Query(max_length=20, description="`next_cursor` of the previous page.")
    ] = None,
) -> Response:
    """Return the recorded syncs, latest first. Syncs that changed nothing are not recorded."""
    syncs = find_syncs(limit=limit, cursor=after)
    fields_by_name = {field.name: getattr(syncs, field.name) for field in fields(syncs)}
    return json_response(request, fields_by_name, next_link(request, syncs.next_cursor))
