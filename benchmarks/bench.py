"""One benchmark run's workshop: its size, its scratch folder, and the folders that several cases share."""

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
    """What the cases work with."""

    def __init__(self, size: Size, scratch: Path, results: Results, cache: Path, *, offline: bool) -> None:
        self.size = size
        self.repeat = results.repeat
        self.scratch = scratch
        self.cache = cache  # what is fetched once stays there
        self.offline = offline
        self.results = results
        self._databases = 0

    def say(self, text: str) -> None:
        """Tell on stderr what is being done."""
        sys.stderr.write(f"  {text}\n")
        sys.stderr.flush()

    def told(self, what: str, timing: Timing) -> tuple[str, ...]:
        """Return a note where something was not measured as often as the rest."""
        times = len(timing.seconds)
        return (
            () if times == self.repeat else (f"{what} measured {'once' if times == 1 else f'{times} times'}",)
        )

    def new_database(self) -> Path:
        """Return the path of a history that is not there yet."""
        self._databases += 1
        return self.scratch / f"history-{self._databases}.db"

    def sync(self, agents: Path, database: Path, *, memory: bool = False) -> Finished:
        """Sync as a person would: the installed command, a process of its own."""
        words = subjects.sync_command(agents, database)
        return run_process(words, cwd=self.scratch, memory=memory)

    @cached_property
    def nothing(self) -> tuple[Path, Path]:
        """An agents folder with one run and no stream, and its history: to sync it again is start-up."""
        agents, database = self.scratch / "nothing" / "agents", self.new_database()
        (agents / "a").mkdir(parents=True)  # a folder without a run is an error
        (agents / "a" / "adw_state.json").write_text('{"status": "completed"}')
        self.sync(agents, database)
        return agents, database

    def start_up(self) -> Finished:
        """Sync nothing; where everything is measured once, that is measured once for all."""
        return self._started_once if self.repeat == 1 else self.sync(*self.nothing)

    @cached_property
    def _started_once(self) -> Finished:
        return self.sync(*self.nothing)

    @cached_property
    def first(self) -> tuple[Path, Written]:
        """The folder of the first sync: few runs with long streams."""
        shape = Shape(self.size.first_runs, stream_bytes=self.size.stream_bytes)
        agents = self.scratch / "first" / "agents"
        written = make_folder(agents, shape)
        self.say(f"made {written.runs:,} runs, {written.streams:,} streams, {written.bytes / 1e6:,.0f} MB")
        return agents, written

    @cached_property
    def first_files(self) -> list[str]:
        """Its streams."""
        return floors.streams_below(self.first[0])

    @cached_property
    def first_read_plainly(self) -> Timing:
        """The same folder, scanned and read by the naive baseline, once."""
        agents, _ = self.first
        self.say("the naive baseline reads it")
        return timed(lambda: [plain.read(run) for run in plain.scan(agents)])
