"""JSON replies: an answer in, bytes with an ETag out; a client that has them already gets none."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..answers.shapes import to_json, versioned

CACHING = "private, no-cache"  # keep it, but ask whether it still holds


def reply(request: Request, answer: Any) -> Response:
    """Return an answer, or an object, as JSON; 304 where the client has it."""
    data = versioned(answer) if isinstance(answer, Mapping) else to_json(answer)
    return tagged(request, msgspec.json.encode(data), "application/json")


def tagged(request: Request, body: bytes, media_type: str) -> Response:
    """Return a body with its ETag; 304 where the client has it."""
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'  # weak: it may go out compressed
    headers = {"ETag": tag, "Cache-Control": CACHING}
    if tag in (given.strip() for given in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)
