"""Where a first sync's CPU goes, stage by stage: an agents folder in, microseconds a run out.

Run as `python -m benchmarks.stages AGENTS [JSON]`; each stage is timed apart, its least round counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from app.server.core.workflow_history.enrichment import enrich
from app.server.core.workflow_history.likeness.vectors import text_vector
from app.server.core.workflow_history.scanning.describe import describe, read_run
from app.server.core.workflow_history.scanning.filetimes import OWN, Dated
from app.server.core.workflow_history.scanning.walk import walk_agents_folder
from app.server.core.workflow_history.store.records import take_apart
from app.server.core.workflow_history.streams import read_stream
from app.server.core.workflow_history.syncing.learning import patterns_of
from app.server.core.workflow_history.syncing.merging import scored, storable
from app.server.core.workflow_history.syncing.reading import make_ready
from app.server.core.workflow_history.syncing.related import features_of

ROUNDS = 3
RUNS = 200


def main(agents: Path, out: Path | None = None) -> None:
    """Print the stages, and write them down where that is wanted."""
    found = measured(agents)
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, microseconds in found:
        sys.stdout.write(f"{name:<42} {microseconds:>7,.0f} us a run\n")


def measured(agents: Path, runs: int = RUNS) -> list[tuple[str, float]]:
    """Return each stage with the CPU that it takes for one run, microseconds."""
    make_ready()
    found: list[tuple[str, float]] = []

    def stage(name: str, work: Callable[[Any], Any], given: Sequence[Any]) -> list[Any]:
        results: list[Any] = []
        least = float("inf")
        for _ in range(ROUNDS):
            text_vector.cache_clear()
            begun = time.process_time()
            results = [work(each) for each in given]
            least = min(least, time.process_time() - begun)
        found.append((name, least / len(given) * 1e6))
        return results

    now = datetime.now(UTC)
    folders = list(islice(walk_agents_folder(agents), runs))
    stage("raw read of its streams", lambda f: [Path(s.file).read_bytes() for s in f.streams], folders)
    stage("its streams, read into facts", lambda f: [read_stream(s.file, "", "") for s in f.streams], folders)
    facts = stage("all its files, streams included", read_run, folders)
    scanned = stage(
        "what its files say", lambda f: describe(f, Dated(OWN, *f.folder.written), now=now), facts
    )
    priced = stage("costs", enrich, scanned)
    rated = stage("scores", lambda workflow: scored({**workflow, "project": ""}), priced)
    stage("vector of its request", features_of, rated)
    stage(
        "patterns",
        lambda pair: patterns_of(pair[0], pair[1].streams, None),
        list(zip(rated, scanned, strict=True)),
    )
    stage("rows", lambda workflow: take_apart(storable(workflow)), rated)
    return found


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
