"""Trials with stop signals (SIGINT, SIGTERM) and with clocks that jump."""

from __future__ import annotations

import shutil
import signal
import time
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from app.server.core.workflow_history import sync
from app.server.core.workflow_history.storage import history

from ..child import run
from ..kills import at_a_time
from ..state import remove_history, state_of
from ..stories import Bench
from ..trying import Outcome, Verdict, calm, finish
from ..world import make_run, session, write

JUMPS = (  # days
    -3650, -400, -30, -2, -1, -0.1, -0.01, 0.01, 0.03, 0.1, 1, 2, 30, 400, 3650,
)  # fmt: skip


def interrupted(bench: Bench) -> Outcome:
    """Send SIGINT, as Ctrl-C does."""
    return _stopped(bench, signal.SIGINT)


def terminated(bench: Bench) -> Outcome:
    """Send SIGTERM, as an operating system or a supervisor does."""
    return _stopped(bench, signal.SIGTERM)


def _stopped(bench: Bench, number: int) -> Outcome:
    story = bench.chance.choice([*bench.syncs, bench.resync])
    verdict = Verdict(bench.scratch)
    _ = story.end
    story.put(bench.database)
    ended = at_a_time(bench, story, number)
    verdict.wrong += calm(ended, [0, 128 + number])
    verdict.look_at(bench.database, "after the stop")
    finish(bench, story, verdict)
    return verdict.outcome(ended)


def clock_jumps(bench: Bench) -> Outcome:
    """Run a sync with a wrong clock and some files dated in the future, then one with the right clock."""
    agents = bench.scratch / "clock" / "shop" / "agents"
    shutil.rmtree(agents, ignore_errors=True)
    for number in range(3):
        make_run(agents / f"run{number}", f"Add the import of part {number}", time.time() - 100_000)
    lines = session("at work", 0.5)
    for name, ahead in (("atwork", -1.0), ("ahead", 7200.0), ("faraway", 90 * 86_400.0)):
        write(agents / name / "sdlc_planner" / "raw_output.jsonl", lines[:-1], time.time() + ahead)
    words = ("sync", str(agents), "--quiet")
    verdict = Verdict(bench.scratch)
    right = bench.scratch / "right-clock.db"
    for file in (right, bench.database):
        remove_history(file)
    verdict.wrong += calm(run(words, right, bench.heard), [0])
    jump = timedelta(days=bench.chance.choice(JUMPS))
    ended = run(words, bench.database, bench.heard, hook=partial(_jump, jump))
    verdict.wrong += calm(ended, [0])
    verdict.look_at(bench.database, "by a wrong clock")
    verdict.wrong += calm(run(words, bench.database, bench.heard), [0])
    verdict.look_at(bench.database, "in the end")
    verdict.compare(state_of(bench.database), state_of(right))
    return verdict.outcome(ended, f"{jump.total_seconds() / 86_400:+g} days")


def _jump(by: timedelta) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + by

    for module in (sync, history):
        setattr(module, "datetime", Wrong)
