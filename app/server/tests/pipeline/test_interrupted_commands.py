"""A command interrupted anywhere leaves a sound history, and the next command finishes its work."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, update
from typer.testing import CliRunner

from app.server.core.workflow_history import database, resync, sync
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.temporary_files import remove_leftovers, scratch_folder
from app.server.core.workflow_history.maintenance import pruning
from app.server.core.workflow_history.maintenance.backup import vacuum_history
from app.server.core.workflow_history.maintenance.merge import merge_history as merging
from app.server.core.workflow_history.maintenance.merge.merge_history import merge_history
from app.server.core.workflow_history.maintenance.pruning import prune_history
from app.server.core.workflow_history.maintenance.retention_rules import parse_rule
from app.server.core.workflow_history.pipeline import batches
from app.server.core.workflow_history.storage.connection.dialects import sqlite
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import workflows
from app.server.tests.support.build import assistant, init, result, run, stream, tool_use
from app.server.tests.support.paths import ROOT
from app.server.tests.support.thoroughness import sample
from faults.places import FilePlace, Place, ServerPlace
from faults.stories import miscount

SECRET = "ghp_" + "Zx8Kq2Lw9Rt4Yb7Nc1Vd6Mf3Hs5Jg0Pa2Qe"
WORD = SECRET[4:].lower().encode()  # as the search index keeps it
RUNS = 8
MOST = 2  # statements within transactions before which each command is stopped


class StoppedError(BaseException):
    """The process ends here."""


def make_runs(agents: Path, numbers: range, *, cost: float = 0.5) -> Path:
    for number in numbers:
        name = f"run{number}"
        state = {"status": "completed", "nl_input": f"Add the CSV export of part {number}"}
        call = tool_use(f"t-{name}", command="make test")
        made = run(agents, name, {**state, "created_at": f"2020-01-0{number + 1}T12:00:00Z"})
        stream(
            made, "planner", init(name), assistant(f"m-{name}", content=[call]), result(cost, session=name)
        )
    return agents


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Name a place for the history in use, once on each engine."""
    if request.param == "sqlite":
        (tmp_path / "place").mkdir()
        found: Place = FilePlace(tmp_path / "place")
    else:
        found = ServerPlace(request.getfixturevalue("postgresql"))
        found.put(None)
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", found.typed())
    return found


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    return make_runs(tmp_path / "shop" / "agents", range(RUNS))


@pytest.fixture
def other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a history of another folder, which knows of a run that was pruned."""
    file = tmp_path / "other.db"
    with monkeypatch.context() as patched:
        patched.setenv("WORKFLOW_HISTORY_DB", str(file))
        do_sync(make_runs(tmp_path / "mill" / "agents", range(6)))
    with History.open(file) as history:
        history.prune([history.list_refs()[0].key])
        pattern = history.pattern_totals()[0].id
        history.decide_pattern(pattern, "accepted", "a script")
    return file


def do_sync(agents: Path) -> dict[str, Any]:
    return sync.sync_workflow_history(silent=True, agents_dir=agents)


def plant_secrets(typed: str) -> None:
    with History.open(typed) as history, history._writing() as connection:
        connection.execute(update(workflows).values(nl_input=f"Deploy the shop with {SECRET}"))


def prepare(place: Place, agents: Path, name: str) -> None:
    """Keep the history that a command starts from."""
    if name != "merge into a new history":
        do_sync(agents)
    if name == "scrub":
        plant_secrets(place.typed())
    if name == "resync":
        miscount(place.typed())
    if name == "sync":
        make_runs(agents, range(RUNS, RUNS + 1))
        make_runs(agents, range(3), cost=0.75)
    place.keep("before")


def insert_and_update() -> None:
    database.insert_workflow({"id": "mine", "project": "own", "nl_input": "Add a CSV export"})
    database.update_workflow("own/mine", {"total_cost": 0.25})


def decide() -> None:
    with database.open_required() as history:
        history.decide_pattern(history.pattern_totals()[0].id, "dismissed", "once only")


def commands(agents: Path, other: Path) -> dict[str, Callable[[], object]]:
    old = [parse_rule({"older_than": "1d", "keep": 3})]
    return {
        "sync": partial(do_sync, agents),
        "resync": partial(resync.resync_all_completed_workflows, None),
        "prune": partial(prune_history, old, dry_run=False),
        "merge": partial(merge_history, other),
        "merge into a new history": partial(merge_history, other),
        "scrub": database.redact,
        "vacuum": vacuum_history,
        "insert and update": insert_and_update,
        "decide on a pattern": decide,
    }


NAMES = tuple(commands(Path(), Path()))


SEEN = ("before_cursor_execute", "commit")


@contextmanager
def noting() -> Iterator[list[str]]:
    """Note each statement, and the end of each transaction."""
    seen: list[str] = []

    def note(kind: str, *_: object, **__: object) -> None:
        seen.append(kind)

    with listening({kind: partial(note, kind) for kind in SEEN}):
        yield seen


@contextmanager
def stopping_at(number: int) -> Iterator[None]:
    """Stop before the statement or the commit of this number."""
    seen: list[int] = []

    def count(*_: object, **__: object) -> None:
        seen.append(1)
        if len(seen) == number:
            raise StoppedError

    with listening(dict.fromkeys(SEEN, count)):
        yield


@contextmanager
def listening(listeners: dict[str, Callable[..., None]]) -> Iterator[None]:
    for kind, listener in listeners.items():
        event.listen(Engine, kind, listener)
    try:
        yield
    finally:
        for kind, listener in listeners.items():
            event.remove(Engine, kind, listener)


def moments(seen: list[str], place: Place) -> list[int]:
    """Return every commit, what follows on one, and some statements; on a server some of the commits."""
    ends = {number for number, kind in enumerate(seen, 1) if kind == "commit"}
    if isinstance(place, ServerPlace):  # a history is copied there slowly
        return sample(sorted(ends)[:: max(1, len(ends) // 3)])
    after = {number + 1 for number in ends if number < len(seen)}
    return sample(sorted(ends | after | set(range(1, len(seen) + 1, max(1, len(seen) // MOST)))))


def damages_if_any() -> list[str]:
    """Return what is wrong with the history; one that was not made yet has nothing wrong."""
    return database.check() if database.history_exists() else []


@pytest.mark.parametrize("name", NAMES)
def test_a_command_that_is_stopped_anywhere_is_finished_by_the_next(
    place: Place, agents: Path, other: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (merging, pruning):
        monkeypatch.setattr(module, "BATCH_RUNS", 2)
    monkeypatch.setattr(batches, "MAX_BATCH_RUNS", 2)
    do = commands(agents, other)[name]
    prepare(place, agents, name)
    place.put("before")
    with noting() as seen:
        do()
    do_sync(agents)
    expected = place.state()
    damages = damages_if_any
    for number in moments(seen, place):
        place.put("before")
        with stopping_at(number), suppress(StoppedError):
            do()
        assert damages() == [], number
        if number % 2 and "new history" not in name:  # either the same command or a sync comes next
            do_sync(agents)
            assert damages() == [], number
        do()
        do_sync(agents)
        assert damages() == [], number
        assert place.state() == expected, number


# What the steps of one command leave


def pruned_once(place: Place, agents: Path) -> None:
    """Leave what a prune leaves that is killed after its first step."""
    do_sync(agents)
    with History.open(place.typed()) as history:
        history.prune([ref.key for ref in history.list_refs()][2:4])


def lists_of(place: Place) -> set[str]:
    return {row for table, row in place.state() if table == "similar_pairs"}


def test_a_prune_that_is_stopped_after_a_step_leaves_lists_without_gaps(place: Place, agents: Path) -> None:
    pruned_once(place, agents)
    assert database.check() == []
    assert lists_of(place)


@pytest.mark.parametrize("following", ["sync", "prune", "vacuum", "merge"])
def test_lists_that_a_stopped_prune_left_are_made_anew_by_the_next_command(
    place: Place, agents: Path, other: Path, following: str
) -> None:
    pruned_once(place, agents)
    none = [parse_rule({"older_than": "20y"})]
    do: dict[str, Callable[[], object]] = {
        "sync": partial(do_sync, agents),
        "prune": partial(prune_history, none, dry_run=False),
        "vacuum": vacuum_history,
        "merge": partial(merge_history, other),
    }
    do[following]()
    with History.open(place.typed()) as history:
        assert history.similarity().stale_runs("") == [] or not history.column_cache_is_stale()
    left = place.state()
    do_sync(agents)
    assert place.state() == left


def test_a_merge_into_a_new_history_that_is_stopped_still_brings_what_was_pruned(
    place: Place, agents: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "BATCH_RUNS", 2)

    def stop(*_: object) -> None:
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(merging.Merge, "_merge_other_tables", stop)
        with pytest.raises(StoppedError):
            merge_history(other)
    merge_history(other)
    with History.open(place.typed()) as history:
        assert [row["project"] for row in history.merge_store().pruned()] == ["mill"]


@pytest.mark.parametrize("following", ["sync", "scrub", "vacuum", "resync"])
def test_a_scrub_that_is_stopped_before_the_files_are_erased_is_finished_by_the_next_command(
    tmp_path: Path, agents: Path, monkeypatch: pytest.MonkeyPatch, following: str
) -> None:
    file = tmp_path / "history.db"
    do_sync(agents)
    plant_secrets(str(file))

    def stop(*_: object) -> None:
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "_run_outside_transaction", stop)
        with pytest.raises(StoppedError):
            database.redact()
    assert database.check() == []
    assert WORD in file.read_bytes()
    commands(agents, Path())[following]()
    assert WORD not in file.read_bytes()
    with History.open(file) as history, history._reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM unfinished").scalar() == 0


def test_a_sync_goes_on_if_another_program_keeps_the_files_from_being_erased(
    tmp_path: Path, agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_sync(agents)
    plant_secrets(str(tmp_path / "history.db"))

    def stop(*_: object) -> None:
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(sqlite, "_run_outside_transaction", stop)
        with pytest.raises(StoppedError):
            database.redact()
        patched.setattr(sqlite, "_run_outside_transaction", lambda *_: None)
        patched.setattr(sqlite, "_pragma", partial(busy, sqlite._pragma))
        do_sync(agents)
    assert WORD in (tmp_path / "history.db").read_bytes()
    do_sync(agents)
    assert WORD not in (tmp_path / "history.db").read_bytes()


def busy(pragma: Callable[..., Any], connection: Any, name: str) -> Any:
    return 1 if "TRUNCATE" in name else pragma(connection, name)


# Files that a killed process leaves


def killed(code: str, **environment: str) -> None:
    """Run Python code that ends by its own SIGKILL."""
    begun = "import os, signal\ndie = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
    ended = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", begun + code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


DIES = {
    "backup": """
from app.server.core.workflow_history.maintenance import backup
backup.verify_copy = die
backup.backup_history({target!r})
""",
    "export": """
import os
os.fsync = die
from app.server.core.workflow_history.cli.app import app
app(["export", "runs", "--output", {target!r}])
""",
    "settings": """
import os
os.link = die
from app.server.core.workflow_history.cli.app import app
app(["budget", "init", "--config", {target!r}])
""",
    "scratch folder": """
from app.server.core.workflow_history.common.temporary_files import scratch_folder
with scratch_folder() as folder:
    (folder / "part").write_text("half")
    die()
""",
    "sync": """
from app.server.core.workflow_history import sync
sync._run_stages = die
sync.sync_workflow_history(silent=True, agents_dir={agents!r})
""",
}


@pytest.mark.parametrize("following", [["list"], ["db", "verify"], ["stats"]], ids=" ".join)
@pytest.mark.parametrize("name", DIES)
def test_the_next_command_removes_what_a_killed_one_left_and_nothing_else(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, following: list[str]
) -> None:
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    for folder in (out, temporary):
        folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    do_sync(agents)
    mine = [
        out / ".copy.jsonl.4242.part",
        temporary / "workflow-history-mine",
        temporary / ".workflow-history-0123456789abcdef.part",  # ours by its name, but no record has it
        tmp_path / "history.db-sync-mine.lock",
    ]
    for file in mine:
        file.write_text("mine")
    before = everything(tmp_path)
    killed(DIES[name].format(target=str(out / "copy.jsonl"), agents=str(agents)))
    assert everything(tmp_path) - before
    assert CliRunner().invoke(app, following).exit_code == 0
    assert everything(tmp_path) == before
    assert [file.read_text() for file in mine] == ["mine"] * len(mine)


def everything(top: Path) -> set[Path]:
    """Return all there is but for the log of an open history."""
    return {path for path in top.rglob("*") if not path.name.endswith(("-wal", "-shm"))}


def records() -> list[Path]:
    return sorted(Path(os.environ["HOME"]).rglob("in-progress/*"))


def test_a_folder_that_is_in_use_stays() -> None:
    with scratch_folder() as folder:
        remove_leftovers()
        assert folder.is_dir()
        assert len(records()) == 1
    assert not folder.exists()
    assert records() == []


DIES_HERE = """
from pathlib import Path
from app.server.core.workflow_history.common.temporary_files import scratch_folder
with scratch_folder(Path({parent!r})) as folder:
    (folder / "history.db").write_text("half")
    die()
"""


def test_a_killed_backup_of_a_container_that_is_gone_blocks_none_and_is_removed(
    agents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_sync(agents)
    disk = tmp_path / "disk"
    disk.mkdir()
    monkeypatch.setattr(os, "getpid", lambda: 1)  # as in each container
    with scratch_folder(disk) as at_work:
        (at_work / "part").write_text("another's")
        for state in ("first", "second"):  # records go with their container
            monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / state))
            killed(DIES_HERE.format(parent=str(disk)))
            shutil.rmtree(tmp_path / state)
            assert CliRunner().invoke(app, ["db", "backup", str(disk / f"{state}.db")]).exit_code == 0
            assert {path.name for path in disk.iterdir()} - {"first.db", "second.db"} == {at_work.name}
        assert (at_work / "part").read_text() == "another's"
    mine = disk / ".workflow-history-0123456789abcdef.part"
    mine.mkdir()
    (mine / "notes.txt").write_text("no lock of ours is in it")
    with scratch_folder(disk):
        assert (mine / "notes.txt").exists()


def test_a_folder_that_is_taken_for_a_leftover_while_it_is_made_gets_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Path] = []
    mkdir = Path.mkdir

    def take(self: Path, *given: Any, **named: Any) -> None:
        mkdir(self, *given, **named)
        if self.parent == tmp_path and not taken:
            taken.append(self)
            self.rmdir()

    monkeypatch.setattr(Path, "mkdir", take)
    with scratch_folder(tmp_path) as folder:
        assert taken != [folder]
        assert folder.is_dir()


@pytest.mark.parametrize(
    ("host", "name", "is_removed"),
    [
        (platform.node(), ".workflow-history-0123456789abcdef.part", True),
        (platform.node(), ".workflow-history-fedcba9876543210.part", False),
        (platform.node(), "documents", False),
        ("another machine", ".workflow-history-0123456789abcdef.part", False),
    ],
    ids=["ours", "of another record", "a folder of the user", "of another machine"],
)
def test_only_the_folder_of_a_record_of_this_machine_is_removed(
    tmp_path: Path, host: str, name: str, is_removed: bool
) -> None:
    with scratch_folder():
        (record,) = records()
    folder = tmp_path / name
    folder.mkdir()
    (record.parent / "0123456789abcdef").write_text(f"{host}\n{folder}")
    remove_leftovers()
    assert folder.exists() is not is_removed


def test_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    with scratch_folder():
        (record,) = records()
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "letter.txt").write_text("mine")
    (tmp_path / ".workflow-history-0123456789abcdef.part").symlink_to(documents)
    (record.parent / "0123456789abcdef").write_text(
        f"{platform.node()}\n{tmp_path}/.workflow-history-0123456789abcdef.part"
    )
    remove_leftovers()
    assert (documents / "letter.txt").read_text() == "mine"


def test_what_lies_on_a_disk_that_is_away_is_removed_once_it_is_back(tmp_path: Path) -> None:
    with scratch_folder():
        (record,) = records()
    disk, away = tmp_path / "disk", tmp_path / "away"
    folder = disk / ".workflow-history-0123456789abcdef.part"
    folder.mkdir(parents=True)
    (record.parent / "0123456789abcdef").write_text(f"{platform.node()}\n{folder}")
    disk.rename(away)
    remove_leftovers()
    away.rename(disk)
    remove_leftovers()
    assert not folder.exists()
    assert records() == []


def test_a_command_goes_on_if_nothing_can_be_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "file"))
    with scratch_folder(tmp_path) as folder:
        assert folder.is_dir()
    assert not folder.exists()
