"""A history of any older schema is brought up to date whole, and one of a newer schema is refused by all."""

from __future__ import annotations

import lzma
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from typer.testing import CliRunner

from app.server.core.workflow_history import demo, sync
from app.server.core.workflow_history.cli import app as cli
from app.server.core.workflow_history.common.errors import DatabaseTooNewError
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.maintenance.backup import backup_history
from app.server.core.workflow_history.maintenance.merge.merge_history import merge_history
from app.server.core.workflow_history.storage.connection.engine import connect, write_transaction
from app.server.core.workflow_history.storage.connection.url import database_url
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.reading.page_query import PageQuery
from app.server.core.workflow_history.storage.tables import migrate

HISTORIES = Path(__file__).with_name("histories")
KEPT = sorted(file.name.split(".")[0] for file in HISTORIES.glob("*.xz"))
REVISIONS = [f"{number:04}" for number in range(1, int(migrate.LATEST_REVISION) + 1)]
RUNS, SPENT, BEYOND = 8, 17.6737141, 0.741413


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "history.db"))
    return tmp_path / "history.db"


def unpack(revision: str, file: Path) -> None:
    """Have a history as the program of a revision left it; where none was kept, one that was undone to it."""
    newest = max((kept for kept in KEPT if kept <= revision), default=KEPT[0])
    file.write_bytes(lzma.decompress((HISTORIES / f"{newest}.db.xz").read_bytes()))
    with connect(database_url(file)) as connection, write_transaction(connection):
        go = command.upgrade if newest < revision else command.downgrade
        go(migrate.alembic_config(connection), revision)


def test_every_revision_is_held(file: Path) -> None:
    with History.open(file) as history, history._reading() as connection:
        scripts = ScriptDirectory.from_config(migrate.alembic_config(connection))
    assert sorted(script.revision for script in scripts.walk_revisions()) == REVISIONS


@pytest.mark.parametrize("revision", REVISIONS)
def test_an_older_history_keeps_all_that_it_knew(file: Path, tmp_path: Path, revision: str) -> None:
    unpack(revision, file)
    with History.open(file) as history:
        assert history.schema_version() == migrate.LATEST_REVISION
        assert history.check() == []
        page = history.page(PageQuery(RunFilter()))
        assert (page.total, len(page.workflows)) == (RUNS, RUNS)
        assert round(sum(run["total_cost"] or 0 for run in page.workflows), 9) == SPENT
        assert len(history.view("runs")) == RUNS
        word = str(page.workflows[0]["nl_input"]).split()[0]
        found = history.page(PageQuery(RunFilter(search=word)))
        assert page.workflows[0]["id"] in {run["id"] for run in found.workflows}
        assert any(pattern.runs > 1 for pattern in history.pattern_totals()) == (revision > "0001")
    folder = tmp_path / "shop" / "agents"
    demo.make_agents_folder(
        folder, runs=RUNS, seed=3, end=datetime(2026, 3, 31, 18, tzinfo=UTC), stream_kb=10, months=1
    )
    stats = sync.sync_workflow_history(silent=True, agents_dir=folder)
    assert (stats["inserted"], stats["updated"], stats["failed"]) == (0, RUNS, 0)
    assert (stats["total_cost"], stats["lower_bound_cost"]) == (SPENT, BEYOND)  # nothing counts twice
    with History.open(file) as history:
        assert history.check() == []
        assert not history.column_cache_is_stale()


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
    "check --config {config}",
    "forecast --text x",
    "export runs --output {new}",
    "resync --all",
    "merge {other}",
    "db version",
    "db check",
    "db backup {new}",
    "db vacuum",
    "db prune --older-than 1y --yes",
    "serve --no-follow --port 0",
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
    assert "9999, newer than this program's" in done.output
    assert file.read_bytes() == before
    assert not Path(f"{new}.csv").exists()


def test_every_command_that_opens_a_history_is_held() -> None:
    without = {"demo", "cost", "schema", "completion"}
    assert {words.split()[0] for words in COMMANDS} == set(cli.COMMANDS) - without


def test_a_newer_history_is_refused_when_it_is_only_read(file: Path, tmp_path: Path) -> None:
    made_newer(file)
    file.chmod(0o400)
    other = tmp_path / "other.db"
    for ask in (lambda: merge_history(other), lambda: backup_history(tmp_path / "copy.db")):
        with History.open(other):
            pass
        with pytest.raises(DatabaseTooNewError, match="upgrade the program"):
            ask()
