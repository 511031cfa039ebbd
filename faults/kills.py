"""Kill a command at a random moment from outside, without its cooperation."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import Engine, event

from .child import Ended
from .stories import Bench, Story
from .trying import TOO_LATE, Outcome, Verdict, finish

Way = Callable[[Bench, Story], Ended]


def at_a_time(bench: Bench, story: Story, number: int = signal.SIGKILL) -> Ended:
    """Send a signal to the command after a random part of its usual duration."""
    delay = bench.chance.random() * story.usual.seconds * 1.05
    child = story.start(bench.database, bench.heard)
    child.wait_until_ready()
    time.sleep(delay)
    child.send(number)
    return child.wait()


def at_a_statement(bench: Bench, story: Story) -> Ended:
    """Kill the command before a random one of its SQL statements."""
    last = bench.chance.randint(1, max(1, story.usual.statements))
    return story.start(bench.database, bench.heard, partial(kill_before, last)).wait()


def while_it_writes(bench: Bench, story: Story) -> Ended:
    """Kill the command when the write-ahead log reaches a random size, possibly during a commit."""
    size = bench.chance.randint(1, max(1, story.usual.log_bytes))
    log = Path(f"{bench.database}-wal")
    child = story.start(bench.database, bench.heard)
    while not child.ended:
        if _size(log) >= size:
            child.send(signal.SIGKILL)
            break
    return child.wait()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # the file may not exist
        return 0


WAYS: tuple[Way, ...] = (at_a_time, at_a_statement, while_it_writes)


def killed(bench: Bench, story: Story, way: Way, *, times: int = 1) -> Outcome:
    """Kill a command `times` times in a row, check the history, then run it to the end and compare."""
    verdict = Verdict(bench.scratch)
    _ = story.end
    story.put(bench.database)
    ended = way(bench, story)
    verdict.look_at(bench.database, "after the kill")
    for _ in range(times - 1):
        way(bench, story)
        verdict.look_at(bench.database, "after the next kill")
    finish(bench, story, verdict)
    return verdict.outcome(ended, ended.phase if ended.signal else TOO_LATE)


def kill_before(last: int) -> None:
    """Kill this process before its SQL statement number `last` (from 1)."""
    seen = []
    parent = os.getpid()

    @event.listens_for(Engine, "before_cursor_execute")
    def count(*_: object) -> None:
        seen.append(1)
        if len(seen) == last and os.getpid() == parent:
            os.kill(parent, signal.SIGKILL)
