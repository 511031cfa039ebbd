"""A read-only history can be read, and commands that write report it."""

from __future__ import annotations

import ctypes
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.paths import ROOT

DROP_FROM_BOUNDING_SET, MAY_WRITE_ANYWHERE = 24, 1  # prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE)


def heed_permissions() -> None:
    """Let the permissions of files hold for root too, in the program that this process becomes."""
    if os.geteuid() == 0:
        failed = ctypes.CDLL(None, use_errno=True).prctl(DROP_FROM_BOUNDING_SET, MAY_WRITE_ANYWHERE, 0, 0, 0)
        assert not failed, os.strerror(ctypes.get_errno())


def type_in(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.server.core.workflow_history", "--db", str(file), *words]
    return subprocess.run(  # noqa: S603 - this very program
        command, cwd=ROOT, capture_output=True, text=True, preexec_fn=heed_permissions, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a history of one run; it is writable again at the end."""
    folder = tmp_path / "kept"
    folder.mkdir()
    with History.open(folder / "history.db") as history:
        history.save([{"id": "aaaa1111", "project": "shop", "nl_input": "Add CSV export", "total_cost": 1.5}])
    yield folder
    folder.chmod(0o755)


def lock(folder: Path, *, files: bool = True, itself: bool = True) -> None:
    if files:
        for file in folder.iterdir():
            file.chmod(0o444)
    if itself:
        folder.chmod(0o555)


@pytest.mark.parametrize("locked", [{"files": False}, {"itself": False}, {}], ids=["folder", "file", "both"])
def test_every_question_is_answered_from_a_history_that_cannot_be_written(folder, locked):
    lock(folder, **locked)
    file = folder / "history.db"
    for words in (
        ["list", "-q"],
        ["show", "aaaa1111"],
        ["stats"],
        ["db", "verify"],
        ["similar", "--text", "CSV"],
    ):
        asked = type_in(file, *words)
        assert (asked.returncode, asked.stderr) == (0, ""), words
    assert type_in(file, "list", "-q").stdout == "shop/aaaa1111\n"


def test_what_has_to_be_written_is_refused_in_one_line_that_says_why(folder):
    state = folder.parent / "shop" / "agents" / "bbbb2222" / "adw_state.json"
    state.parent.mkdir(parents=True)
    state.write_text('{"adw_id": "bbbb2222", "status": "completed"}', "utf-8")
    lock(folder)
    refused = type_in(folder / "history.db", "sync", str(folder.parent / "shop"))
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "it is read-only: the file or its directory cannot be written" in refused.stderr


def test_changes_that_wait_in_a_log_are_never_left_out(folder, tmp_path):
    file, open_still = folder / "history.db", sqlite3.connect(folder / "history.db")
    open_still.execute("UPDATE workflows SET id = 'bbbb2222'")
    open_still.commit()
    copied = tmp_path / "copied"
    copied.mkdir()
    for name in ("history.db", "history.db-wal"):
        shutil.copy(folder / name, copied / name)
    lock(folder, files=False)
    assert type_in(file, "list", "-q").stdout == "shop/bbbb2222\n", "the shared memory is there"
    lock(copied)
    refused = type_in(copied / "history.db", "list", "-q")
    copied.chmod(0o755)
    open_still.close()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "if it has a -wal file" in refused.stderr


def test_a_history_of_an_unreleased_version_that_cannot_be_written_is_refused_by_name(folder):
    with sqlite3.connect(folder / "history.db") as connection:
        connection.execute("UPDATE workflow_history_version SET version_num = '0007'")
    connection.close()
    lock(folder)
    refused = type_in(folder / "history.db", "list")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "created by an unreleased version (revision 0007)" in refused.stderr
