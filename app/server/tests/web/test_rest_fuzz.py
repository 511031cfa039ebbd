"""No request leads to a server error, and every response matches its description."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from app.server.core.workflow_history import database
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.settings import ServerSettings
from app.server.tests.support.thoroughness import THOROUGH, examples
from app.server.tests.support.web import make_history

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


@pytest.fixture(scope="module", autouse=True)
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("fuzz")
    made = make_history(folder, runs=24)
    (folder / "budgets.toml").write_text("[budget]\nday = 40.0\n")
    with pytest.MonkeyPatch.context() as patch, database.pooled_connections():
        patch.setattr(database, "DB_PATH", made)
        patch.setenv("WORKFLOW_HISTORY_CONFIG", str(folder / "budgets.toml"))
        yield


@pytest.fixture(scope="module")
def described() -> schemathesis.BaseSchema:
    """Return the served description; read here, as all workers of the suite import this file."""
    app = create_app(ServerSettings(host_names=("testserver",)))
    # A hundred requests for each operation, one for each bound of its parameters: most of this file's time.
    config = {"checks": CHECKS, "phases": {"coverage": {"enabled": THOROUGH}}}
    return schemathesis.openapi.from_asgi(
        "/api/v1/openapi.json", app, config=schemathesis.Config.from_dict(config)
    )


@pytest.fixture
def described_late(
    request: pytest.FixtureRequest, described: schemathesis.BaseSchema
) -> schemathesis.BaseSchema:
    """Return the description for `from_fixture`, which reads an attribute that pytest 9.2 renamed."""
    request.node._nodeid = request.node.nodeid
    return described


@schemathesis.pytest.from_fixture("described_late").exclude(path=STREAM).parametrize()
@settings(
    max_examples=examples(EXAMPLES),
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_finds_a_fault_and_every_answer_is_as_described(case: schemathesis.Case) -> None:
    case.call_and_validate()


def test_the_description_was_read_whole(described: schemathesis.BaseSchema) -> None:
    named = sum(len(methods) for methods in described.raw_schema["paths"].values())
    assert len(list(described.get_all_operations())) == named > 20
    assert STREAM in described.raw_schema["paths"]
