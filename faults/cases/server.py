"""A trial that stops the PostgreSQL server while a sync is running."""

from __future__ import annotations

import time
from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL

from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.storage.history import History
from scripts import postgresql

from ..child import run, start
from ..state import state_of
from ..stories import Bench, as_ever, in_batches, with_workers
from ..trying import Outcome, Verdict, calm


def is_there() -> bool:
    """Return whether a PostgreSQL server can be started and its driver is installed."""
    return postgresql.found() is not None and find_spec("psycopg") is not None


def restarted(bench: Bench) -> Outcome:
    """Stop the server at a random moment of a sync, cleanly or as in a crash, and start it again."""
    server = bench.kept("server", postgresql.running)
    words = ("sync", str(bench.young), "--quiet")
    end, seconds = bench.kept_value("sync by a server", lambda: _undisturbed(bench, server, words))
    place, verdict = server.empty(), Verdict(bench.scratch)
    child = start(
        words, _typed(place), bench.heard, hook=bench.chance.choice((as_ever, in_batches, with_workers))
    )
    child.wait_until_ready()
    time.sleep(bench.chance.random() * seconds)
    server.stop(bench.chance.choice(("immediate", "fast")))
    if bench.chance.random() < 0.5:
        time.sleep(bench.chance.random())
    server.start()
    ended = child.wait()
    verdict.wrong += calm(ended, [0, 1])
    verdict.wrong += [f"after the restart: {damage}" for damage in _damages(place)]
    again = run(words, _typed(place), bench.scratch / "next")
    verdict.wrong += [f"the next time: {wrong}" for wrong in calm(again, [0])]
    verdict.wrong += [f"in the end: {damage}" for damage in _damages(place)]
    verdict.compare(state_of(place), end)
    return verdict.outcome(ended)


def _undisturbed(bench: Bench, server: postgresql.Server, words: tuple[str, ...]) -> tuple[Any, float]:
    place = server.empty()
    ended = run(words, _typed(place), bench.heard)
    if ended.code:
        raise RuntimeError(f"undisturbed: {ended}")
    return state_of(place), ended.seconds


def _typed(place: URL) -> str:
    return place.render_as_string(hide_password=False)


def _damages(place: URL) -> list[str]:
    try:
        with History.open(place) as history:
            return history.check()
    except WorkflowHistoryError as error:
        return [str(error)]
