"""JSON replies: an answer in, bytes with an ETag out; a client that has them already gets none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from ..queries.json.encoding import to_json, with_schema_version

CACHE_CONTROL: Final = "private, no-cache"  # keep it, but ask whether it still holds
JSON: Final = "application/json"


def json_response(request: Request, answer: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer, or an object, as JSON; 304 where the client has it."""
    data = with_schema_version(answer) if isinstance(answer, Mapping) else to_json(answer)
    return etag_response(request, msgspec.json.encode(data), JSON, headers)


def etag_response(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a body with its ETag; 304 where the client has it."""
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'  # weak: it may go out compressed
    if etag_matches(tag, request.headers):
        return not_modified(tag)
    return Response(
        body, headers={"ETag": tag, "Cache-Control": CACHE_CONTROL, **(headers or {})}, media_type=media_type
    )


def etag_matches(tag: str, asked: Headers) -> bool:
    """Return whether a client says that it has what a tag stands for."""
    given = [_opaque(one.strip()) for one in asked.get("if-none-match", "").split(",")]
    return _opaque(tag) in given or given == ["*"]


def _opaque(tag: str) -> str:
    """Return a tag without its mark: GET compares weak and strong ones alike."""
    return tag.removeprefix("W/")


def not_modified(tag: str) -> Response:
    """Return what a client gets that has it."""
    return Response(status_code=304, headers={"ETag": tag, "Cache-Control": CACHE_CONTROL})
