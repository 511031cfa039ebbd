"""Trials that truncate, corrupt or overwrite the files of the history."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from app.server.core.workflow_history.storage.history import History

from ..child import run
from ..state import remove_history
from ..stories import Bench, Story
from ..trying import Outcome, Verdict, calm, finish


def cut_log(bench: Bench) -> Outcome:
    """Truncate the write-ahead log, as a power loss may do."""
    return _spoilt(bench, partial(_cut, bench))


def garbled_log(bench: Bench) -> Outcome:
    """Overwrite some bytes of the write-ahead log."""
    return _spoilt(bench, partial(_garble, bench))


def _spoilt(bench: Bench, spoil: Any) -> Outcome:
    """Kill a sync before its log is checkpointed into the database, then corrupt the log."""
    story = bench.chance.choice(bench.syncs)
    _ = story.end
    story.put(bench.database)
    ended = story.start(bench.database, bench.heard, _die_before_settling).wait()
    verdict = Verdict(bench.scratch)
    if ended.signal != signal.SIGKILL:
        verdict.wrong.append(f"it was not killed: {ended}")
    Path(f"{bench.database}-shm").unlink(missing_ok=True)
    spoil(Path(f"{bench.database}-wal"))
    verdict.look_at(bench.database, "after the damage")
    finish(bench, story, verdict)
    return verdict.outcome(ended)


def _die_before_settling() -> None:
    def die(_: History) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(History, "flush", die)

    @event.listens_for(Engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA wal_autocheckpoint = 0")


def _cut(bench: Bench, log: Path) -> None:
    os.truncate(log, bench.chance.randrange(log.stat().st_size))


def _garble(bench: Bench, log: Path) -> None:
    with log.open("r+b") as file:
        for _ in range(4):
            file.seek(bench.chance.randrange(log.stat().st_size))
            file.write(bench.chance.randbytes(8))


def no_database(bench: Bench) -> Outcome:
    """Overwrite the first 100 bytes of the file, so that it is no longer a database."""
    story = bench.syncs[0]
    verdict = Verdict(bench.scratch)
    _ = story.end
    remove_history(bench.database)
    whole = bytearray(bench.known.read_bytes())
    whole[:100] = bench.chance.randbytes(100)
    bench.database.write_bytes(whole)
    ended = run(story.words, bench.database, bench.heard)
    verdict.wrong += calm(ended, [1])
    if bench.database.read_bytes() != whole:
        verdict.wrong.append("a file that is no database was written to")
    remove_history(bench.database)  # follow the advice of the message: move the file away and sync again
    finish(bench, story, verdict)
    return verdict.outcome(ended)


def damaged_pages(bench: Bench) -> Outcome:
    """Overwrite random pages of the database, sync, then restore an earlier copy."""

    def overwrite(file: Path) -> None:
        size = file.stat().st_size
        with file.open("r+b") as pages:
            for _ in range(bench.chance.randint(1, 12)):
                pages.seek(bench.chance.randrange(1, size // 4096) * 4096)
                pages.write(bench.chance.randbytes(4096))

    return _put_back(bench, overwrite)


def cut_database(bench: Bench) -> Outcome:
    """Truncate the database, sync, then restore an earlier copy."""

    def cut(file: Path) -> None:
        os.truncate(file, bench.chance.randrange(100, file.stat().st_size))

    return _put_back(bench, cut)


def _put_back(bench: Bench, damage: Any) -> Outcome:
    story: Story = bench.chance.choice([story for story in bench.syncs if story.before])
    verdict = Verdict(bench.scratch)
    story.put(bench.database)
    damage(bench.database)
    checked = run(("db", "verify"), bench.database, bench.heard)
    if checked.code != 1 or "Traceback" in checked.err:
        verdict.wrong.append(f"db check does not name the damage: {checked.code} {checked.err[-300:]}")
    ended = story.start(bench.database, bench.heard).wait()
    verdict.wrong += calm(ended, [0, 1])  # 0: the sync read no damaged page
    story.put(bench.database)
    finish(bench, story, verdict)
    return verdict.outcome(ended)
