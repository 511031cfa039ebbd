"""Databases are created and upgraded completely or not at all, by any number of processes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Column, Connection, Table, inspect

from app.server.core.workflow_history.common.errors import DatabaseTooNewError, WorkflowHistoryError
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.storage.connection import pool
from app.server.core.workflow_history.storage.connection.engine import (
    connect,
    make_file,
    read_transaction,
    write_transaction,
)
from app.server.core.workflow_history.storage.connection.url import database_url
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables import migrate
from app.server.core.workflow_history.storage.tables.schema import metadata
from app.server.core.workflow_history.storage.tables.views import VIEW_COLUMNS, VIEW_SQL
from app.server.tests.support.paths import ROOT
from app.server.tests.support.patience import PATIENCE
from scripts.make_schema_docs import PAGE, render
from scripts.postgresql import Server

PACKAGE = "app.server.core.workflow_history"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def tables(file: Path) -> set[str]:
    with sqlite3.connect(file) as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall()
    connection.close()
    return {name for (name,) in rows if not name.startswith("run_search")}  # virtual, and what it makes


def execute(file: Path, statement: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(statement)
    connection.close()


def start(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT)  # noqa: S603


def test_the_constant_names_the_newest_revision(file: Path) -> None:
    with History.open(file) as history, history._reading() as connection:
        scripts = ScriptDirectory.from_config(migrate.alembic_config(connection))
        assert scripts.get_heads() == [migrate.LATEST_REVISION]
        assert migrate.stored_revision(connection) == migrate.LATEST_REVISION


def came_by_migrations(url: URL) -> URL:
    """Return a database that came to its tables one revision after the other."""
    make_file(url)
    with connect(url) as connection, write_transaction(connection):
        command.upgrade(migrate.alembic_config(connection), "head")
    return url


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    file = tmp_path / "migrated.db"
    came_by_migrations(database_url(file))
    return file


def test_the_migrations_make_the_tables_of_the_schema(history_url: URL) -> None:
    with connect(came_by_migrations(history_url)) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": migrate.VERSION_TABLE,
                "compare_type": True,
                "include_name": lambda name, kind, _: kind != "table" or name in metadata.tables,
            },
        )
        found = compare_metadata(context, metadata)
        # Comments follow what columns come to mean; SQLite holds none, and no migration rewrites them.
        assert [
            one for one in found if "comment" not in str(one[0][0] if isinstance(one, list) else one[0])
        ] == []
        inspected = inspect(connection)
        made = {*inspected.get_table_names(), *inspected.get_view_names()}
    transcript_set = {"run_search", "workflow_history_changes"}
    assert {name for name in made if not name.startswith("run_search_")} - transcript_set == {
        *metadata.tables, *VIEW_COLUMNS, migrate.VERSION_TABLE
    }  # fmt: skip


def test_a_servers_database_is_made_as_the_migrations_make_it(postgresql: Server) -> None:
    new, migrated = postgresql.empty(), came_by_migrations(postgresql.empty())
    with History.open(new):
        pass
    assert catalogue(new) == catalogue(migrated)


CATALOGUE = """
    SELECT 'column', table_name, column_name, data_type || coalesce(collation_name, '') || is_nullable
           || coalesce(regexp_replace(column_default, 'history_\\d+', 'here'), '')
    FROM information_schema.columns WHERE table_schema = current_schema()
    UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes
    WHERE schemaname = current_schema()
    UNION ALL SELECT 'view', '', viewname, definition FROM pg_views WHERE schemaname = current_schema()
    UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
    UNION ALL SELECT 'function', '', proname, concat(prosrc, proconfig::text, procost, provolatile::text)
    FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(t.oid)
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = tgrelid
    WHERE NOT tgisinternal AND relnamespace = current_schema()::regnamespace
"""


def catalogue(url: URL) -> list[str]:
    """Return all that a server says of the tables of a history, but for comments and the columns' order."""
    schema = str(url.query["options"]).rpartition("=")[2]
    with connect(url) as connection, read_transaction(connection):
        rows = connection.exec_driver_sql(CATALOGUE.replace("%", "%%")).all()
    return sorted(" ".join(str(tuple(row)).replace(schema, "here").split()) for row in rows)


def make_up(file: Path) -> dict[str, object]:
    """Return all that a database says of its tables, but for the order of their columns."""
    with connect(database_url(file)) as connection:
        found = inspect(connection)
        query = "SELECT name, type, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        rows = connection.exec_driver_sql(query).all()
        return {
            "tables": {
                name: (
                    sorted(
                        repr({**column, "type": str(column["type"])}) for column in found.get_columns(name)
                    ),
                    found.get_pk_constraint(name),
                    sorted(map(repr, found.get_foreign_keys(name))),
                    sorted(map(repr, found.get_unique_constraints(name))),
                    "WITHOUT ROWID" in sql,
                )
                for name, kind, sql in rows
                if kind in ("table", "view")
            },
            "others": {name: " ".join(sql.split()) for name, kind, sql in rows if kind != "table"},
            "version": migrate.stored_revision(connection),
        }


def test_a_new_database_is_made_as_the_migrations_make_it(file: Path, migrated: Path) -> None:
    with History.open(file):
        pass
    assert make_up(file) == make_up(migrated)


def test_every_view_says_what_its_rows_are() -> None:
    assert list(VIEW_COLUMNS) == list(VIEW_SQL)


SECOND_REVISION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "second", "initial", None, None


def upgrade():
    op.add_column("workflows", sa.Column("mood", sa.Text()))
    op.execute("CREATE TABLE moods (name TEXT)")
"""


@pytest.fixture
def with_second_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what turns this program into one whose schema has a second revision."""
    added, config_of = tmp_path / "added", migrate.alembic_config
    added.mkdir()
    (added / "second.py").write_text(SECOND_REVISION)

    def with_both(connection: Connection) -> Any:
        config = config_of(connection)
        versions = Path(migrate.__file__).parent / "migrations" / "versions"
        config.set_main_option("version_locations", os.pathsep.join(map(str, (versions, added))))
        return config

    def become() -> None:
        monkeypatch.setattr(migrate, "alembic_config", with_both)
        for module in (migrate, pool):
            monkeypatch.setattr(module, "LATEST_REVISION", "second")

    return become


def test_an_older_history_is_upgraded_and_keeps_its_runs(
    history_url: URL, with_second_revision: Callable[[], None]
) -> None:
    with History.open(history_url) as history:
        history.save([{"id": "a", "total_cost": 0.5, "nl_input": "Add CSV export"}])
    with_second_revision()
    for _ in range(2):
        with History.open(history_url) as history:
            assert history.schema_version() == "second"
            assert history.view("runs")[0]["total_cost"] == 0.5
            assert history.matching_keys(RunFilter(search="csv")).tolist() == [1]
            assert history.check() == []


def test_an_older_history_that_cannot_be_written_is_read_from_an_upgraded_copy(
    file: Path, with_second_revision: Callable[[], None]
) -> None:
    with History.open(file) as history:
        history.save([{"id": "a", "total_cost": 0.5}])
    with_second_revision()
    before = file.read_bytes()
    with pool.open_read_only(file) as history:
        assert history.schema_version() == "second"
        assert history.view("runs")[0]["total_cost"] == 0.5
    assert file.read_bytes() == before


def test_a_failed_migration_leaves_the_history_as_it_was(
    file: Path, with_second_revision: Callable[[], None]
) -> None:
    with History.open(file) as history:
        history.save([{"id": "a"}])
    execute(file, "CREATE TABLE moods (name TEXT)")  # in the way of the second revision
    before = make_up(file)
    with_second_revision()
    with pytest.raises(WorkflowHistoryError, match="moods"), History.open(file):
        pass
    assert make_up(file) == before


def test_a_history_of_an_unreleased_version_is_refused_by_name(file: Path) -> None:
    with History.open(file):
        pass
    execute(file, "UPDATE workflow_history_version SET version_num = '0015'")
    before = file.read_bytes()
    for opened in (History.open, pool.open_read_only):
        with pytest.raises(WorkflowHistoryError, match=r"unreleased version.*0015"), opened(file):
            pass
    assert file.read_bytes() == before


def test_a_newer_database_is_left_alone(file: Path) -> None:
    with History.open(file):
        pass
    execute(file, "UPDATE workflow_history_version SET version_num = '9999'")
    before = file.read_bytes()
    with pytest.raises(DatabaseTooNewError, match=r"9999.*Upgrade the program"), History.open(file):
        pass
    assert file.read_bytes() == before


def test_another_programs_tables_are_left_alone(file: Path) -> None:
    execute(file, "CREATE TABLE workflows (name TEXT)")
    with pytest.raises(WorkflowHistoryError, match="workflows"), History.open(file):
        pass
    assert tables(file) == {"workflows"}


def test_a_failed_making_leaves_nothing_behind(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(file, "CREATE TABLE runs (name TEXT)")  # in the way of the first view
    with pytest.raises(WorkflowHistoryError, match="runs"), History.open(file):
        pass
    assert tables(file) == {"runs"}
    execute(file, "DROP TABLE runs")
    with History.open(file) as history:
        assert history.check() == []


KILLED_MIDWAY = f"""
import os, sys
from sqlalchemy import event
from {PACKAGE}.storage.connection.engine import engine_for
from {PACKAGE}.storage.history import History
from {PACKAGE}.storage.connection.url import database_url
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
    assert start(KILLED_MIDWAY, str(file), at).wait(timeout=PATIENCE) == -9
    with History.open(file) as history:
        assert history.list_refs() == []
        assert history.check() == []


def test_processes_that_start_at_once_make_one_database(file: Path) -> None:
    code = (
        f"import sys; from {PACKAGE}.storage.history import History\n"
        "with History.open(sys.argv[1]) as history: history.save([{'id': sys.argv[2]}, {'id': 'shared'}])"
    )
    running = [start(code, str(file), str(number)) for number in range(3)]
    assert [process.wait(timeout=PATIENCE) for process in running] == [0, 0, 0]
    with History.open(file) as history:
        assert sorted(ref.id for ref in history.list_refs()) == ["0", "1", "2", "shared"]
        with history._reading() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_only_an_old_database_needs_alembic(file: Path) -> None:
    code = (
        f"import sys; from {PACKAGE}.storage.history import History\n"
        "with History.open(sys.argv[1]): sys.exit('alembic' in sys.modules)"
    )
    assert [start(code, str(file)).wait(timeout=PATIENCE) for _ in ("new", "up to date")] == [0, 0]


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
