"""A large history to put questions to: runs of the demo under many names in, a database out."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

from . import subjects

_SOURCES = 240  # runs of the demo; the others are these under other names, at other times and costs
_BATCH = 2_000
_DAYS = 900  # over which the runs are spread
_PROJECTS = 5
_LIKES = 5  # runs that each is like, as a sync keeps them
_END = datetime(2026, 3, 31, 18, tzinfo=UTC)

Rows = dict[str, Any]


def make_history(scratch: Path, runs: int, database: Path) -> None:
    """Store so many runs with their agents, models, patterns and packed columns."""
    folder = Path(mkdtemp(prefix="asking-", dir=scratch))  # several cases make one
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
    """Return a run once more: another name, project, time and size of the same work, like those before it."""
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
