"""Case: requests per second for lists from another process, and the response time of the first page."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from ..asking import make_history
from ..bench import Bench
from ..load import Load
from ..results import Measure, Row, Target
from ..series import Series
from ..served import server
from ..sizes import FULL

_CONNECTIONS = 8
_LEAST = 300  # requests per second
_PAGE = 0.300  # seconds
_PAGES = 7

_LIST = "/api/v1/runs"
_QUERIES = (
    "", "sort=cost", "sort=cost&order=asc", "sort=duration", "sort=tokens", "sort=quality", "sort=model",
    "offset=50", "offset=500", "offset=5000", "status=failed", "status=completed", "status=failed&sort=cost",
    "template=adw_sdlc_iso", "template=adw_plan_build_iso", "cost=1..", "cost=..0.5", "cost=2..3",
    "tokens=100k..", "duration=5m..1h", "error=true", "error=false", "phase=review", "phase=plan",
    "agent=sdlc_planner", "model=opus", "search=csv", "search=export+page", "since=2025-09-01",
    "until=2025-09-01",
)  # fmt: skip
"""Queries with filters, sort orders and offsets; `_pages` adds pages by cursor."""


def measure(bench: Bench, _series: Series) -> list[Row]:
    """Return rows for lists with and without the response cache, and one for the first page."""
    database = bench.new_database()
    bench.say(f"a history of {bench.size.rows:,} runs to serve")
    make_history(bench.scratch, bench.size.rows, database)
    rows = []
    for kept in (2.0, 0.0):
        with server(database, kept) as port:
            paths = _known(port, [f"{_LIST}?{query}" for query in _QUERIES]) + _pages(port)
            bench.say(f"{len(paths)} addresses, asked over {_CONNECTIONS} connections")
            rows.append(_row(bench, _load(bench, port, paths), len(paths), kept=bool(kept)))
            if not kept:
                rows.append(_first_page(bench, port))
    database.unlink()
    return rows


def _known(port: int, paths: Sequence[str]) -> list[str]:
    """Return the paths with status 200: a small history may not have every value used in a filter."""
    return [path for path in paths if _status(port, path) == 200]


def _status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _pages(port: int) -> list[str]:
    """Return the paths of the second pages of three lists."""
    found = []
    for query in ("limit=50", "limit=50&sort=cost", "limit=50&status=completed"):
        path = f"{_LIST}?{query}"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as reply:
            cursor = json.load(reply)["next_cursor"]
        found += [f"{path}&after={cursor}"] if cursor else []
    return found


def _load(bench: Bench, port: int, paths: Sequence[str]) -> Load:
    words = [sys.executable, "-m", "benchmarks.load", str(port), str(_CONNECTIONS), str(bench.size.load)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(words, input="\n".join(paths), capture_output=True, text=True, check=True, cwd=root)
    return Load(**json.loads(done.stdout))


def _row(bench: Bench, load: Load, addresses: int, *, kept: bool) -> Row:
    how = "answers cached for 2 s" if kept else "answers not cached"
    return Row(
        "serving",
        f"REST, lists of 50 of {bench.size.rows:,} runs, {how}",
        Measure(load.p99, f"at the 99th percentile, {load.per_second:,.0f} requests/s"),
        target=Target(f"> {_LEAST} requests/s", _LEAST, load.per_second, at_least=True) if kept else None,
        as_set=bench.size.rows == FULL.rows,
        wrong=f"{load.wrong} answers are no lists" if load.wrong else "",
        notes=(
            f"{addresses} addresses over {_CONNECTIONS} connections from another process on the same cores",
            f"median {load.p50 * 1000:.1f} ms, longest {load.worst * 1000:.0f} ms",
        ),
    )


def _first_page(bench: Bench, port: int) -> Row:
    took = []
    for _ in range(_PAGES):
        begun = perf_counter()
        _status(port, "/")
        took.append(perf_counter() - begun)
    return Row(
        "serving",
        f"The first page among {bench.size.rows:,} runs",
        Measure(median(took), "whole, from the server"),
        target=Target("< 300 ms", _PAGE, median(took)),
        as_set=bench.size.rows == FULL.rows,
        notes=(f"the first of all took {took[0] * 1000:.0f} ms",),
    )
