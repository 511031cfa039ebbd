"""Every command refuses a history of a newer schema."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.server.core.workflow_history.cli import app as cli
from app.server.core.workflow_history.common.errors import DatabaseTooNewError
from app.server.core.workflow_history.maintenance.backup import backup_history
from app.server.core.workflow_history.maintenance.merge.merge_history import merge_history
from app.server.core.workflow_history.storage.history import History


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "history.db"))
    return tmp_path / "history.db"


def made_newer(file: Path) -> bytes:
    with History.open(file):
        pass
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE workflow_history_version SET version_num = '9999'")
    connection.close()
    return file.read_bytes()


COMMANDS = [
    "sync {agents}",
    "list",
    "show a1",
    "explain a1 cost",
    "similar a1",
    "compare a1 a2",
    "stats",
    "stats --waste",
    "patterns",
    "patterns show abcd",
    "patterns accept abcd",
    "anomalies",
    "budget check --config {config}",
    "forecast --text x",
    "export runs --output {new}",
    "reprice --all",
    "merge {other}",
    "db version",
    "db verify",
    "db info",
    "syncs",
    "db backup {new}",
    "db vacuum",
    "db prune --older-than 1y --yes",
    "serve --no-watch --port 0",
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_newer_history_is_refused_by_every_command(file: Path, tmp_path: Path, words: str) -> None:
    before = made_newer(file)
    agents, config, other, new = (tmp_path / name for name in ("agents", "c.toml", "other.db", "new"))
    (agents / "a1").mkdir(parents=True)
    config.write_text("[budget]\nrun = 5\n")
    with History.open(other):
        pass
    places = {"agents": agents, "config": config, "other": other, "new": f"{new}.csv"}
    done = CliRunner().invoke(cli.app, words.format(**places).split())
    assert done.exit_code == 1, done.output
    assert "9999, newer than" in done.output
    assert file.read_bytes() == before
    assert not Path(f"{new}.csv").exists()


def test_every_command_that_opens_a_history_is_held() -> None:
    without = {"demo", "cost", "schema", "config", "completion", "sources"}
    assert {words.split()[0] for words in COMMANDS} == set(cli.COMMANDS) - without


def test_a_newer_history_is_refused_when_it_is_only_read(file: Path, tmp_path: Path) -> None:
    made_newer(file)
    file.chmod(0o400)
    other = tmp_path / "other.db"
    for ask in (lambda: merge_history(other), lambda: backup_history(tmp_path / "copy.db")):
        with History.open(other):
            pass
        with pytest.raises(DatabaseTooNewError, match="Upgrade the program"):
            ask()
