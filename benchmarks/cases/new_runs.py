"""Case: sync of new runs into a large history, with its lists verified against a full recomputation."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from statistics import median

from .. import plain, subjects
from ..bench import Bench
from ..measuring import timed
from ..results import Measure, Row, Target
from ..series import Point, Series
from ..sizes import FULL


def measure(bench: Bench, series: Series) -> list[Row]:
    """Return one row, for the largest number of runs."""
    point = series.at(series.largest)
    count = bench.size.new_runs
    extra_seconds = beside_the_walk(point)
    took, start = point.new_runs["sync"].median, point.new_runs["start-up"].median
    walk = point.new_runs["walk"].median
    pairs = count * point.runs * seconds_a_pair(point.database, bench.size.pairs_of)
    bench.say("are the stored lists those of a full recomputation?")
    different = lists_that_differ(point.database)
    return [
        Row(
            "new-runs",
            f"{count} new runs among {point.runs:,} stored, in addition to the walk",
            Measure(extra_seconds, "sync - start-up - walk"),
            Measure(pairs, "naive baseline, similarity alone"),
            Measure(walk, "bare walk"),
            Target("< 1 s in addition to the walk", 1.0, extra_seconds),
            as_set=point.runs >= FULL.series[-1],
            wrong=f"{different} lists are not those of a full recomputation" if different else "",
            notes=(
                f"whole command {took:.2f} s, of which start-up {start:.2f} s",
                f"{len(subjects.stored_lists(point.database)):,} lists compared with a recalculation",
                f"the naive baseline's pairs are extrapolated from those of {bench.size.pairs_of} runs",
                *bench.told("it was", point.new_runs["sync"]),
            ),
        )
    ]


def beside_the_walk(point: Point) -> float:
    """Return the median seconds of a sync with new runs, minus start-up and walk."""
    timings = point.new_runs
    rounds = zip(*(timings[name].seconds for name in ("sync", "start-up", "walk")), strict=True)
    return float(median(sync - start - walk for sync, start, walk in rounds))


def lists_that_differ(database: Path) -> int:
    """Return the number of stored lists that are not bit-identical to a full recomputation."""
    stored = subjects.stored_lists(database)
    anew = {
        name: pairs
        for name, pairs in subjects.all_similar(subjects.stored_workflows(database)).items()
        if pairs
    }
    return sum(stored.get(name) != anew.get(name) for name in stored.keys() | anew.keys())


def seconds_a_pair(database: Path, few: int) -> float:
    """Return the seconds of comparing two runs the naive baseline, measured with a few runs."""
    runs = [
        {key: run[key] or "" if key == "nl_input" else run[key] or 0.0 for key in run}
        for run in subjects.stored_workflows(database)[:few]
    ]
    return timed(partial(plain.relate, runs)).seconds[0] / (len(runs) * (len(runs) - 1))
