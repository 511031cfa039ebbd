"""Case: sync runs from a zip and a tar.gz file, first and unchanged, compared with a directory."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .. import subjects
from ..bench import Bench
from ..measuring import Finished, in_turn, run_process
from ..results import Measure, Row
from ..series import Series

FOLDER = "folder"


def measure(bench: Bench, _series: Series) -> list[Row]:
    """Measure a first and an unchanged sync of each kind, all with the same runs, in turn."""
    agents, written = bench.first
    bench.say("the same runs in archives")
    places = {FOLDER: str(agents), "zip": _zipped(bench, agents), "tar.gz": _packed(bench, agents)}
    last: dict[str, Path] = {}

    def first(kind: str) -> Finished:
        last[kind] = bench.new_database()
        return _synced(bench, places[kind], last[kind])

    begun = in_turn({kind: partial(first, kind) for kind in places}, bench.repeat)
    again: dict[str, Callable[[], Finished]] = {
        kind: partial(_synced, bench, places[kind], last[kind]) for kind in places
    }
    unchanged = in_turn(again, bench.repeat)
    stored = {kind: len(subjects.stored_workflows(database)) for kind, database in last.items()}
    return [
        Row(
            "archives",
            f"{what}, {written.runs:,} runs × 5 streams in a {kind} file",
            Measure(timings[kind].median, "whole command"),
            Measure(timings[FOLDER].median, "the same runs as a folder"),
            wrong="" if stored[kind] == written.runs else f"{stored[kind]} of {written.runs} runs stored",
            notes=bench.told("it was", timings[kind]),
        )
        for what, timings in (("First sync", begun), ("Nothing changed", unchanged))
        for kind in places
        if kind != FOLDER
    ]


def _synced(bench: Bench, place: str, database: Path) -> Finished:
    words = subjects.command("--quiet", "sync", place, database=database)
    return run_process(words, cwd=bench.scratch, env={**os.environ, "XDG_CACHE_HOME": str(bench.scratch)})


def _zipped(bench: Bench, agents: Path) -> str:
    file = bench.scratch / "first.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in sorted(agents.rglob("*")):
            zipped.write(path, path.relative_to(agents.parent))
    return f"zip://{agents.name}::file://{file}"


def _packed(bench: Bench, agents: Path) -> str:
    file = bench.scratch / "first.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        tar.add(agents, agents.name)
    return f"tar://{agents.name}::file://{file}"
