"""Generate web/api/examples.json: shortened responses of every REST API operation for the demo.

Run by `make docs`; a test compares the file with the real responses.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from starlette.testclient import TestClient

from app.server.core.workflow_history.ingest.config import config_file
from app.server.core.workflow_history.web.api.examples import FILE
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.settings import ServerSettings

from . import console_docs

V1: Final = "/api/v1"
RUN, OTHER, PATTERN = "447494ef", "540215f0", "db7f193f"
ASKED: Final[Mapping[str, tuple[str, str | None]]] = {
    "list_runs": ("/runs?status=failed&since=2026-03-01&limit=1", None),
    "show_run": (f"/runs/{RUN}", None),
    "list_agent_runs": (f"/runs/{RUN}/agent-runs", None),
    "similar_to_run": (f"/runs/{RUN}/similar?limit=1", None),
    "explain_figure": (f"/runs/{RUN}/explain?field=cost", None),
    "forecast_of_run": (f"/runs/{RUN}/forecast?limit=1", None),
    "resync_run": (f"/runs/{RUN}/resync", ""),
    "compare": (f"/compare?a={RUN}&b={OTHER}", None),
    "similar_to_text": ("/similar?text=download+the+list+as+a+file&limit=1", None),
    "statistics_by": ("/statistics?by=phase&tz=UTC", None),
    "statistics_overview": ("/statistics/overview?since=2026-03-01&tz=UTC", None),
    "statistics_waste": ("/statistics/waste?since=2026-03-01", None),
    "statistics_trend": ("/statistics/trend?period=30d", None),
    "forecast_task": ("/forecast?text=Add+CSV+export+to+the+orders+page&limit=1", None),
    "forecast_calibration": ("/forecast/calibration?runs=100", None),
    "anomalies": ("/anomalies", None),
    "budgets": ("/budgets?as_of=2026-03-31T18:00Z", None),
    "list_patterns": ("/patterns?limit=1", None),
    "one_pattern": (f"/patterns/{PATTERN}?examples=1", None),
    "decide_on_pattern": (f"/patterns/{PATTERN}", '{"status": "accepted", "note": "make check does it"}'),
    "list_running": ("/running", None),
    "show_progress": (f"/runs/{OTHER}/progress", None),
    "show_current_sync": ("/syncs/current", None),
    "list_syncs": ("/syncs?limit=1", None),
    "export_table": ("/export/runs?columns=id,status,total_cost&since=2026-03-30", None),
    "health": ("/health", None),
    "list_schemas": ("/schemas", None),
    "one_schema": ("/schemas/health", None),
}
"""Path and request body (None for GET) by name of the operation."""

OF_THE_CLOCK: Final = (
    "at",
    "elapsed_seconds",
    "decided_at",
    "begins",
    "ends",
    "before_begins",
    "started_at",
    "duration_seconds",
)
"""Keys whose values depend on the clock in some responses and therefore differ each time."""

STORED_AT: Final = ("first_seen_at", "last_changed_at")
"""Keys whose values are the time at which the demo was stored."""

_CLOCKED: Final = ("decide_on_pattern", "statistics_trend", "list_syncs", "list_running", "show_progress")
_MOMENT, _SECONDS = "2026-03-31T18:00:00Z", 1.5
_MOST_WORDS = 200  # maximum characters of a text


def made(folder: Path) -> str:
    """Return the examples as JSON text, from requests in the directory of `console_docs.make_demo`."""
    with console_docs.inside(folder):
        Path(config_file.FILE_NAME).write_text("[budget]\nday = 40.0\n", encoding="utf-8")
        with TestClient(create_app(ServerSettings()), base_url="http://localhost") as client:
            found = {name: _example(client, name, *asked) for name, asked in ASKED.items()}
            client.post(f"{V1}/patterns/{PATTERN}", json={"status": "detected"}, headers=_CHANGING)
        Path(config_file.FILE_NAME).unlink()
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


_CHANGING: Final = {"X-Workflow-History": "1", "Content-Type": "application/json"}


def _example(client: TestClient, name: str, path: str, body: str | None) -> dict[str, Any]:
    method = "GET" if body is None else "POST"
    reply = client.request(method, V1 + path, content=body, headers=_CHANGING)
    if reply.status_code != 200:
        raise ValueError(f"{path}: {reply.text}")
    answer = reply.json() if "json" in reply.headers["content-type"] else reply.text
    told = {"path": V1 + path, **({"body": body} if body else {})}
    return {**told, "answer": _shortened(answer, clocked=name in _CLOCKED)}


def _shortened(value: Any, key: str = "", *, clocked: bool = False) -> Any:
    """Shorten a response: first items of most lists, texts cut, clock-dependent values replaced."""
    if key in STORED_AT or (clocked and key in OF_THE_CLOCK and value is not None):
        return _SECONDS if isinstance(value, float) else _MOMENT
    if isinstance(value, dict):
        return {name: _shortened(inner, name, clocked=clocked) for name, inner in value.items()}
    if isinstance(value, list):
        kept = value if key in {"names", "required"} else value[:1]
        return [_shortened(inner, clocked=clocked) for inner in kept]
    return value[:_MOST_WORDS] if isinstance(value, str) and key != "next_cursor" else value


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as name:
        console_docs.make_demo(Path(name))
        FILE.write_text(made(Path(name)), encoding="utf-8")


if __name__ == "__main__":
    main()
