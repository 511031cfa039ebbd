"""Context of one benchmark run: its size, scratch directory and the directories that cases share."""

from __future__ import annotations

import sys
from functools import cached_property
from pathlib import Path

from . import floors, plain, subjects
from .folders import Shape, make_folder
from .measuring import Finished, Timing, run_process, timed
from .results import Results
from .sizes import Size
from .spending import Written


class Bench:
    """Shared state and helpers for the cases of one benchmark run."""

    def __init__(self, size: Size, scratch: Path, results: Results, cache: Path, *, offline: bool) -> None:
        self.size = size
        self.repeat = results.repeat
        self.scratch = scratch
        self.cache = cache  # directory of downloads, kept between benchmark runs
        self.offline = offline
        self.results = results
        self._databases = 0

    def say(self, text: str) -> None:
        """Report progress on standard error."""
        sys.stderr.write(f"  {text}\n")
        sys.stderr.flush()

    def told(self, what: str, timing: Timing) -> tuple[str, ...]:
        """Return a note if a timing was not repeated as often as the others; otherwise an empty tuple."""
        times = len(timing.seconds)
        return (
            () if times == self.repeat else (f"{what} measured {'once' if times == 1 else f'{times} times'}",)
        )

    def new_database(self) -> Path:
        """Return the path of a new history; the file doesn't exist yet."""
        self._databases += 1
        return self.scratch / f"history-{self._databases}.db"

    def sync(self, agents: Path, database: Path, *, memory: bool = False) -> Finished:
        """Sync as a user does: with the installed command in its own process."""
        words = subjects.sync_command(agents, database)
        return run_process(words, cwd=self.scratch, memory=memory)

    @cached_property
    def nothing(self) -> tuple[Path, Path]:
        """An agents directory with one run without streams, and its history: syncing it measures start-up."""
        agents, database = self.scratch / "nothing" / "agents", self.new_database()
        (agents / "a").mkdir(parents=True)  # a directory without runs is an error
        (agents / "a" / "adw_state.json").write_text('{"status": "completed"}')
        self.sync(agents, database)
        return agents, database

    def start_up(self) -> Finished:
        """Sync the run without streams; with `repeat` 1 the first measurement is reused."""
        return self._started_once if self.repeat == 1 else self.sync(*self.nothing)

    @cached_property
    def _started_once(self) -> Finished:
        return self.sync(*self.nothing)

    @cached_property
    def first(self) -> tuple[Path, Written]:
        """Agents directory of the first-sync case (few runs with long streams) and the totals written."""
        shape = Shape(self.size.first_runs, stream_bytes=self.size.stream_bytes)
        agents = self.scratch / "first" / "agents"
        written = make_folder(agents, shape)
        self.say(f"made {written.runs:,} runs, {written.streams:,} streams, {written.bytes / 1e6:,.0f} MB")
        return agents, written

    @cached_property
    def first_files(self) -> list[str]:
        """Paths of the streams of the first-sync case."""
        return floors.streams_below(self.first[0])

    @cached_property
    def first_read_plainly(self) -> Timing:
        """Timing of one scan and read of the same directory the naive baseline."""
        agents, _ = self.first
        self.say("the naive baseline reads it")
        return timed(lambda: [plain.read(run) for run in plain.scan(agents)])
