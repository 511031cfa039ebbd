"""Case: first sync of few runs with long streams, compared with the naive baseline."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .. import floors, plain, subjects
from ..bench import Bench
from ..measuring import Finished, in_turn, timed
from ..results import Measure, Row, Target
from ..series import Series
from ..sizes import FULL


def measure(bench: Bench, _series: Series) -> list[Row]:
    """Measure a sync of a directory into a new history, patterns included."""
    agents, written = bench.first
    databases: list[Path] = []

    def into_a_new_one() -> Finished:
        databases.append(bench.new_database())
        return bench.sync(agents, databases[-1])

    bench.say("first sync, whole command")
    timings = in_turn(
        {
            "sync": into_a_new_one,
            "raw read": partial(floors.raw_read, bench.first_files),
        },
        bench.repeat,
    )
    seconds, notes = _plain_seconds(bench)
    took = timings["sync"].median
    stored = len(subjects.stored_workflows(databases[-1]))
    return [
        Row(
            "first-sync",
            f"First sync, {bench.size.first_runs:,} runs × 5 streams",
            Measure(took, "whole command"),
            Measure(seconds, "naive baseline"),
            Measure(timings["raw read"].median, "one raw read"),
            Target("≥ 400× naive baseline", 400, seconds / took, at_least=True),
            wrong="" if stored == written.runs else f"{stored} of {written.runs} runs stored",
            as_set=bench.size.first_runs == FULL.first_runs,
            notes=(notes,),
        )
    ]


def _plain_seconds(bench: Bench) -> tuple[float, str]:
    """Measure the stages of the naive baseline once; return total seconds and a note.

    The pairwise comparison is extrapolated from fewer runs.
    """
    read = bench.first_read_plainly
    runs = read.results[0]
    some = runs[: bench.size.plain_pairs_of]
    bench.say(f"the naive baseline compares {len(some)} runs, each with each")
    pairs = timed(partial(plain.relate, some))
    scale = (len(runs) / len(some)) ** 2
    stored = timed(
        partial(plain.store, bench.scratch / "plain.db", [{**run, "similar_workflows": []} for run in runs])
    )
    learnt = timed(partial(plain.patterns, runs))
    relating = pairs.median * scale
    told = f"the naive baseline: {read.median:.1f} s reading, {relating:.1f} s similarity"
    if scale > 1:
        told += f" (extrapolated quadratically from {len(some)} runs)"
    told += f", {stored.median:.2f} s rows, {learnt.median:.2f} s patterns"
    return read.median + relating + stored.median + learnt.median, told
