"""Commands on a history without runs and with one run: a next step and the right words."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.server.core.workflow_history import database
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.web import serving
from app.server.core.workflow_history.web.settings import ServerSettings

EMPTY_HISTORY = [
    "list", "stats", "stats --by week", "stats --waste", "patterns", "anomalies", "syncs",
    "similar --text exports", "forecast --text exports",
]  # fmt: skip


def type_in(words: str, width: int = 80) -> Result:
    return CliRunner().invoke(app, words.split(), prog_name="workflow-history", env={"COLUMNS": str(width)})


@pytest.mark.parametrize("words", EMPTY_HISTORY)
def test_an_empty_history_says_how_to_fill_it(words):
    database.init_db()
    answer = type_in(words)
    assert answer.exit_code == 0
    assert "sync path/to/project" in answer.stdout


@pytest.fixture
def one_run() -> None:
    with History.open(os.environ["WORKFLOW_HISTORY_DB"]) as history:
        history.save(
            [
                {
                    "id": "aaaa1111",
                    "status": "completed",
                    "total_cost": 1.0,
                    "cost_basis": "reported",
                    "nl_input": "Add a CSV export",
                    "created_at": "2026-03-01T12:00:00+00:00",
                }
            ]
        )


def test_one_run_is_counted_in_the_singular(one_run):
    text = type_in("stats --trend 30d").stdout + type_in("stats").stdout + type_in("anomalies").stdout
    assert "1 run" in text
    assert "1 runs" not in text


def test_the_only_run_has_none_to_compare_with_and_the_answer_says_what_to_do(one_run):
    answer = type_in("similar aaaa1111").stdout
    assert "No other run to compare with." in answer
    assert "sync path/to/project" in answer


def test_a_history_to_merge_that_does_not_exist_is_an_error_with_a_remedy(tmp_path: Path):
    database.init_db()
    refused = type_in(f"merge {tmp_path / 'nope.db'}")
    assert refused.exit_code == 1
    expected = f"error: No history at {tmp_path / 'nope.db'}. Name the path or URL of an existing one.\n"
    assert refused.stderr == expected


@pytest.mark.parametrize(
    ("host", "opened"),
    [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("127.0.0.1", "127.0.0.1")],  # noqa: S104
)
def test_serve_prints_an_address_that_a_browser_opens(monkeypatch, host, opened):
    """0.0.0.0 means all addresses of a machine; it is none that a browser opens."""
    ready: list[str] = []

    class Listener:
        def getsockname(self) -> tuple[str, int]:
            return host, 8765

    class Server:
        def run(self, _sockets: list[object]) -> None:
            pass

    monkeypatch.setattr(serving, "_open_listener", lambda _settings: Listener())
    monkeypatch.setattr(serving, "build_server", lambda *_: Server())
    settings = ServerSettings(host=host, token="a" * 16)
    serving.serve_forever(settings, ready.append)
    assert ready == [f"http://{opened}:8765/"]
    assert settings.listens_on_all_addresses is (host != "127.0.0.1")
