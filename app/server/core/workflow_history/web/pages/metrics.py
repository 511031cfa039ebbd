"""The server's figures for Prometheus, at the address where that looks for them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ..context import ContextDep

router = APIRouter()


@router.get("/metrics")
def metrics(here: ContextDep) -> Response:
    """Return all figures."""
    body, media_type = here.metrics.text()
    return Response(body, headers={"Cache-Control": "no-store", "Content-Type": media_type})
