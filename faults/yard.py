"""Environment for killing commands on one engine: agents directories, initial histories, watched folders."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import update

from app.server.core.workflow_history import database
from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.maintenance import pruning
from app.server.core.workflow_history.maintenance.merge import merge_history
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import workflows
from scripts import postgresql

from .child import Child, Ended, Hook, start
from .places import FilePlace, Place, ServerPlace
from .state import State, copy_history, remove_history, state_of
from .stories import Bench, as_ever, in_batches, miscount, with_workers
from .world import DAY, change_world, make_run, make_world

SECRET = "ghp_" + "Zx8Kq2Lw9Rt4Yb7Nc1Vd6Mf3Hs5Jg0Pa2Qe"  # an invented token; no history may keep it
MINE = "workflow-history-mine"  # name of a user's file or folder, similar to the program's temporary ones

Made = State | bytes | None


@dataclass(frozen=True, slots=True)
class Command:
    """One writing command and the history it starts from."""

    name: str
    words: tuple[str, ...]
    before: str | None  # name of the initial history; None if there is none yet
    hook: Hook = as_ever
    work: Hook | None = None  # function that runs instead of a command
    then: tuple[str, ...] | None = None  # the sync that follows; None: of the changed agents directory
    made: Callable[[], Made] | None = None  # reads the file written besides the history, None if missing
    again: tuple[int, ...] = (0,)  # allowed exit codes if the command runs once more


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """Result of an undisturbed command and the sync after it."""

    ended: Ended
    written: int  # bytes written by the command, at least 1
    end: State
    made: Made


class Yard:
    """Directories, histories and commands for the trials on one engine."""

    def __init__(self, bench: Bench, engine: str) -> None:
        self.chance = bench.chance
        self.folder = bench.scratch / engine.lower()
        self.home, self.tmp, self.out = (self.folder / name for name in ("home", "tmp", "out"))
        for folder in (self.home, self.tmp, self.out):
            folder.mkdir(parents=True)
        self.heard = self.folder / "heard"
        self.young = bench.young
        self.old = self.folder / "old" / "shop" / "agents"
        self.sync = ("sync", str(self.old), "--quiet")
        self.place: Place = (
            FilePlace(self.folder)
            if engine == "SQLite"
            else ServerPlace(bench.kept("server", postgresql.running))
        )
        self.other = self.folder / "other.db"  # a history to merge
        self._keep_histories(bench.began)
        self.commands = {command.name: command for command in self._commands()}
        self._undisturbed: dict[str, Undisturbed] = {}

    def _keep_histories(self, began: float) -> None:
        """Create and keep the histories that commands start from."""
        make_world(self.old, began)
        self.place.put(None)
        self._must(self.sync)
        self.place.keep("known")
        self._make_other(began)
        self.place.put("known")
        change_world(self.old, began)
        self._must(self.sync)
        self.place.keep("settled")
        miscount(self.place.typed())
        self.place.keep("miscounted")
        self.place.put("settled")
        _plant_secrets(self.place.typed())
        self.place.keep("secrets")

    def _make_other(self, began: float) -> None:
        """Create a history of the unchanged agents directory and a second one, with three runs pruned."""
        mill = self.folder / "mill" / "agents"
        for number in range(12):
            make_run(mill / f"grind{number}", f"Grind the corn of part {number}", began - DAY)
        for agents in (self.old, mill):
            words = ("sync", str(agents), "--quiet")
            start(words, self.other, self.heard, hook=partial(_surround, self)).wait()
        with History.open(self.other) as history:
            history.prune([ref.key for ref in history.list_refs() if ref.project == "mill"][:3])

    def _must(self, words: Sequence[str]) -> None:
        ended = self.start(words).wait()
        if ended.code or ended.err:
            raise RuntimeError(f"{words}: {ended}")

    def _commands(self) -> list[Command]:
        copy, table, settings = self.out / "copy.db", self.out / "runs.jsonl", self.out / "settings.toml"
        young = ("sync", str(self.young), "--quiet")
        self.place.put("settled")
        with History.open(self.place.typed()) as history:
            pattern = history.pattern_totals()[0].id
            run = history.list_refs()[0]
        name = f"{run.project}/{run.id}"
        return [
            Command("first sync", young, None, in_batches, then=young),
            Command("first sync, with workers", young, None, with_workers, then=young),
            Command("later sync", self.sync, "known", in_batches),
            Command("later sync, with workers", self.sync, "known", with_workers),
            Command("resync", ("resync", "--all", "--quiet"), "miscounted"),
            Command("merge", ("merge", str(self.other), "--quiet"), "settled", _small_batches),
            Command("merge into a new history", ("merge", str(self.other), "--quiet"), None, _small_batches),
            Command(
                "db prune",
                ("db", "prune", "--older-than", "1d", "--keep", "6", "--yes", "--quiet"),
                "settled",
                _small_batches,
            ),
            Command(
                "db backup",
                ("db", "backup", str(copy), "--quiet"),
                "settled",
                _small_batches,
                made=partial(self._copied, copy),
                again=(0, 1),
            ),
            Command("db vacuum", ("db", "vacuum", "--quiet"), "settled"),
            Command("db scrub", ("db", "scrub", "--quiet"), "secrets"),
            Command("patterns accept", ("patterns", "accept", pattern, "--note", "made so"), "settled"),
            Command(
                "export",
                ("export", "runs", "--output", str(table), "--quiet"),
                "settled",
                made=partial(_bytes, table),
                again=(0, 1),
            ),
            Command(
                "check --init",
                ("check", "--init", "--config", str(settings), "--quiet"),
                "settled",
                made=partial(_bytes, settings),
                again=(0, 2),
            ),
            Command("insert and update in Python", (), "settled", work=partial(_insert_and_update, name)),
        ]

    def surroundings(self) -> dict[str, str]:
        """Return environment variables that redirect a program's files to this yard."""
        homes = ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
        return {
            **dict.fromkeys(homes, str(self.home)),
            "TMPDIR": str(self.tmp),
            "SQLITE_TMPDIR": str(self.tmp),
        }

    # --- one command

    def start(
        self,
        words: Sequence[str],
        command: Command | None = None,
        hook: Hook = as_ever,
        heard: str = "heard",
    ) -> Child:
        """Start a command in this environment.

        `hook` runs in its process before it; `heard` is the name of its output files.
        """

        def prepare() -> None:
            _surround(self)
            if command is not None:
                command.hook()
            hook()

        work = None if command is None else command.work
        return start(words, self.place.typed(), self.folder / heard, hook=prepare, work=work)

    def put(self, command: Command) -> None:
        """Restore the command's initial history, empty the directories and add some files of a user."""
        self.place.put(command.before)
        for folder in (self.tmp, self.out, self.home):
            shutil.rmtree(folder)
            folder.mkdir()
        for mine in self._mine():
            mine.parent.mkdir(parents=True, exist_ok=True)
            mine.write_text("mine")

    def _mine(self) -> list[Path]:
        return [
            self.out / ".copy.db.4242.part",
            self.out / f"{MINE}.part",
            self.tmp / MINE / "notes.txt",
            self.tmp / f".{MINE}.part" / "notes.txt",
        ]

    def written(self) -> int:
        """Return the bytes in all places that a command writes to; only differences are meaningful."""
        total = self.place.written()
        for top in (self.out, self.tmp):
            for folder, _, names in os.walk(top):
                for name in names:
                    with suppress(OSError):  # the file may be deleted meanwhile
                        total += Path(folder, name).stat().st_size
        return total

    def left(self, command: Command) -> list[str]:
        """Return leftovers of a killed command, and files of the user that are missing."""
        files = {path for folder in (self.out, self.tmp) for path in folder.rglob("*") if path.is_file()}
        targets = {Path(word) for word in command.words}
        folders = {path for path in self.out.iterdir() if path.is_dir()}
        tmp = {path for path in self.tmp.iterdir() if path.name not in {MINE, f".{MINE}.part"}}
        records = set(self.home.rglob("in-progress/*"))
        found = (files - set(self._mine()) - targets) | folders | tmp | records
        gone = [path for path in self._mine() if not path.is_file()]
        return [
            *(f"left behind: {path}" for path in sorted(found)),
            *(f"a user's file was removed: {path}" for path in gone),
            *(f"left behind: {what}" for what in self.place.left()),
            *self._secrets_in_the_file(command),
        ]

    def _secrets_in_the_file(self, command: Command) -> list[str]:
        """Search the database file and its log for the secret, if it was redacted in the rows."""
        if command.before != "secrets" or not isinstance(self.place, FilePlace):
            return []
        if any(SECRET in row for _, row in self.place.state()):
            return []  # killed before it redacted everything
        wal = self.place.file.with_name(f"{self.place.file.name}-wal")
        files = [file for file in (self.place.file, wal) if file.exists()]
        return [f"a secret in {file}" for file in files if SECRET.encode() in file.read_bytes()]

    def undisturbed(self, command: Command) -> Undisturbed:
        """Return the cached result of an undisturbed command and the next sync.

        Raises RuntimeError if one of them fails, prints an error or leaves something behind.
        """
        if command.name not in self._undisturbed:
            self.put(command)
            before = self.written()
            ended = self.start(command.words, command).wait()
            written = max(self.written() - before, ended.log_bytes, 1)
            wrong = self.place.damages()
            made = command.made() if command.made else None
            again = self.start(command.then or self.sync).wait()
            wrong += [*self.left(command), ended.err, again.err]
            if ended.code or again.code or any(wrong):
                raise RuntimeError(f"{command.name}, undisturbed: {ended} {again} {wrong}")
            self._undisturbed[command.name] = Undisturbed(ended, written, self.place.state(), made)
        return self._undisturbed[command.name]

    def _copied(self, copy: Path) -> Made:
        if not copy.exists():
            return None
        looked_at = self.folder / "looked-at-copy.db"
        copy_history(copy, looked_at)
        try:
            return state_of(looked_at)
        finally:
            remove_history(looked_at)


def _surround(yard: Yard) -> None:
    """Redirect the files of this process to the yard."""
    os.environ.update(yard.surroundings())
    tempfile.tempdir = None


def _small_batches() -> None:
    """Use small batches, so that a small history needs many transactions, like a large one."""
    merge_history.BATCH_RUNS = 5
    pruning.BATCH_RUNS = 5


def _plant_secrets(typed: str) -> None:
    """Store secrets, as an older version without redaction of them would have."""
    with History.open(typed) as history:
        keys = [ref.key for ref in history.list_refs()][::3]
        with history._writing() as connection:
            for key in keys:
                said = f"Deploy part {key} with {SECRET} to the shop"
                connection.execute(update(workflows).where(workflows.c.key == key).values(nl_input=said))


def _bytes(file: Path) -> Made:
    return file.read_bytes() if file.exists() else None


def _insert_and_update(name: str) -> None:
    """Store runs through the Python API; print one line and exit with 1 if that fails."""
    try:
        _store_runs(name)
    except WorkflowHistoryError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(1) from error


def _store_runs(name: str) -> None:
    for number in range(4):
        run = {
            "id": f"mine-{number}",
            "project": "own",
            "nl_input": f"Write page {number}",
            "status": "completed",
        }
        database.insert_workflow(run)
        database.update_workflow(f"own/mine-{number}", {"total_cost": 0.25})
    database.update_workflow(name, {"error_message": "seen by hand"})
