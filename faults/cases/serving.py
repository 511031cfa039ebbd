"""Trials that kill a web server or its sync worker while it watches a changed agents directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..child import PATIENCE, HangsError
from ..stories import Bench
from ..trying import Outcome, Verdict, calm
from ..yard import Yard
from .commands import yard_of

PROGRAM = "app.server.core.workflow_history"
LONGEST = 2.5  # seconds after the start: the latest moment of a kill; the first sync ends earlier


def possible(is_there: Callable[[], bool]) -> bool:
    """Return whether a server can be started and its worker can be found in /proc.

    `is_there` returns whether the database engine is available.
    """
    return is_there() and find_spec("uvicorn") is not None and Path("/proc/self/task").is_dir()


def killed(bench: Bench, engine: str) -> Outcome:
    """Kill the server or its worker at a random moment; the next sync has to complete the work."""
    yard = yard_of(bench, engine)
    command = yard.commands["later sync"]
    end = yard.undisturbed(command).end
    verdict = Verdict(bench.scratch)
    yard.put(command)
    process = _started(yard)
    time.sleep(bench.chance.random() * LONGEST)
    workers = _children(process.pid)
    is_worker = bool(workers) and bench.chance.random() < 0.5
    with suppress(ProcessLookupError):
        os.kill(workers[0] if is_worker else process.pid, signal.SIGKILL)
    if is_worker:
        verdict.wrong += _goes_on(process, yard.old)
    _, heard = process.communicate(timeout=PATIENCE)
    if "Traceback" in heard:
        verdict.wrong.append(f"a traceback: {heard[-600:]}")
    _wait_until(lambda: not any(map(_is_alive, workers)), "a worker outlives its server")
    verdict.wrong += [f"after the kill: {damage}" for damage in yard.place.damages()]
    again = yard.start(yard.sync).wait()
    verdict.wrong += [f"the next sync: {wrong}" for wrong in calm(again, [0])]
    verdict.wrong += [f"in the end: {what}" for what in (*yard.place.damages(), *yard.left(command))]
    verdict.compare(yard.place.state(), end)
    who = "the server's worker" if is_worker else "the server"
    return Outcome(who, None, heard.strip(), verdict.lost, verdict.doubled, tuple(verdict.wrong))


def _started(yard: Yard) -> subprocess.Popen[str]:
    """Start a server; return its process as soon as it accepts connections."""
    words = ["--json", "--db", yard.place.typed(), "serve", "--port", "0", str(yard.old)]
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **yard.surroundings()},
    )
    lines = []
    for line in process.stdout or ():
        lines.append(line)
        if line == "}\n":
            json.loads("".join(lines))
            return process
    raise RuntimeError(f"no server: {process.stderr and process.stderr.read()}")


def _goes_on(process: subprocess.Popen[str], folder: Path) -> list[str]:
    """Wait until the server has started another worker, stop the server cleanly and return the problems."""
    passing = folder / ".passing"  # forces a change, in case the killed worker had already finished

    def is_there() -> bool:
        passing.touch()
        passing.unlink()
        return bool(_children(process.pid)) or process.poll() is not None

    _wait_until(is_there, "no new worker comes")
    if process.poll() is not None:
        return [f"the server ended with its worker, by {process.returncode}"]
    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise HangsError("a server does not end") from None
    return [] if code in {0, 143, -signal.SIGTERM} else [f"the server ended with {code}"]


def _children(pid: int) -> list[int]:
    """Return the ids of the running child processes."""
    with suppress(OSError):
        found = [task / "children" for task in Path(f"/proc/{pid}/task").iterdir()]
        return [int(word) for file in found for word in file.read_text().split() if _is_alive(int(word))]
    return []


def _is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _wait_until(come: Callable[[], Any], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE
    while not come():
        if time.monotonic() > until:
            raise HangsError(otherwise)
        time.sleep(0.01)
