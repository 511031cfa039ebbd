"""Start real servers and read their event streams."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.server.tests.support.patience import PATIENCE

PROGRAM = "app.server.core.workflow_history"
CHANGING = {"X-Workflow-History": "1"}


class Served:
    """A server running in its own process."""

    def __init__(self, process: subprocess.Popen[str], told: dict[str, Any]) -> None:
        self.process = process
        self.told = told
        self.address = str(told["address"]).rstrip("/")

    def get(self, path: str, **more: Any) -> httpx.Response:
        return httpx.get(f"{self.address}{path}", timeout=PATIENCE, **more)

    def post(self, path: str, headers: dict[str, str]) -> httpx.Response:
        return httpx.post(f"{self.address}{path}", timeout=PATIENCE, headers=headers)


@contextmanager
def serving(*arguments: str | Path, history: Path | str | None = None) -> Iterator[Served]:
    """Run a server until the block ends; `history` defaults to the one set in the environment."""
    which = [] if history is None else ["--db", str(history)]
    command = [sys.executable, "-m", PROGRAM, "--json", *which, "serve", "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            break
    try:
        yield Served(process, json.loads("".join(lines)))
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdout.close()


class Listener:
    """Receiver of a server's events; the first `sync` event contains the state before it connected."""

    def __init__(self, events: queue.Queue[tuple[str, Any] | None]) -> None:
        self._events = events
        self.heard: list[tuple[str, Any]] = []

    def until(self, is_it: Callable[[str, Any], bool]) -> Any:
        """Return the data of the next event for which `is_it` returns True."""
        while True:
            event = self._events.get(timeout=PATIENCE)
            assert event is not None, f"the stream ended; heard: {self.heard}"
            self.heard.append(event)
            if is_it(*event):
                return event[1]

    def history(self) -> Any:
        """Wait until the server reports a change of the history."""
        return self.until(lambda name, _: name == "history")

    def synced(self, is_it: Callable[[dict[str, Any]], bool] = lambda _: True) -> Any:
        """Wait until a sync has completed whose result satisfies `is_it`."""
        return self.until(
            lambda name, now: name == "sync" and now["state"] == "idle" and now["last"] and is_it(now["last"])
        )

    def now(self, is_it: Callable[[dict[str, Any]], bool]) -> Any:
        """Wait until the state of the sync satisfies `is_it`."""
        return self.until(lambda name, now: name == "sync" and is_it(now))

    def end(self) -> None:
        """Wait until the server ends the stream."""
        while (event := self._events.get(timeout=PATIENCE)) is not None:
            self.heard.append(event)


@contextmanager
def listening(served: Served, since: str | None = None) -> Iterator[Listener]:
    """Receive events until the block ends; the connection is open inside the block."""
    events: queue.Queue[tuple[str, Any] | None] = queue.Queue()
    with httpx.Client(timeout=PATIENCE) as client:
        asked = {} if since is None else {"since": since}
        with client.stream("GET", f"{served.address}/api/v1/events", params=asked) as answer:
            thread = threading.Thread(target=_hear, args=(answer, events), daemon=True)
            thread.start()
            try:
                yield Listener(events)
            finally:
                served.process.terminate()  # ends the stream
                thread.join(PATIENCE)


def _hear(answer: httpx.Response, events: queue.Queue[tuple[str, Any] | None]) -> None:
    name = ""
    try:
        for line in answer.iter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data":
                events.put((name, json.loads(value)))
    except httpx.HTTPError:
        pass
    events.put(None)
