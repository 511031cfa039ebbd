"""Route with the server's metrics at `/metrics`, the default path of Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ..context import ContextDep

router = APIRouter()


@router.get("/metrics")
def metrics(context: ContextDep) -> Response:
    """Return all metrics in the Prometheus text format."""
    body, media_type = context.metrics.text()
    return Response(body, headers={"Cache-Control": "no-store", "Content-Type": media_type})
