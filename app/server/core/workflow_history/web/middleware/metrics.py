"""Prometheus metrics of the server: request counts and durations, without data of individual runs."""

from __future__ import annotations

from datetime import datetime
from time import perf_counter
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...queries.list_runs import list_run_summaries
from ...queries.sync_status import find_syncs

_KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
_DURATION_BUCKETS: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Metrics of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "workflow_history_requests",
            "HTTP requests by route, method and status.",
            ("route", "method", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "workflow_history_request_seconds",
            "Seconds from the start of a request to the end of its response.",
            ("route", "method"),
            registry=self._registry,
            buckets=_DURATION_BUCKETS,
        )
        self._runs = Gauge("workflow_history_runs", "Runs in the history.", registry=self._registry)
        self._last_sync = Gauge(
            "workflow_history_last_sync_timestamp_seconds",
            "Start of the last recorded sync in seconds since 1970; NaN if no sync is recorded.",
            registry=self._registry,
        )

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request. Unknown methods share the label `other`, so that clients can't create labels."""
        label = method if method in _KNOWN_METHODS else "other"
        self._requests.labels(route, label, str(status)).inc()
        self._seconds.labels(route, label).observe(seconds)

    def text(self) -> tuple[bytes, str]:
        """Return all metrics in the Prometheus text format, and their media type."""
        self._runs.set(list_run_summaries(limit=0).total)
        latest = find_syncs(limit=1).syncs
        started_at = latest[0]["started_at"] if latest else None
        self._last_sync.set(datetime.fromisoformat(started_at).timestamp() if started_at else float("nan"))
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


class MetricsMiddleware:
    """Count every HTTP request, including rejected ones."""

    def __init__(self, app: ASGIApp, metrics: Metrics, route_label: Any) -> None:
        self._app = app
        self._metrics = metrics
        self._route_label = route_label

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and record its status and duration; 500 if it fails without a response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method, started, status = scope["method"], perf_counter(), 500

        async def send_and_track(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_track)
        finally:
            self._metrics.count(self._route_label(scope), method, status, perf_counter() - started)
