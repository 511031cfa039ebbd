"""Backups restore completely, and the replaced history is kept."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.server.core.workflow_history import database
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import (
    ConnectionLostError,
    InvalidQueryError,
    WorkflowHistoryError,
)
from app.server.core.workflow_history.maintenance.backup import backup_history
from app.server.core.workflow_history.maintenance.restore import restore_history
from app.server.core.workflow_history.storage.connection.dialects.sqlite_files import (
    _is_in_use,
    is_without_wal,
)
from app.server.core.workflow_history.storage.history import History
from scripts.postgresql import Server

Put = Callable[[Path, Path], object]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A history with runs of which a backup knows the first alone."""
    file = tmp_path / "place" / "history.db"
    file.parent.mkdir()
    with History.open(file) as history:
        history.insert({"id": "first", "nl_input": "Add a CSV export"})
    return file


@pytest.fixture
def copy(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(file))
    copy = tmp_path / "copy.db"
    backup_history(copy)
    with History.open(file) as history:
        history.save([{"id": f"later-{number}", "nl_input": "x" * 4_000} for number in range(50)])
    return copy


def ids(file: Path) -> list[str]:
    with History.open(file) as history:
        assert history.check() == []
        return sorted(ref.id for ref in history.list_refs())


def leave_a_log(file: Path) -> Path:
    """Leave the log of the history there, as a process that is killed does."""
    log, kept = file.with_name(f"{file.name}-wal"), file.with_name("kept-log")
    with History.open(file) as history:
        history.insert({"id": "last", "nl_input": "y" * 40_000})
        shutil.copy(log, kept)
    kept.replace(log)
    assert log.stat().st_size
    return log


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# A log that is another's


@pytest.mark.parametrize("put", [shutil.copyfile, Path.replace], ids=["written over", "renamed"])
@pytest.mark.parametrize("words", [["list"], ["db", "verify"], ["db", "backup", "another.db"]], ids=" ".join)
def test_a_backup_beside_the_log_of_another_is_refused_and_stays_as_it_is(
    file: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, put: Put, words: list[str]
) -> None:
    monkeypatch.chdir(copy.parent)
    whole = copy.read_bytes()
    log = leave_a_log(file)
    put(copy, file)
    before = log.read_bytes()
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "Traceback" in done.output) == (1, False)
    assert "is the log of another database than history.db" in done.stderr
    assert "db restore FILE" in done.stderr
    assert (file.read_bytes(), log.read_bytes()) == (whole, before)
    file.rename(copy.with_name("away.db"))
    assert restore_history(copy.with_name("away.db")).runs == 1
    assert ids(file) == ["first"]


@pytest.fixture
def copied_by_hand(file: Path, tmp_path: Path) -> Path:
    """Another history, copied as it lay there while it was in use."""
    other, copied = tmp_path / "other" / "history.db", tmp_path / "copied" / "history.db"
    for path in (other, copied):
        path.parent.mkdir()
    with History.open(other) as history:
        history.save([{"id": f"other-{number}", "nl_input": "z" * 4_000} for number in range(30)])
    shutil.copyfile(other, copied)
    assert not is_without_wal(copied)
    return copied


@pytest.mark.parametrize("words", [["list"], ["db", "verify"], ["db", "backup", "another.db"]], ids=" ".join)
def test_a_file_copied_by_hand_beside_the_log_of_another_is_refused_and_stays_as_it_is(
    file: Path, copy: Path, copied_by_hand: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(copy.parent)
    log = leave_a_log(file)
    shutil.copyfile(copied_by_hand, file)
    before = file.read_bytes(), log.read_bytes()
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "Traceback" in done.output) == (1, False)
    assert "is the log of another database than history.db" in done.stderr
    assert (file.read_bytes(), log.read_bytes()) == before
    file.rename(copy.with_name("away.db"))
    assert restore_history(copy.with_name("away.db")).runs == 30
    assert len(ids(file)) == 30


def test_nothing_is_restored_from_a_file_beside_the_log_of_another(
    file: Path, copy: Path, copied_by_hand: Path
) -> None:
    shutil.copyfile(leave_a_log(file), copied_by_hand.with_name("history.db-wal"))
    whole = copied_by_hand.read_bytes()
    with pytest.raises(WorkflowHistoryError, match="is the log of another database than"):
        restore_history(copied_by_hand)
    assert copied_by_hand.read_bytes() == whole
    assert len(ids(file)) == 52


def test_what_lay_beside_the_log_of_another_is_kept_as_it_was_when_it_is_replaced(
    file: Path, copy: Path, copied_by_hand: Path
) -> None:
    leave_a_log(file)
    shutil.copyfile(copied_by_hand, file)
    kept = Path(restore_history(copy).kept)
    assert kept.read_bytes() == copied_by_hand.read_bytes()
    assert ids(file) == ["first"]


def test_whoever_opens_a_history_that_is_in_use_does_not_look_through_its_log(file: Path) -> None:
    asked = (
        "import sys, pathlib\n"
        "from app.server.core.workflow_history.storage.connection.dialects import sqlite_files as files"
    )
    asked += "; print(files._is_in_use(pathlib.Path(sys.argv[1])))"

    def elsewhere() -> str:
        command = [sys.executable, "-c", asked, str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    with History.open(file) as history:
        history.insert({"id": "second", "nl_input": "y" * 40_000})
        assert file.with_name("history.db-wal").stat().st_size
        assert (_is_in_use(file), elsewhere()) == (True, "True")
        assert [ref.id for ref in history.list_refs()] == ["first", "second"]
    leave_a_log(file)
    assert (_is_in_use(file), elsewhere()) == (False, "False")


def test_an_empty_log_of_another_is_no_harm(file: Path, copy: Path) -> None:
    for ending in ("-wal", "-shm"):
        file.with_name(f"{file.name}{ending}").touch()
    copy.replace(file)
    assert ids(file) == ["first"]


def test_a_history_whose_process_was_killed_has_all_that_its_log_holds(file: Path) -> None:
    leave_a_log(file)
    assert ids(file) == ["first", "last"]


# To restore


def test_a_history_is_restored_with_all_that_only_its_log_holds(file: Path, copy: Path) -> None:
    left = [copy.with_name(f"left.db{ending}") for ending in ("", "-wal")]
    with History.open(file) as history:
        history.insert({"id": "last"})
        for path in left:
            shutil.copyfile(str(path).replace(str(left[0]), str(file)), path)
    before = [path.read_bytes() for path in left]
    with closing(sqlite3.connect(f"{left[0].as_uri()}?immutable=1", uri=True)) as alone:
        assert alone.execute("SELECT count(*) FROM workflows WHERE id = 'last'").fetchone() == (0,)
    copy.replace(file)
    assert restore_history(left[0]).runs == 52
    assert {"first", "last", "later-49"} < set(ids(file))
    assert [path.read_bytes() for path in left] == before


def test_a_backup_takes_the_place_and_the_history_that_was_there_is_kept(file: Path, copy: Path) -> None:
    done = restore_history(copy)
    assert (done.file, done.source, done.runs) == (str(file), str(copy), 1)
    assert done.bytes == file.stat().st_size
    assert file.stat().st_mode & 0o077 == 0
    assert ids(file) == ids(copy) == ["first"]
    kept = Path(done.kept)
    assert names(file.parent) == sorted([file.name, kept.name])
    assert len(ids(kept)) == 51
    assert restore_history(kept).runs == 51  # and back again
    assert len(ids(file)) == 51


def test_a_history_with_its_log_is_kept_whole(file: Path, copy: Path) -> None:
    leave_a_log(file)
    done = restore_history(copy)
    assert ids(file) == ["first"]
    assert "last" in ids(Path(done.kept))


def test_a_backup_is_restored_where_no_history_is(
    file: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "new" / "history.db"))
    assert restore_history(copy).kept is None
    assert names(tmp_path / "new") == ["history.db"]


@pytest.mark.parametrize("damage", ["no database", "cut", "log of another"])
def test_a_damaged_history_is_replaced_and_kept(file: Path, copy: Path, damage: str) -> None:
    if damage == "log of another":
        log = leave_a_log(file)
        shutil.copyfile(copy, file)
        said = log.read_bytes()
    else:
        said = b"no database " * 1_000 if damage == "no database" else file.read_bytes()[:5_000]
        file.write_bytes(said)
    done = restore_history(copy)
    assert ids(file) == ["first"]
    kept = Path(done.kept)
    log = kept.with_name(f"{kept.name}-wal")
    assert said in {kept.read_bytes(), log.read_bytes() if log.exists() else b""}


def test_what_is_no_whole_history_is_not_restored(file: Path, copy: Path, tmp_path: Path) -> None:
    before = ids(file)
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE workflows SET spent_nanodollars = 7")
    connection.close()
    sqlite3.connect(tmp_path / "empty.db").close()
    (tmp_path / "text.db").write_text("no database, but long enough to be looked at" * 50)
    for name, error, said in (
        ("copy.db", WorkflowHistoryError, "copy is damaged"),
        ("empty.db", WorkflowHistoryError, "is not a history"),
        ("text.db", WorkflowHistoryError, "not an SQLite database"),
        ("none.db", WorkflowHistoryError, "does not exist"),
        ("", InvalidQueryError, "is a directory. Name a backup file"),
        ("place/history.db", InvalidQueryError, "is the history in use"),
    ):
        with pytest.raises(error, match=said):
            restore_history(tmp_path / name)
    assert ids(file) == before
    assert names(file.parent) == [file.name]


def test_nothing_is_restored_while_another_writes(file: Path, copy: Path) -> None:
    before = ids(file)
    with History.open(file) as writer, writer.transaction():
        writer.insert({"id": "being written"})
        with pytest.raises(WorkflowHistoryError, match="another program is using it"):
            restore_history(copy)
    assert ids(file) == sorted([*before, "being written"])
    with (
        History.open(file) as history,
        history.lock("sync-0123456789abcdef", "another sync runs"),
        pytest.raises(WorkflowHistoryError, match="another program is using it"),
    ):
        restore_history(copy)
    assert names(file.parent) == [file.name]


def test_a_restore_that_fails_leaves_the_history_as_it_was(
    file: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ids(file)

    def full(*_: object) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(WorkflowHistoryError, match="No space left"):
            restore_history(copy)
    assert ids(file) == before
    assert names(file.parent) == [file.name]


def test_a_server_has_no_file_to_replace(
    copy: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql.empty().render_as_string(hide_password=False)
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", url)
    with pytest.raises(InvalidQueryError, match="merge FILE"):
        restore_history(copy)


def test_the_command_says_what_it_did(file: Path, copy: Path) -> None:
    done = CliRunner().invoke(app, ["db", "restore", str(copy)])
    assert (done.exit_code, "1 run" in done.output, "previous history kept as" in done.output) == (
        0,
        True,
        True,
    )
    told = json.loads(CliRunner().invoke(app, ["db", "restore", str(copy), "--json"]).stdout)
    assert (told["runs"], Path(told["kept"]).exists()) == (1, True)


# Under programs that have it open


@pytest.mark.parametrize(
    "put", [shutil.copyfile, Path.replace, "restore"], ids=["written over", "renamed", "restored"]
)
def test_a_history_that_is_replaced_under_a_server_is_opened_anew(
    file: Path, copy: Path, put: Put | str
) -> None:
    with database.pooled_connections():
        assert len(database.get_workflow_history(limit=100)["workflows"]) == 51
        mark = database.change_token()
        database.insert_workflow({"id": "stored by the server"})
        assert database.get_workflow_history()["total"] == 52
        if isinstance(put, str):
            restore_history(copy)
        else:
            put(copy, file)
        assert database.change_token() != mark
        assert [run["id"] for run in database.get_workflow_history()["workflows"]] == ["first"]
        database.insert_workflow({"id": "after"})
        assert database.get_workflow_history()["total"] == 2
    assert ids(file) == ["after", "first"]


def test_a_writer_whose_history_was_replaced_says_so_and_writes_nowhere(file: Path, copy: Path) -> None:
    with History.open(file) as writer:
        writer.insert({"id": "before"})
        done = restore_history(copy)
        with pytest.raises(ConnectionLostError, match="another history was put in its place"):
            writer.insert({"id": "lost"})
    assert ids(file) == ["first"]
    assert "before" in ids(Path(done.kept))


def test_who_opens_a_history_meanwhile_gets_the_one_that_is_in_place(
    file: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, left = sqlite3.connect, [copy]

    def replaced(where: str, *given: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(where, *given, **named)
        if left and str(file) in where:
            left.pop().replace(file)
        return connection

    monkeypatch.setattr(sqlite3, "connect", replaced)
    assert ids(file) == ["first"]
    assert left == []


def test_the_locks_of_a_history_outlast_a_look_at_its_header(file: Path, copy: Path) -> None:
    """To close a file takes away all locks of the process on it, as POSIX has it."""
    with History.open(file) as history:
        history.list_refs()
        assert is_without_wal(file) is False
        code = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=0);"
            "print(c.execute('PRAGMA journal_mode = DELETE').fetchone()[0])"
        )
        ended = subprocess.run(  # noqa: S603 - Python itself
            [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False
        )
        assert "locked" in ended.stderr
