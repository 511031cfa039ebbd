"""Sync agents directories with many processes into one history and compare it with that of one process.

`python -m benchmarks.writers` prints the result. Every process syncs every directory, each in another order,
so that they constantly compete for directories and the database. Their history must equal that of one
process that syncs one directory after another.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.server.core.workflow_history import sync
from app.server.core.workflow_history.demo import make_agents_folder
from app.server.core.workflow_history.maintenance.merge.versions import canonical_json
from app.server.core.workflow_history.storage.history import History

END = datetime(2026, 3, 31, 18, tzinfo=UTC)
STREAM_KB = 10

Found = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one comparison."""

    alone: float  # seconds that one process took
    together: float  # seconds until the last of the processes had finished
    troubles: list[str]  # errors of the processes that failed
    inserted: int  # number of new runs, summed over all processes
    runs: int  # number of runs in the history of the many processes
    differences: list[str]  # differences between the two histories


def make_folders(place: Path, *, runs: int, folders: int) -> list[Path]:
    """Create `folders` agents directories with `runs` runs in total."""
    made = []
    for number in range(folders):
        share = runs // folders + (number < runs % folders)
        folder = place / f"project-{number}" / "agents"
        make_agents_folder(folder, runs=share, seed=number + 1, end=END, stream_kb=STREAM_KB)
        made.append(folder)
    return made


def measure(folders: Sequence[Path], database: str, alone: str, *, writers: int) -> Outcome:
    """Sync the directories into `alone` with one process and into `database` with many, and compare."""
    began = time.perf_counter()
    sync_all(alone, folders)
    middle = time.perf_counter()
    orders = [(database, [*folders[start:], *folders[:start]]) for start in _starts(writers, len(folders))]
    with ProcessPoolExecutor(writers, multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(_sync_or_tell, *zip(*orders, strict=True)))
    together = time.perf_counter() - middle
    one, many = content(alone), content(database)
    counts = [found for found in results if isinstance(found, int)]
    troubles = [found for found in results if isinstance(found, str)]
    return Outcome(middle - began, together, troubles, sum(counts), len(many["runs"]), differences(one, many))


def _starts(writers: int, folders: int) -> list[int]:
    return [number % folders for number in range(writers)]


def _sync_or_tell(database: str, folders: Sequence[Path]) -> int | str:
    try:
        return sync_all(database, folders)
    except Exception as error:  # noqa: BLE001 - any error is the result of this process
        return f"{type(error).__name__}: {error}"


def sync_all(database: str, folders: Sequence[Path]) -> int:
    """Sync one directory after another; return the number of new runs."""
    os.environ["WORKFLOW_HISTORY_DB"] = database
    return sum(sync.sync_workflow_history(silent=True, agents_dir=folder)["inserted"] for folder in folders)


def content(database: str) -> dict[str, Found]:
    """Return the content of a history without its own timestamps and row numbers."""
    with History.open(database) as history:
        whole = history.merge_store()
        names = {ref.key: f"{ref.project}/{ref.id}" for ref in whole.refs()}
        runs = whole.read(list(names))
        lists = [place for some in history.similarity().similar_lists(list(names)) for place in some]
        return {
            "damage": dict.fromkeys(history.check(), ""),
            "runs": {names[key]: canonical_json(run.workflow) for key, run in runs.items()},
            "patterns of runs": {names[key]: dict(run.patterns) for key, run in runs.items()},
            "problems of runs": {names[key]: run.problems for key, run in runs.items()},
            "patterns": {
                one.id: (one.runs, one.count, one.nanodollars) for one in history.pattern_totals(min_runs=1)
            },
            "lists": {
                f"{names[key]} {rank}": (names[other] if other is not None else None, round(score, 9))
                for key, rank, other, score in lists
            },
        }


def differences(one: dict[str, Found], many: dict[str, Found]) -> list[str]:
    """Return the differences between two histories, one line each."""
    return [
        f"{kind}: {name}: {one[kind].get(name, 'missing')!s:.200} | {many[kind].get(name, 'missing')!s:.200}"
        for kind in one
        for name in sorted(one[kind].keys() | many[kind].keys())
        if one[kind].get(name) != many[kind].get(name)
    ]


def main(words: Sequence[str] | None = None) -> int:
    """Run the comparison and print it; return 1 if the histories differ or a process failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.writers", description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000, help="in all folders together (2000)")
    parser.add_argument("--folders", type=int, default=4, help="that they lie in (4)")
    parser.add_argument("--writers", type=int, default=8, help="processes that sync all of them (8)")
    parser.add_argument(
        "--db", metavar="URL", help="the history of the many, which must be empty; else a file"
    )
    asked = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="workflow-history-writers-") as place:
        folders = make_folders(Path(place), runs=asked.runs, folders=asked.folders)
        database = asked.db or str(Path(place) / "many.db")
        found = measure(folders, database, str(Path(place) / "one.db"), writers=asked.writers)
    lines = [
        f"{asked.runs} runs in {asked.folders} folders; one process: {found.alone:.1f} s",
        f"{asked.writers} processes, each with all folders: {found.together:.1f} s; new: {found.inserted}",
        f"{found.runs} runs stored, {len(found.differences)} differences, {len(found.troubles)} troubles",
        *[f"  {line}" for line in [*found.troubles, *found.differences][:20]],
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(bool(found.differences or found.troubles or found.inserted != found.runs))


if __name__ == "__main__":
    sys.exit(main())
