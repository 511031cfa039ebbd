"""The change token of a history changes with every write of any process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.server.core.workflow_history import database
from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.storage.connection import pool as kept_histories
from app.server.core.workflow_history.storage.connection.engine import connect
from app.server.core.workflow_history.storage.connection.url import database_url


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    with database.pooled_connections():
        yield


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def test_a_mark_stays_while_nothing_is_written(file: Path) -> None:
    database.insert_workflow({"id": "a"})
    first = database.change_token()
    assert first is not None
    database.get_workflow_by_id("a")
    assert database.change_token() == first


def test_a_mark_changes_with_what_any_connection_writes(file: Path) -> None:
    database.insert_workflow({"id": "a"})
    marks = [database.change_token()]
    database.insert_workflow({"id": "b"})
    marks.append(database.change_token())
    with sqlite3.connect(file) as other:
        other.execute("UPDATE workflows SET status = 'failed'")
    other.close()
    marks.append(database.change_token())
    assert len(set(marks)) == 3


def test_without_a_history_there_is_no_mark_and_none_is_made(file: Path) -> None:
    assert database.change_token() is None
    assert not file.exists()
    database.init_db()
    assert database.change_token() is not None


@pytest.mark.parametrize("asking", [database.change_token, lambda: database.get_workflow_by_id("a")])
def test_a_history_deleted_just_before_it_is_opened_comes_back_as_no_empty_one(asking, file, monkeypatch):
    database.init_db()

    def looked_at(url: object) -> object:
        found = _place(url)
        file.unlink(missing_ok=True)
        return found

    _place = kept_histories._identity
    monkeypatch.setattr(kept_histories, "_identity", looked_at)
    with pytest.raises(
        WorkflowHistoryError,
        match=r"(?i)history\.db: (it does not exist|the file does not exist|no such file)",
    ):
        asking()
    assert not file.exists()


@pytest.mark.parametrize("read_only", [False, True])
def test_an_open_history_serves_one_thread_after_the_other(read_only: bool, file: Path) -> None:
    database.insert_workflow({"id": "a"})
    with connect(database_url(file), read_only=read_only) as connection, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(connection.exec_driver_sql, "SELECT id FROM workflows")
        assert asked.result().scalar() == "a"


def test_a_mark_changes_when_another_file_takes_the_place(file: Path, tmp_path: Path) -> None:
    database.insert_workflow({"id": "a"})
    first = database.change_token()
    for name in ("history.db", "history.db-wal", "history.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    assert database.change_token() is None
    database.insert_workflow({"id": "b"})
    assert database.change_token() not in {None, first}


def test_a_file_that_is_no_history_says_so_when_asked_for_its_mark(file: Path) -> None:
    file.write_text("this is no database, and long enough to be read as the header of one" * 20)
    with pytest.raises(WorkflowHistoryError, match="not an SQLite database"):
        database.change_token()
