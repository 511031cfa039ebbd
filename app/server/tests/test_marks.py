"""A history's mark changes when anything is written to it, by whomever."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from app.server.core.workflow_history import database
from app.server.core.workflow_history.store.location import database_url
from app.server.core.workflow_history.store.marks import Marker


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def test_a_mark_stays_while_nothing_is_written(file: Path) -> None:
    database.insert_workflow({"id": "a"})
    marker = Marker(database_url(file))
    first = marker.mark()
    assert first is not None
    assert marker.mark() == first
    marker.close()


def test_a_mark_changes_with_what_any_connection_writes(file: Path) -> None:
    database.insert_workflow({"id": "a"})
    marker = Marker(database_url(file))
    marks = [marker.mark()]
    database.insert_workflow({"id": "b"})
    marks.append(marker.mark())
    with sqlite3.connect(file) as other:
        other.execute("UPDATE workflows SET status = 'failed'")
    other.close()
    marks.append(marker.mark())
    assert len(set(marks)) == 3
    marker.close()


def test_without_a_history_there_is_no_mark_and_none_is_made(file: Path) -> None:
    marker = Marker(database_url(file))
    assert marker.mark() is None
    assert not file.exists()
    database.init_db()
    assert marker.mark() is not None
    marker.close()


def test_a_mark_changes_when_another_file_takes_the_place(file: Path, tmp_path: Path) -> None:
    database.insert_workflow({"id": "a"})
    marker = Marker(database_url(file))
    first = marker.mark()
    for name in ("history.db", "history.db-wal", "history.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    assert marker.mark() is None
    database.insert_workflow({"id": "b"})
    assert marker.mark() not in (None, first)
    marker.close()


def test_a_file_that_is_no_history_has_no_mark(file: Path) -> None:
    file.write_text("this is no database, and long enough to be read as the header of one" * 20)
    marker = Marker(database_url(file))
    assert marker.mark() is None
    marker.close()
