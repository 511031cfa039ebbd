"""The SQL, metrics and navigation of the documentation are those of the program."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from sqlalchemy import URL, create_engine, text

from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.paths import ROOT
from app.server.tests.support.web import client_of

DOCS = ROOT / "docs"
GUIDES = ("notebooks", "grafana")
MACROS = {"$__timeFrom()": "timestamp '2026-01-01'", "$__timeTo()": "timestamp '2026-12-31'"}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```$", (DOCS / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL
    )


def queries(engine: str) -> list[str]:
    found = [query for page in GUIDES for query in blocks(page, "sql")]
    assert len(found) == 5
    return found if engine == "postgresql" else [query for query in found if "::" not in query]


def test_the_queries_of_the_guides_run_on_each_engine(history_url: URL) -> None:
    with History.open(history_url) as history:
        history.save([{"id": "a", "project": "shop", "status": "failed", "total_cost": 1.5}])
    engine = create_engine(history_url)
    with engine.connect() as connection:
        for query in queries(history_url.get_backend_name()):
            for macro, value in MACROS.items():
                query = query.replace(macro, value)  # noqa: PLW2901 - one after the other
            connection.execute(text(query.replace(":", "\\:"))).all()
    engine.dispose()


def metric_names(texts: Iterator[str]) -> set[str]:
    found = {name for words in texts for name in re.findall(r"workflow_history_[a-z_]+", words)}
    return {name.removesuffix("_bucket").removesuffix("_total") for name in found}


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    return (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])


def test_the_dashboard_and_its_guide_name_every_metric_of_the_server() -> None:
    with client_of() as client:
        answer = client.get("/metrics").text
    served = set(re.findall(r"^# TYPE (workflow_history_\w+?)(?:_total|_created)? ", answer, re.MULTILINE))
    dashboard = json.loads((DOCS / "grafana-dashboard.json").read_text())
    assert metric_names(expressions(dashboard)) == served
    assert metric_names(iter([(DOCS / "grafana.md").read_text()])) == served


def test_a_server_without_a_sync_has_no_time_of_the_last_one() -> None:
    with client_of() as client:
        assert "\nworkflow_history_last_sync_timestamp_seconds NaN\n" in client.get("/metrics").text


def paths_of(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    return [
        path for value in (entry.values() if isinstance(entry, dict) else entry) for path in paths_of(value)
    ]


def test_every_page_is_in_the_navigation_and_in_the_index_once() -> None:
    pages = {path.name for path in DOCS.glob("*.md")}
    navigation = paths_of(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"])
    assert sorted(navigation) == sorted(pages)
    index = re.findall(r"^- \[.+\]\((.+\.md)\)$", (DOCS / "README.md").read_text(), re.MULTILINE)
    assert sorted({*index, "README.md", "getting-started.md", "tour.md"}) == sorted(pages)
    assert len(index) == len(set(index))
