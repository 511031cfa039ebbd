"""Create a large history to query, from copies of demo runs with other ids, times and costs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

from . import subjects

_SOURCES = 240  # number of demo runs; all runs are copies of them with other ids, times and costs
_BATCH = 2_000  # runs per transaction
_DAYS = 900  # period over which the runs are spread
_PROJECTS = 5
_LIKES = 5  # similar runs stored per run, as many as a sync stores
_END = datetime(2026, 3, 31, 18, tzinfo=UTC)

Rows = dict[str, Any]


def make_history(scratch: Path, runs: int, database: Path) -> None:
    """Store `runs` runs with their agents, models, patterns and packed columns."""
    folder = Path(mkdtemp(prefix="asking-", dir=scratch))  # several cases create a history
    sources = subjects.demo_runs(folder, min(_SOURCES, runs), _END)
    batches = _batches(sources, runs)
    subjects.save_with_patterns(database, batches)


def _batches(sources: list[tuple[Rows, list[Rows]]], runs: int) -> Iterator[list[tuple[Rows, list[Rows]]]]:
    source = Random(4)
    likes: deque[Rows] = deque(maxlen=_LIKES)
    for start in range(0, runs, _BATCH):
        yield [
            _again(source, *source.choice(sources), likes) for _ in range(start, min(start + _BATCH, runs))
        ]


def _again(source: Random, run: Rows, patterns: list[Rows], likes: deque[Rows]) -> tuple[Rows, list[Rows]]:
    """Return a copy of a run with another id, project, time and size, similar to the runs before it."""
    factor = source.lognormvariate(0, 0.3)
    moment = _END - timedelta(days=_DAYS * source.random())
    known = {key: run[key] for key in ("total_cost", "duration_seconds") if run[key] is not None}
    name = {"id": f"{source.getrandbits(48):012x}", "project": f"shop-{source.randrange(_PROJECTS)}"}
    similar = list(likes)
    likes.append({**name, "similarity_score": 0.5 + source.random() / 2})
    return {
        **run,
        **name,
        "similar_workflows": similar,
        "created_at": moment.isoformat(),
        "started_at": moment.isoformat(),
        "nl_input": f"{run['nl_input']} ticket{source.randrange(100_000)}",
        **{key: value * factor for key, value in known.items()},
    }, patterns
