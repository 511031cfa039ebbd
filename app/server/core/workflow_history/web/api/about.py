"""Routes about the server: health check, JSON Schemas and the OpenAPI description."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ... import database
from ...queries.json.schemas import SCHEMAS, get_schema
from ...queries.json.types import Health, SchemaNames
from ..json_response import JSON, etag_response, json_response
from .openapi import object_responses, schema_responses

router = APIRouter(tags=["about"])


@router.get("/health", summary="Check the server", responses=schema_responses("health"))
def health(request: Request) -> Response:
    """Return `ok` and the version of the database schema; 503 if the database cannot be read."""
    return json_response(request, Health(ok=True, database_version=database.schema_version()))


@router.get("/schemas", summary="List JSON Schemas", responses=schema_responses("schemas"))
def list_schemas(request: Request) -> Response:
    """Return the names of all JSON Schemas, one for each kind of response."""
    return json_response(request, SchemaNames(list(SCHEMAS)))


@router.get("/schemas/{name}", summary="Get a JSON Schema", responses=object_responses("A JSON Schema."))
def one_schema(
    request: Request, name: Annotated[str, Path(max_length=100, description="Name of the schema.")]
) -> Response:
    """Return the JSON Schema of one kind of response."""
    if name not in SCHEMAS:
        raise HTTPException(404, f'No schema "{name}". Use one of: {", ".join(SCHEMAS)}.')
    return etag_response(request, msgspec.json.encode(get_schema(name)), JSON)


@router.get("/openapi.json", include_in_schema=False)
def description(request: Request) -> Response:
    """Return the OpenAPI description of the REST API."""
    return etag_response(request, msgspec.json.encode(request.app.openapi()), JSON)
