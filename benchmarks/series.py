"""Timings of syncs of a growing agents directory with many small runs, shared by several cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from . import floors, subjects
from .bench import Bench
from .folders import Shape, make_folder
from .measuring import Finished, Timing, in_turn, run_process, run_python, timed, together
from .sizes import SMALL_RUN_BYTES, SMALL_RUN_STREAMS

_FIRST_SYNCS = 3  # maximum number of measurements of a first sync
_ONCE_FROM = 10_000  # runs; a first sync of more runs is measured once
_TWICE_FROM = 25_000  # runs; later syncs of more runs are measured at most twice


@dataclass(frozen=True, slots=True)
class Point:
    """Timings for one number of stored runs."""

    runs: int
    database: Path  # history that also contains the new runs
    first_sync: Timing
    nothing_changed: dict[str, Timing]  # keys: sync, start-up, walk
    new_runs: dict[str, Timing]  # keys: sync, start-up, walk
    similarity: Timing

    @property
    def first_net(self) -> float:
        """Seconds of the first sync without start-up."""
        return self.first_sync.median - self.nothing_changed["start-up"].median

    @property
    def unchanged_net(self) -> float:
        """Seconds of a sync without changes, without start-up."""
        return _net(self.nothing_changed)

    @property
    def unchanged_cpu(self) -> float:
        """CPU seconds of a sync without changes, without start-up; less disturbed by a busy machine."""
        timings = self.nothing_changed
        return timings["sync"].median_cpu - timings["start-up"].median_cpu

    @property
    def new_net(self) -> float:
        """Seconds of a sync of the new runs, without start-up but including the walk."""
        return _net(self.new_runs)


def _net(timings: dict[str, Timing]) -> float:
    pairs = zip(timings["sync"].seconds, timings["start-up"].seconds, strict=True)
    return median(sync - start for sync, start in pairs)


class Series:
    """Cached points; each size is measured at its first request."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.agents = bench.scratch / "series" / "agents"
        self._points: dict[int, Point] = {}
        self._plain: dict[int, Finished] = {}
        self._made = 0

    @property
    def largest(self) -> int:
        """Largest number of runs in the series."""
        return self.bench.size.series[-1]

    def at(self, runs: int) -> Point:
        """Return the timings for a number of runs.

        Raises ValueError if the sizes are not requested in rising order.
        """
        if runs not in self._points:
            if runs < self._made:
                raise ValueError(f"the folder has {self._made} runs already, {runs} were asked for")
            self.grow(runs)
            self._points[runs] = self._measure(runs)
        return self._points[runs]

    def all(self) -> list[Point]:
        """Return the points of all sizes."""
        return [self.at(runs) for runs in self.bench.size.series]

    def grow(self, runs: int) -> None:
        """Add runs to the agents directory until it has `runs` runs."""
        shape = Shape(runs, streams=SMALL_RUN_STREAMS, stream_bytes=SMALL_RUN_BYTES)
        make_folder(self.agents, shape, first=self._made)
        self._made = max(self._made, runs)

    def read_plainly(self) -> tuple[int, Finished]:
        """Read the directory the naive baseline in its own process; return the number of runs and the result.

        Measured once per number of runs.
        """
        if self._made not in self._plain:
            self.bench.say(f"the naive baseline reads {self._made:,} runs")
            words = ("-m", "benchmarks.plain", str(self.agents))
            self._plain[self._made] = run_python(*words, cwd=subjects.ROOT, memory=True)
        return self._made, self._plain[self._made]

    def _measure(self, runs: int) -> Point:
        bench = self.bench
        bench.say(f"{runs:,} runs: first sync")
        firsts, database = [], bench.new_database()
        repeat = bench.repeat if runs <= _TWICE_FROM else min(bench.repeat, 2)
        for number in range(min(bench.repeat, _FIRST_SYNCS) if runs <= _ONCE_FROM else 1):
            database = database if number == 0 else bench.new_database()
            firsts.append(bench.sync(self.agents, database))
        took = Timing(tuple(f.seconds for f in firsts), tuple(f.cpu for f in firsts))
        bench.say(f"{runs:,} runs: {took.median:.1f} s; nothing changed, new runs, similarity alone")
        unchanged = in_turn(self._contestants(database), repeat)
        new = [self._with_new_runs(database) for _ in range(repeat)]
        new_runs = {name: together([round_[name] for round_ in new]) for name in new[0]}
        workflows = subjects.stored_workflows(database)
        subjects.all_similar(workflows[:2])  # loads the tables outside the measurement
        return Point(
            runs, database, took, unchanged, new_runs, timed(partial(subjects.all_similar, workflows))
        )

    def _contestants(self, database: Path) -> dict[str, Callable[[], object]]:
        return {
            "sync": partial(self.bench.sync, self.agents, database),
            "start-up": partial(self.bench.start_up),
            "walk": partial(floors.walk, self.agents),
        }

    def _with_new_runs(self, database: Path) -> dict[str, Timing]:
        self.grow(self._made + self.bench.size.new_runs)
        return in_turn(self._contestants(database), 1)


def peak_of(bench: Bench, agents: Path) -> int:
    """Return the peak memory of a first sync's process tree in bytes; 0 if it is unknown."""
    words = subjects.sync_command(agents, bench.new_database())
    return run_process(words, cwd=bench.scratch, memory=True).peak_bytes or 0
