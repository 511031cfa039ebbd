"""Case: growth of the time with each doubling of the runs, for first, unchanged and new-runs syncs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from ..bench import Bench
from ..measuring import Timing
from ..results import Measure, Row, Target
from ..series import Series
from ..sizes import FULL
from .new_runs import seconds_a_pair

LIMIT = 2.2
"""Maximum factor by which the time may grow when the number of runs doubles."""

NOISE = 0.05
"""Seconds; a shorter difference between two processes is not significant."""


def measure(bench: Bench, series: Series) -> list[Row]:
    """Return a row for each curve, with the largest growth of any doubling."""
    points = series.all()
    pair = seconds_a_pair(points[0].database, bench.size.pairs_of)
    times = {
        "first sync, without similarity": {p.runs: p.first_sync for p in points},
        "nothing changed": {p.runs: p.nothing_changed["sync"] for p in points},
        f"{bench.size.new_runs} new runs": {p.runs: p.new_runs["sync"] for p in points},
        "all-pairs similarity": {p.runs: p.similarity for p in points},
    }
    curves = {
        "first sync, without similarity": {p.runs: p.first_net - p.similarity.median for p in points},
        "nothing changed": {p.runs: p.unchanged_net for p in points},
        f"{bench.size.new_runs} new runs": {p.runs: p.new_net for p in points},
        "all-pairs similarity": {p.runs: p.similarity.median for p in points},
        "bare walk": {p.runs: p.nothing_changed["walk"].median for p in points},
    }
    bench.results.curves |= {
        "first sync": {p.runs: p.first_net for p in points},
        **curves,
        "naive baseline, similarity alone (extrapolated)": {p.runs: pair * p.runs**2 for p in points},
    }
    floor = Measure(steepest(curves["bare walk"]), "bare walk", "x")
    return [_row(bench, name, curves[name], floor, _repeats(times[name])) for name in times]


def _repeats(times: Mapping[int, Timing]) -> str:
    """Format how often each point was measured."""
    counts: dict[int, list[int]] = {}
    for runs, timing in times.items():
        counts.setdefault(len(timing.seconds), []).append(runs)
    if len(counts) == 1:
        return f"each point measured {_times(next(iter(counts)))}"
    return "measured " + ", ".join(f"up to {max(runs):,} runs {_times(n)}" for n, runs in counts.items())


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _row(bench: Bench, name: str, curve: Mapping[int, float], floor: Measure, repeats: str) -> Row:
    long = {runs: seconds for runs, seconds in curve.items() if seconds >= NOISE}
    judged = name != "all-pairs similarity" and len(long) > 1
    value = steepest(long)
    notes = [f"over all of it {mean_growth(long):.2f}× a doubling"] if len(long) > 1 else []
    if short := curve.keys() - long.keys():
        less = f"less than {NOISE * 1000:.0f} ms"
        notes.append(f"up to {max(short):,} runs it takes {less}, which start-up's noise hides: not judged")
    return Row(
        "growth",
        f"Growth, {name}: {min(curve):,} to {max(curve):,} runs",
        Measure(value, "at the steepest doubling", "x"),
        Measure(4.0, "all pairs", "x"),
        floor,
        Target(f"≤ {LIMIT}× a doubling", LIMIT, value) if judged else None,
        as_set=bench.size.series == FULL.series,
        notes=(*notes, repeats),
    )


def steepest(curve: Mapping[int, float]) -> float:
    """Return the largest ratio of a point to the one before; 0.0 if there are fewer than two points.

    >>> steepest({1: 1.0, 2: 2.0, 4: 5.0})
    2.5
    """
    points = [curve[runs] for runs in sorted(curve)]
    return max((after / before for before, after in pairwise(points)), default=0.0)


def mean_growth(curve: Mapping[int, float]) -> float:
    """Return the geometric mean of the growth per step.

    >>> mean_growth({1: 1.0, 2: 3.0, 4: 4.0})
    2.0
    """
    points = [curve[runs] for runs in sorted(curve)]
    return float((points[-1] / points[0]) ** (1 / (len(points) - 1)))
