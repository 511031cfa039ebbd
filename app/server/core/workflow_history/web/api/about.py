"""About the server itself: whether it can answer, and which shapes its answers have."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ... import database
from ...answers.schemas import PUBLISHED, schema_of
from ..replies import JSON, reply, tagged
from .described import gives, gives_object

router = APIRouter(tags=["about"])


@router.get("/health", summary="Whether the history can be read", responses=gives("health"))
def health(request: Request) -> Response:
    """Return that all is well; 503 where the database cannot be read."""
    return reply(request, {"ok": True, "database_version": database.schema_version()})


@router.get("/schemas", summary="The names of all schemas", responses=gives("schemas"))
def list_schemas(request: Request) -> Response:
    """Return what answers there are a schema of."""
    return reply(request, {"names": list(PUBLISHED)})


@router.get("/schemas/{name}", summary="One JSON Schema", responses=gives_object("A JSON Schema."))
def one_schema(
    request: Request, name: Annotated[str, Path(max_length=100, description="Its name.")]
) -> Response:
    """Return the JSON Schema of one answer."""
    if name not in PUBLISHED:
        raise HTTPException(404, f"no schema {name!r}; use one of: {', '.join(PUBLISHED)}")
    return tagged(request, msgspec.json.encode(schema_of(name)), JSON)


@router.get("/openapi.json", include_in_schema=False)
def description(request: Request) -> Response:
    """Return what may be asked, for programs."""
    return tagged(request, msgspec.json.encode(request.app.openapi()), JSON)
