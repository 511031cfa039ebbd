"""Storage of a trial's history: an SQLite file or a PostgreSQL database, reset before each trial."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Protocol

from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.storage.history import History
from scripts import postgresql

from .child import PATIENCE
from .state import State, copy_history, damages_of, remove_history, state_of

ENGINES = ("SQLite", "PostgreSQL")


class Place(Protocol):
    """Location of one history, with named copies that can be restored to it."""

    def typed(self) -> str:
        """Return the value of `--db` for this history."""

    def put(self, name: str | None) -> None:
        """Restore the copy of this name; None removes the history."""

    def keep(self, name: str) -> None:
        """Store a copy of the history under this name."""

    def written(self) -> int:
        """Return a counter of written bytes; only differences are meaningful."""

    def damages(self) -> list[str]:
        """Return the problems that `db check` finds in a copy of the history."""

    def state(self) -> State:
        """Return all rows of the history."""

    def left(self) -> list[str]:
        """Return leftovers of a command that has ended: files, or sessions and locks."""

    def strike(self, chance: Random) -> str | None:
        """End the database session of a command; return a description, or None if there is none."""

    def recover(self) -> None:
        """Wait until the database answers again."""


class FilePlace:
    """A history in an SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "history"
        self.folder.mkdir()
        self.file = self.folder / "history.db"
        self._kept = folder / "kept"
        self._kept.mkdir()

    def typed(self) -> str:
        """Return the path of the file."""
        return str(self.file)

    def put(self, name: str | None) -> None:
        """Empty the directory, then restore the copy of this name unless it is None."""
        remove_history(self.file)
        for left in self.folder.iterdir():
            left.unlink()
        if name is not None:
            copy_history(self._kept / name, self.file)

    def keep(self, name: str) -> None:
        """Copy the file together with its write-ahead log."""
        copy_history(self.file, self._kept / name)

    def written(self) -> int:
        """Return the size of the write-ahead log in bytes; 0 if there is none."""
        log = self.file.with_name(f"{self.file.name}-wal")
        try:
            return log.stat().st_size
        except OSError:
            return 0

    def damages(self) -> list[str]:
        """Return the problems that `db check` finds in a copy."""
        return damages_of(self.file, self._kept)

    def state(self) -> State:
        """Return all rows of the history."""
        return state_of(self.file)

    def left(self) -> list[str]:
        """Return the paths of other files in the directory of the history."""
        return sorted(str(path) for path in self.folder.iterdir() if path != self.file)

    def strike(self, chance: Random) -> str | None:  # noqa: ARG002 - a file has no processes
        """Do nothing: an SQLite file has no server process."""
        return None

    def recover(self) -> None:
        """Do nothing: a file is always available."""


class ServerPlace:
    """A history in a PostgreSQL database; its copies are databases of the same server."""

    NAME = "trial"
    LOOKED_AT = "looked_at"

    def __init__(self, server: postgresql.Server) -> None:
        self._server = server

    def typed(self) -> str:
        """Return the URL of the database."""
        return self._server.url(database=self.NAME).render_as_string(hide_password=False)

    def put(self, name: str | None) -> None:
        """Recreate the database from the copy of this name; None creates an empty one."""
        self._copy(name or "template1", self.NAME)

    def keep(self, name: str) -> None:
        """Copy the database into another one."""
        self._copy(self.NAME, _database(name))

    def _copy(self, source: str, target: str) -> None:
        of = source if source in {"template1", self.NAME} else _database(source)
        self._wait_for(lambda: not self._sessions(of), f"nobody to use {of}")
        self._run(f"DROP DATABASE IF EXISTS {target} WITH (FORCE)", f"CREATE DATABASE {target} TEMPLATE {of}")

    def written(self) -> int:
        """Return the bytes of log written since the server was created; 0 if it doesn't answer."""
        try:
            return int(self._ask("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))
        except OSError:
            return 0

    def damages(self) -> list[str]:
        """Return the problems that `db check` finds in a copy, made after all sessions have ended."""
        self.recover()
        self._copy(self.NAME, self.LOOKED_AT)
        url = self._server.url(database=self.LOOKED_AT)
        try:
            with History.open(url) as history:
                return history.check()
        except WorkflowHistoryError as error:
            return [str(error)]

    def state(self) -> State:
        """Return all rows of the history."""
        return state_of(self._server.url(database=self.NAME))

    def left(self) -> list[str]:
        """Return sessions and locks that outlive the command."""
        try:
            self._wait_for(lambda: not self._sessions(self.NAME), "its sessions to end")
        except TimeoutError as error:
            return [str(error)]
        query = "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
        locks = self._ask(f"{query} WHERE l.locktype = 'advisory' AND d.datname = '{self.NAME}'")
        return [f"{locks} locks"] if locks else []

    def strike(self, chance: Random) -> str | None:
        """End the command's session, or kill its server process, after which the server restarts.

        Returns a description, or None if the command has no session.
        """
        sessions = self._sessions(self.NAME)
        if not sessions:
            return None
        if chance.random() < 0.7:
            self._ask(f"SELECT pg_terminate_backend({sessions[0]})")
            return "database session ended"
        os.kill(sessions[0], signal.SIGKILL)
        return "database process killed, server restarted"

    def recover(self) -> None:
        """Wait until the server accepts connections."""

        def answers() -> bool:
            try:
                return bool(self._ask("SELECT 1"))
            except OSError:
                return False

        self._wait_for(answers, "the server to answer")

    def _sessions(self, database: str) -> list[int]:
        query = f"SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = '{database}'"  # noqa: S608 - a name
        return list(self._ask(query) or ())

    def _wait_for(self, come: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not come():
            if time.monotonic() > until:
                raise TimeoutError(f"waited {PATIENCE:.0f} s for {what}")
            time.sleep(0.01)

    def _run(self, *statements: str) -> None:
        for statement in statements:
            self._ask(statement)

    def _ask(self, statement: str) -> Any:
        """Run a statement in a new session; return the first value, or raise OSError if the server fails."""
        import psycopg  # noqa: PLC0415 - the driver is an extra

        address = self._server.url().set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            with closing(psycopg.connect(address, autocommit=True)) as connection:
                cursor = connection.execute(statement)
                return (cursor.fetchone() or [None])[0] if cursor.description else None
        except psycopg.OperationalError as error:
            raise OSError(str(error)) from error


def _database(name: str) -> str:
    return f"kept_{name.replace('-', '_').replace(' ', '_')}"
