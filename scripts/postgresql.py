"""Start a temporary PostgreSQL server on a free port.

It is removed when the process ends: its data is in a temporary directory, and fsync is off.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from sqlalchemy import URL

MISSING = "no PostgreSQL server on this machine: install the package postgresql"
_PLACES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt")
_TRIES = 5  # attempts to find a port that no other process takes meanwhile
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}
_NUMBERS = count()


def found() -> Path | None:
    """Return the directory of the server's programs, or None if there is no server."""
    folders = [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep)]
    versions = [path for place in _PLACES for path in sorted(Path(place).glob("*/bin"), reverse=True)]
    return next((folder for folder in [*versions, *folders] if _is_there(folder)), None)


def _is_there(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("initdb", "pg_ctl", "postgres"))


@dataclass(frozen=True, slots=True)
class Server:
    """A temporary PostgreSQL server."""

    programs: Path  # directory of the server's programs
    folder: Path  # data directory
    port: int

    def url(self, *, user: str = "postgres", schema: str | None = None, database: str = "postgres") -> URL:
        """Return the URL of a database, or of one schema in it."""
        query = {} if schema is None else {"options": f"-csearch_path={schema}"}
        return URL.create(
            "postgresql+psycopg",
            username=user,
            host="127.0.0.1",
            port=self.port,
            database=database,
            query=query,
        )

    def empty(self) -> URL:
        """Create a new schema for one history and return its URL."""
        name = f"history_{next(_NUMBERS)}"
        self.run(f"CREATE SCHEMA {name}")
        return self.url(schema=name)

    def run(self, *statements: str) -> None:
        """Run SQL statements, each in its own transaction."""
        import psycopg  # noqa: PLC0415 - the driver is an extra

        address = self.url().set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload] - written by tests

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        options = " ".join(f"-c {name}='{value}'" for name, value in _SETTINGS.items())
        log = str(self.folder / "log")
        self._control("start", "-l", log, "-o", f"-p {self.port} {options}")

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server: `immediate` as in a crash, `fast` cleanly; both close all connections."""
        self._control("stop", "-m", mode)

    def _control(self, what: str, *more: str) -> None:
        _run([self.programs / "pg_ctl", what, "-w", "-s", "-D", self.folder, *more])


@contextmanager
def running() -> Iterator[Server]:
    """Start a server, yield it and stop it afterwards; raise RuntimeError if none is installed."""
    programs = found()
    if programs is None:
        raise RuntimeError(MISSING)
    home = Path(tempfile.mkdtemp(prefix="workflow-history-postgresql-"))
    try:
        if os.geteuid() == 0:  # the server refuses to run as root
            os.chown(home, *_other_user())
        server = _started(programs, home / "data")
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _started(programs: Path, data: Path) -> Server:
    # Its default collation is that of a language, as on many servers: our sort order must not depend on it.
    order = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
    usual = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8"]
    _run([*usual, *order])
    for left in reversed(range(_TRIES)):
        server = Server(programs, data, _free_port())
        try:
            server.start()
        except subprocess.CalledProcessError:
            if not left:
                raise
        else:
            return server
    raise AssertionError


def _run(command: list[Path | str]) -> None:
    user, group = _other_user() if os.geteuid() == 0 else (None, None)
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}
    subprocess.run(  # noqa: S603 - the server's own programs
        command,
        check=True,
        cwd="/",
        env=environment,
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _other_user() -> tuple[int, int]:
    names = {user.pw_name: user for user in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    return user.pw_uid, user.pw_gid


def main() -> int:
    """Print the directory of the server's programs; return 1 if there are none."""
    programs = found()
    sys.stdout.write(f"{programs or MISSING}\n")
    return 0 if programs is not None else 1


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
