"""What goes to the readers of a sync and what comes back: all of it can be pickled. No behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ..common.models import Problem, Workflow
from ..costs.accounting.message_claims import NOTHING_SEEN, Attempt, Claim, Elsewhere, Seen
from ..ingest.runs.file_times import OWN, FileTimes
from ..ingest.runs.records import RunFolder
from ..ingest.streams.checkpoint import Checkpoint
from ..storage.rows.row_codec import Row
from ..storage.rows.run_rows import RunRows


class ReadTask(NamedTuple):
    """One run to read."""

    folder: RunFolder
    before: Workflow | None = None  # what the history knows of it
    marks: Mapping[str, Checkpoint] = {}  # from where its streams are read on, by path
    around: str = OWN  # what the runs beside it show of its file times
    committed: datetime | None = None  # aware UTC: when git first had its files
    foreign: bool = False  # what is known of it was found on another machine: it may be another run
    twin: str | None = None  # another folder of this machine that is a run of this project and id, too
    grew: bool = False  # it was written to since the last sync
    elsewhere: Mapping[Attempt, Elsewhere] = {}  # of its streams, what other runs count
    seen: Seen = NOTHING_SEEN  # what was read of its streams until now


class TaskBatch(NamedTuple):
    """Some runs to read, and what they have in common."""

    project: str
    home: str  # the agents folder, as the history names it
    now: datetime  # aware UTC
    orders: tuple[ReadTask, ...]
    host: str | None = None  # what this machine is called
    keeps_text: bool = True  # the history holds what was asked, said and typed


@dataclass(slots=True)
class ReadResult:
    """What came of one order. Without `parts` it is no run, or nothing of it could be read."""

    id: str
    dated: FileTimes
    problems: tuple[Problem, ...] = ()
    is_undated: bool = False  # no file reports when it was
    errors: list[str] = field(default_factory=list)  # what went wrong with it in a phase
    parts: RunRows | None = None  # its rows
    claims: list[Claim] = field(default_factory=list)  # what each of its streams spent by itself
    features: Any = None  # what it is compared by
    patterns: dict[str, list[Row]] = field(default_factory=dict)  # by detector
    pattern_retry: bool = False  # the next sync reads it again: the host's detector, or a place, failed
    marks: dict[str, bytes] = field(default_factory=dict)  # from where to read on next time, by path
    is_none: bool = False  # nothing in it is a run's
    left_out: Problem | None = None  # how that is named
    secrets: Mapping[str, int] = field(default_factory=dict)  # taken out of its texts, count by kind
    is_another: bool = False  # nothing is there any more of what the history knows under its name
    conflicting_run: str | None = None  # another run of the same project and id, on another machine

    @property
    def access_errors(self) -> list[Problem]:
        """What of it the system would not show: it is read again the next time."""
        return [problem for problem in self.problems if problem.refused]
