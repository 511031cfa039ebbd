"""No request leads to a server error, and every response matches its description."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from app.server.core.workflow_history import database
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.settings import ServerSettings
from app.server.tests.support.thoroughness import examples
from app.server.tests.support.web import CHANGING, make_history

CHECKS = {
    # A word that no run has, or a range that ends before it begins, is as described and yet refused.
    # An address that is too long is refused before its parameters are read.
    "negative_data_rejection": {
        "expected-statuses": [
            "400",
            "401",
            "403",
            "404",
            "405",
            "406",
            "409",
            "414",
            "415",
            "422",
            "428",
            "429",
            "5xx",
        ]
    },
    "positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "422"]},
}
EXAMPLES = 8  # of each operation
STREAM = "/api/v1/events"  # has no end; test_web_live.py reads it

app = create_app(ServerSettings(host_names=("testserver",)))
described = schemathesis.openapi.from_asgi(
    "/api/v1/openapi.json", app, config=schemathesis.Config.from_dict({"checks": CHECKS})
).exclude(path=STREAM)


@pytest.fixture(scope="module", autouse=True)
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("fuzz")
    made = make_history(folder, runs=24)
    (folder / "budgets.toml").write_text("[budget]\nday = 40.0\n")
    with pytest.MonkeyPatch.context() as patch, database.pooled_connections():
        patch.setattr(database, "DB_PATH", made)
        patch.setenv("WORKFLOW_HISTORY_CONFIG", str(folder / "budgets.toml"))
        yield


@described.parametrize()
@settings(
    max_examples=examples(EXAMPLES),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_finds_a_fault_and_every_answer_is_as_described(case: schemathesis.Case) -> None:
    case.call_and_validate()


def test_the_description_was_read_whole() -> None:
    told = sum(len(methods) for path, methods in app.openapi()["paths"].items() if path != STREAM)
    assert len(list(described.get_all_operations())) == told
    assert CHANGING
