"""Case: sync without changes, compared with a bare walk of the same tree; start-up shown separately."""

from __future__ import annotations

from ..bench import Bench
from ..measuring import Finished
from ..results import Measure, Row, Target
from ..series import Point, Series
from ..sizes import FULL


def measure(bench: Bench, series: Series) -> list[Row]:
    """Return rows for the smallest, the middle and the largest number of runs."""
    sizes = bench.size.series
    chosen = sorted({sizes[0], sizes[len(sizes) // 2], sizes[-1]})
    points = [series.at(runs) for runs in chosen]
    counted, read = series.read_plainly()
    return [_row(bench, point, counted, read) for point in points]


def _row(bench: Bench, point: Point, counted: int, read: Finished) -> Row:
    timings = point.nothing_changed
    walk, start = timings["walk"].median, timings["start-up"].median
    notes = [f"whole command {timings['sync'].median:.2f} s, of which start-up {start:.2f} s"]
    cpu, floor = point.unchanged_cpu, timings["walk"].median_cpu
    notes.append(f"in processor seconds {cpu:.2f} against {floor:.2f} of the walk")
    if counted != point.runs:
        notes.append(f"the naive baseline's reading is scaled from {counted:,} runs")
    return Row(
        "unchanged",
        f"Nothing changed, {point.runs:,} runs",
        Measure(point.unchanged_net, "sync - start-up"),
        Measure(read.seconds * point.runs / counted, "naive baseline reads all"),
        Measure(walk, "bare walk"),
        Target("≤ 1.5× a bare walk", 1.5, point.unchanged_net / walk),
        as_set=bench.size.series == FULL.series,
        notes=(*notes, *bench.told("it was", timings["sync"])),
    )
