"""A database is made and upgraded whole or not at all, by any number of processes, and never downwards."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Table

from app.server.core.workflow_history.errors import DatabaseTooNewError, WorkflowHistoryError
from app.server.core.workflow_history.store import migrate
from app.server.core.workflow_history.store.engine import connect, writing
from app.server.core.workflow_history.store.history import History
from app.server.core.workflow_history.store.location import database_url
from app.server.core.workflow_history.store.schema import metadata
from app.server.core.workflow_history.store.views import VIEWS
from scripts.make_schema_docs import PAGE, render

ROOT = Path(__file__).parents[3]
PACKAGE = "app.server.core.workflow_history"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def tables(file: Path) -> set[str]:
    with sqlite3.connect(file) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    connection.close()
    return {name for (name,) in rows}


def execute(file: Path, statement: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(statement)
    connection.close()


def start(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT)  # noqa: S603


def test_the_constant_names_the_newest_revision(file: Path) -> None:
    with History.open(file) as history, history._reading() as connection:
        scripts = ScriptDirectory.from_config(migrate.alembic_config(connection))
        assert scripts.get_heads() == [migrate.HEAD]
        assert migrate.stored_revision(connection) == migrate.HEAD


def test_the_migrations_make_the_tables_of_the_schema(file: Path) -> None:
    with History.open(file) as history, history._reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": migrate.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
    assert tables(file) == {*metadata.tables, *VIEWS, migrate.VERSION_TABLE}


def test_every_revision_can_be_undone(file: Path) -> None:
    with History.open(file):
        pass
    with connect(database_url(file)) as connection, writing(connection):
        command.downgrade(migrate.alembic_config(connection), "base")
    assert tables(file) == {migrate.VERSION_TABLE}


def test_an_older_database_is_upgraded_and_keeps_its_runs(file: Path) -> None:
    with History.open(file) as history:
        history.insert({"id": "a", "total_cost": 0.5})
    with connect(database_url(file)) as connection, writing(connection):
        command.downgrade(migrate.alembic_config(connection), "0001")
    with History.open(file) as history:
        assert history.view("runs")[0]["total_cost_usd"] == 0.5


def test_a_newer_database_is_left_alone(file: Path) -> None:
    with History.open(file):
        pass
    execute(file, "UPDATE workflow_history_version SET version_num = '9999'")
    before = file.read_bytes()
    with pytest.raises(DatabaseTooNewError, match=r"9999.*upgrade the program"), History.open(file):
        pass
    assert file.read_bytes() == before


def test_another_programs_tables_are_left_alone(file: Path) -> None:
    execute(file, "CREATE TABLE workflows (name TEXT)")
    with pytest.raises(WorkflowHistoryError, match="workflows"), History.open(file):
        pass
    assert tables(file) == {"workflows"}


def test_a_failed_migration_leaves_nothing_behind(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(file, "CREATE TABLE runs (name TEXT)")  # in the way of the last revision's first view
    with pytest.raises(WorkflowHistoryError, match="runs"), History.open(file):
        pass
    assert tables(file) == {"runs"}
    execute(file, "DROP TABLE runs")
    with History.open(file) as history:
        assert history.check() == []


KILLED_MIDWAY = f"""
import os, sys
from sqlalchemy import event
from {PACKAGE}.store.engine import engine_for
from {PACKAGE}.store.history import History
from {PACKAGE}.store.location import database_url
file = sys.argv[1]
seen = []
def count(*call):
    seen.append(call[2])
    if sys.argv[2] in call[2]:
        os.kill(os.getpid(), 9)
event.listen(engine_for(database_url(file)), "before_cursor_execute", count)
with History.open(file) as history:
    history.save([{{"id": "new", "phase_costs": [{{"phase": "plan"}}]}}])
"""


@pytest.mark.parametrize("at", ["CREATE VIEW", "CREATE TABLE patterns", "INSERT INTO agent_runs"])
def test_a_kill_midway_leaves_a_whole_database(file: Path, at: str) -> None:
    assert start(KILLED_MIDWAY, str(file), at).wait(timeout=60) == -9
    with History.open(file) as history:
        assert history.refs() == []
        assert history.check() == []


def test_processes_that_start_at_once_make_one_database(file: Path) -> None:
    code = (
        f"import sys; from {PACKAGE}.store.history import History\n"
        "with History.open(sys.argv[1]) as history: history.save([{'id': sys.argv[2]}, {'id': 'shared'}])"
    )
    running = [start(code, str(file), str(number)) for number in range(3)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    with History.open(file) as history:
        assert sorted(ref.id for ref in history.refs()) == ["0", "1", "2", "shared"]
        with history._reading() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_a_database_that_is_up_to_date_opens_without_alembic(file: Path) -> None:
    with History.open(file):
        pass
    code = (
        f"import sys; from {PACKAGE}.store.history import History\n"
        "with History.open(sys.argv[1]): sys.exit('alembic' in sys.modules)"
    )
    assert start(code, str(file)).wait(timeout=60) == 0


def columns() -> list[Column[object]]:
    return [column for table in metadata.tables.values() for column in table.columns]


@pytest.mark.parametrize("column", columns(), ids=str)
def test_every_column_says_what_it_means(column: Column[object]) -> None:
    assert column.comment


@pytest.mark.parametrize("table", metadata.tables.values(), ids=str)
def test_every_table_says_what_it_holds(table: Table) -> None:
    assert table.comment


def test_the_schema_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m scripts.make_schema_docs"
