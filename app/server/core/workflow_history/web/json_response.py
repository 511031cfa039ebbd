"""JSON responses with an ETag, or 304 (Not Modified) if the client already has them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from ..queries.json.encoding import to_json, with_schema_version

CACHE_CONTROL: Final = "private, no-cache"  # may be stored, but must be revalidated
JSON: Final = "application/json"


def json_response(request: Request, answer: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return a query result or a mapping as JSON, or 304 if the client already has it."""
    data = with_schema_version(answer) if isinstance(answer, Mapping) else to_json(answer)
    return etag_response(request, msgspec.json.encode(data), JSON, headers)


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


def etag_matches(tag: str, asked: Headers) -> bool:
    """Return whether the If-None-Match header in `asked` matches an ETag."""
    given = [_opaque(one.strip()) for one in asked.get("if-none-match", "").split(",")]
    return _opaque(tag) in given or given == ["*"]


def _opaque(tag: str) -> str:
    """Return an ETag without its weak prefix, because If-None-Match ignores the difference."""
    return tag.removeprefix("W/")


def not_modified(tag: str) -> Response:
    """Return a 304 response (Not Modified) with an ETag."""
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": CACHE_CONTROL})
