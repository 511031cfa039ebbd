"""Run a command of the program in a forked process and return how it ended.

The process is forked from one that has already imported everything, so each trial avoids the start-up time.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from app.server.core.workflow_history.cli.app import main

from .watching import PHASES, watch

PATIENCE = 600.0  # seconds after which a command counts as hanging, even on a busy machine

_READY = 24  # offset of the "ready" flag in the shared memory

Hook = Callable[[], None]


class HangsError(Exception):
    """Raised if a command does not end within `PATIENCE` seconds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Exit code, output and measurements of a command that ended."""

    code: int | None  # exit code; None if it was ended by a signal
    signal: int | None  # number of the signal; None if it exited by itself
    out: str
    err: str
    phase: str  # last phase, one of watching.PHASES
    seconds: float
    statements: int  # number of SQL statements
    log_bytes: int  # size of the write-ahead log before the database was closed


class Child:
    """A running command in a forked process."""

    def __init__(self, pid: int, heard: Path, seen: mmap.mmap) -> None:
        self.pid = pid
        self._heard = heard
        self._seen = seen
        self._begun = time.perf_counter()
        self._status: int | None = None

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None

    def wait_until_ready(self) -> None:
        """Wait until the process is set up and starts the command, or has ended."""
        while not self._seen[_READY] and not self.ended:
            time.sleep(0.0005)
        self._begun = time.perf_counter()

    def send(self, number: int) -> None:
        """Send a signal to the process if it is still running."""
        if not self.ended:
            os.kill(self.pid, number)

    def wait(self) -> Ended:
        """Wait until the process ends; raise HangsError after `PATIENCE` seconds."""
        until = time.perf_counter() + PATIENCE
        while not self.ended:
            if time.perf_counter() > until:
                self.send(signal.SIGKILL)
                raise HangsError(f"no end within {PATIENCE:.0f} s, while {PHASES[self._seen[0]]}")
            time.sleep(0.001)
        status = self._status or 0
        return Ended(
            os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
            _text(self._heard.with_suffix(".out")),
            _text(self._heard.with_suffix(".err")),
            PHASES[self._seen[0]],
            time.perf_counter() - self._begun,
            int.from_bytes(self._seen[8:16], "little"),
            int.from_bytes(self._seen[16:24], "little"),
        )


def start(
    words: Sequence[str],
    database: Path | str,
    heard: Path,
    *,
    hook: Hook | None = None,
    work: Hook | None = None,
) -> Child:
    """Start a command on a history in a forked process.

    `hook` runs in that process before the command. Its output is written to `heard` with the suffixes .out
    and .err. `work`, if given, runs instead of a command, like a Python program that uses the package.
    """
    seen = mmap.mmap(-1, 64)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Child(pid, heard, seen)
    return _be(words, database, heard, seen, hook, work or main)


def _be(  # noqa: PLR0917 - everything that a process starts from
    words: Sequence[str], database: Path | str, heard: Path, seen: mmap.mmap, hook: Hook | None, work: Hook
) -> NoReturn:
    """Run the command in this forked process and exit."""
    code = 1
    try:
        for number, ending in ((1, ".out"), (2, ".err")):
            file = os.open(heard.with_suffix(ending), os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
            os.dup2(file, number)
            os.close(file)
        os.environ["WORKFLOW_HISTORY_DB"] = str(database)
        sys.argv = ["workflow-history", *words]
        watch(seen, Path(f"{database}-wal"))
        if hook is not None:
            hook()
        seen[_READY] = 1
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - print a traceback and exit with 1, as Python does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(words: Sequence[str], database: Path | str, heard: Path, *, hook: Hook | None = None) -> Ended:
    """Run a command and wait until it ends."""
    return start(words, database, heard, hook=hook).wait()


def _text(file: Path) -> str:
    return file.read_text(errors="replace") if file.exists() else ""
