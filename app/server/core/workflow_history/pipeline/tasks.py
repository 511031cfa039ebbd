"""Tasks for the readers of a sync and their results. All of them can be pickled. No behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ..common.models import Problem, Workflow
from ..costs.accounting.message_claims import NOTHING_SEEN, Attempt, Claim, Elsewhere, Seen
from ..costs.pricing.own_prices import NO_OWN_PRICES, OwnPrices
from ..ingest.runs.file_times import OWN, FileTimes
from ..ingest.runs.records import RunFolder
from ..ingest.streams.checkpoint import Checkpoint
from ..storage.rows.row_codec import Row
from ..storage.rows.run_rows import RunRows


class LastRead(NamedTuple):
    """State of a run's files when they were last read."""

    content: str  # digest of their content
    times: FileTimes
    stream_times: Mapping[str, int]  # times of its streams by path, nanoseconds since 1970


class ReadTask(NamedTuple):
    """One run to read."""

    folder: RunFolder
    project: str  # project under which the run is stored
    stored: Workflow | None = None  # the stored run; None: not stored
    checkpoints: Mapping[str, Checkpoint] = {}  # checkpoints from which its streams are read on, by path
    time_judgement: str = OWN  # judgement of its file times by the runs around it
    commit_time: datetime | None = (
        None  # time of the last commit of its files, aware UTC; None: not committed
    )
    is_foreign: bool = False  # the stored run is from another machine: it may be a different run
    twin_path: str | None = None  # another folder on this machine with a run of this project and id
    has_grown: bool = False  # whether it was written to since the last sync
    last_read: LastRead | None = None  # None: it was not read before, or in another place
    counted_elsewhere: Mapping[Attempt, Elsewhere] = {}  # parts of its streams that other runs count
    seen: Seen = NOTHING_SEEN  # parts of its streams that were read before


class TaskBatch(NamedTuple):
    """Several runs to read, with their common settings."""

    agents_dir: str  # the agents folder as named in the history
    now: datetime  # aware UTC
    tasks: tuple[ReadTask, ...]
    host: str | None = None  # name of this machine
    keeps_text: bool = True  # whether requests, messages and commands are stored
    prices: OwnPrices = NO_OWN_PRICES  # own prices of the sync; workers read no config file


@dataclass(slots=True)
class ReadResult:
    """Result of one read task. Without `rows` it is not a run, or it could not be read."""

    id: str
    times: FileTimes
    problems: tuple[Problem, ...] = ()
    is_undated: bool = False  # whether no file reports its time
    errors: list[str] = field(default_factory=list)  # errors in the sync stages
    rows: RunRows | None = None  # its rows; None: there is nothing to store
    claims: list[Claim] = field(default_factory=list)  # own spending of each of its streams
    features: Any = None  # its `RunFeatures` for similarity
    patterns: dict[str, list[Row]] = field(default_factory=dict)  # rows of patterns by detector
    pattern_retry: bool = False  # whether the next sync must read it again, since the host's detector failed
    checkpoints: dict[str, bytes] = field(default_factory=dict)  # checkpoints for the next sync, by path
    is_not_a_run: bool = False  # whether the folder is not a run
    skipped: Problem | None = None  # the problem that names the skipped path; None: nothing to report
    redactions: Mapping[str, int] = field(default_factory=dict)  # number of redactions in its texts, by kind
    is_different_run: bool = False  # whether it shares no stream with the run stored under its id
    conflicting_run: str | None = None  # place of a different run with the same project and id

    @property
    def access_errors(self) -> list[Problem]:
        """Problems of files that could not be accessed; the run is read again next time."""
        return [problem for problem in self.problems if problem.refused]
