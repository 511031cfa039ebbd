"""Case: peak memory of a first sync of many runs, and the memory added by one huge stream or line."""

from __future__ import annotations

from pathlib import Path

from .. import subjects
from ..bench import Bench
from ..folders import make_big_stream
from ..measuring import run_python
from ..results import Measure, Row, Target
from ..series import Series, peak_of
from ..sizes import FULL

_TELLING = 64_000_000  # bytes; a smaller stream can't exceed the limit on added memory
_USUAL = 200_000  # bytes of the stream that a huge one is compared with


def measure(bench: Bench, series: Series) -> list[Row]:
    """Return the rows; empty without /proc, which is needed to measure memory."""
    if not Path("/proc/self/smaps_rollup").exists():
        bench.results.left_out.append("memory: it is read from /proc, which this system does not have")
        return []
    if bench.size.big_stream < _TELLING:
        bench.results.left_out.append("memory of a huge stream: at this size there is none")
        return [_many_runs(bench, series)]
    return [_many_runs(bench, series), *_huge_files(bench)]


def _many_runs(bench: Bench, series: Series) -> Row:
    series.at(series.largest)
    runs, read = series.read_plainly()
    bench.say(f"memory of a first sync of {runs:,} runs")
    peak = peak_of(bench, series.agents)
    return Row(
        "memory",
        f"Memory of a first sync of {runs:,} runs",
        Measure(peak, "at most, all processes", "bytes"),
        Measure(read.peak_bytes or 0, "naive baseline reads all", "bytes"),
        Measure(peak_of(bench, bench.nothing[0]), "a sync of nothing", "bytes"),
        Target("< 500 MB", 500e6, peak),
        as_set=runs >= FULL.series[-1],
    )


def _huge_files(bench: Bench) -> list[Row]:
    size, line = bench.size.big_stream, bench.size.long_line
    bench.say("memory of a huge stream and a huge line")
    usual = _peaks(bench, "usual", _USUAL, 0)
    stream = _peaks(bench, "stream", size, 0)
    long = _peaks(bench, "line", line + _USUAL, line)
    floor = Measure(usual[0], f"with {_USUAL / 1e6:.1f} MB", "bytes")
    added = stream[0] - usual[0]
    return [
        Row(
            "memory",
            f"Memory of a first sync of one stream of {size / 1e6:,.0f} MB",
            Measure(stream[0], "at most, all processes", "bytes"),
            Measure(stream[1], "naive baseline reads it", "bytes"),
            floor,
            Target("adds < 64 MB", 64e6, added),
            as_set=size >= FULL.big_stream,
            notes=(f"it adds {added / 1e6:,.0f} MB",),
        ),
        Row(
            "memory",
            f"Memory of a first sync of one line of {line / 1e6:,.0f} MB",
            Measure(long[0], "at most, all processes", "bytes"),
            Measure(long[1], "naive baseline reads it", "bytes"),
            floor,
            notes=(f"it adds {(long[0] - usual[0]) / 1e6:,.0f} MB",),
        ),
    ]


def _peaks(bench: Bench, name: str, size: int, line: int) -> tuple[int, int]:
    """Return the peak memory in bytes of a first sync of one stream, and of the naive baseline."""
    agents = bench.scratch / f"huge-{name}" / "agents"
    make_big_stream(agents, size, line=line)
    plain = run_python("-m", "benchmarks.plain", str(agents), cwd=subjects.ROOT, memory=True)
    return peak_of(bench, agents), plain.peak_bytes or 0
