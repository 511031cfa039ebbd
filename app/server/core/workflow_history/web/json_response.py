"""JSON responses with an ETag, or 304 (Not Modified) if the client already has them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from ..queries.json.encoding import to_json

CACHE_CONTROL: Final = "private, no-cache"  # may be stored, but must be revalidated
JSON: Final = "application/json"


def json_response(request: Request, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return a record, or an object of JSON values, as JSON, or 304 if the client already has it."""
    return etag_response(request, msgspec.json.encode(to_json(value)), JSON, headers)


def etag_response(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a body with its ETag, or 304 if the client already has it."""
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'  # weak: the body may be sent compressed
    if etag_matches(tag, request.headers):
        return not_modified(tag)
    return Response(
        body, headers={"ETag": tag, "Cache-Control": CACHE_CONTROL, **(headers or {})}, media_type=media_type
    )


def etag_matches(tag: str, headers: Headers) -> bool:
    """Return whether the If-None-Match of a request's headers matches an ETag."""
    tags = [_opaque(candidate.strip()) for candidate in headers.get("if-none-match", "").split(",")]
    return _opaque(tag) in tags or tags == ["*"]


def _opaque(tag: str) -> str:
    """Return an ETag without its weak prefix, because If-None-Match ignores the difference."""
    return tag.removeprefix("W/")


def not_modified(tag: str) -> Response:
    """Return a 304 response (Not Modified) with an ETag."""
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": CACHE_CONTROL})
