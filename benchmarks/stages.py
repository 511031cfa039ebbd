"""Measure the CPU time of each stage of a first sync, in microseconds per run.

Run as `python -m benchmarks.stages AGENTS [JSON]`. Each stage is timed separately; its fastest round counts.
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

from app.server.core.workflow_history.analysis.similarity.text_vectors import text_vector
from app.server.core.workflow_history.enrichment import enrich
from app.server.core.workflow_history.ingest.runs.build_run import build_run, read_run
from app.server.core.workflow_history.ingest.runs.file_times import OWN, FileTimes
from app.server.core.workflow_history.ingest.sources.discovery import walk_agents_folder
from app.server.core.workflow_history.ingest.streams import read_stream
from app.server.core.workflow_history.pipeline.merge_fields import add_scores, strip_derived
from app.server.core.workflow_history.pipeline.pattern_detection import detect_patterns
from app.server.core.workflow_history.pipeline.read_run import prepare_worker
from app.server.core.workflow_history.pipeline.similarity_update import features_of
from app.server.core.workflow_history.storage.rows.run_rows import to_rows

ROUNDS = 3
RUNS = 200


def main(agents: Path, out: Path | None = None) -> None:
    """Print the stages, and write them to `out` as JSON if it is given."""
    found = measured(agents)
    if out is not None:
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for name, microseconds in found:
        sys.stdout.write(f"{name:<42} {microseconds:>7,.0f} us a run\n")


def measured(agents: Path, runs: int = RUNS) -> list[tuple[str, float]]:
    """Return each stage with its CPU time per run in microseconds."""
    prepare_worker()
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
    stage("raw read of its transcripts", lambda f: [Path(s.file).read_bytes() for s in f.streams], folders)
    stage("reading its transcripts", lambda f: [read_stream(s.file, "", "") for s in f.streams], folders)
    facts = stage("reading all its files, transcripts included", read_run, folders)
    scanned = stage(
        "interpreting its files", lambda f: build_run(f, FileTimes(OWN, *f.folder.file_times), now=now), facts
    )
    priced = stage("costs", enrich, scanned)
    rated = stage("scores", lambda workflow: add_scores({**workflow, "project": ""}), priced)
    stage("vector of its request", features_of, rated)
    stage(
        "patterns",
        lambda pair: detect_patterns(pair[0], pair[1].streams, None),
        list(zip(rated, scanned, strict=True)),
    )
    stage("rows", lambda workflow: to_rows(strip_derived(workflow)), rated)
    return found


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
