"""One sync's work order and its tally: where it reads and writes, what it has done and could not do."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..models import Problem, ScannedRun, Workflow
from ..store.history import History
from .related import Identity

logger = logging.getLogger("workflow_history")

Progress = Callable[[str, int, int], None]
"""Called with a phase's name, how much of it is done, and how much there is."""


@dataclass(slots=True)
class Run:
    """One new or changed run on its way through the phases."""

    scanned: ScannedRun
    workflow: Workflow


@dataclass(slots=True)
class Job:
    """One sync."""

    root: Path
    project: str
    history: History
    now: datetime
    started: float  # seconds of the monotonic clock
    progress: Progress | None
    stats: dict[str, Any]
    keys: dict[Identity, int] = field(default_factory=dict)  # of every run met

    @property
    def home(self) -> str:
        """The agents folder as the history names it."""
        return str(self.root.absolute())

    @property
    def seconds(self) -> float:
        """How long the sync has taken so far."""
        return time.monotonic() - self.started

    def tell(self, phase: str, done: int, total: int) -> None:
        """Show how far a phase is."""
        if self.progress is not None:
            self.progress(phase, done, total)

    def note(self, problem: Problem, run_id: str | None = None) -> None:
        """Name something that could not be read, or looks wrong."""
        self.stats["errors"].append(
            {
                "id": run_id,
                "path": problem.path,
                "line": problem.line,
                "reason": problem.reason,
                "severity": problem.severity,
            }
        )

    def trouble(self, run_id: str, reason: str) -> None:
        """Count one run's trouble, name it and log it; it stops nothing."""
        self.stats["failed"] += 1
        self.note(Problem(run_id, reason), run_id)
        logger.error("run_failed id=%s reason=%s", run_id, reason)

    def problem_rows(self) -> list[dict[str, Any]]:
        """Return what is wrong now, each with the key of its run."""
        return [
            {**error, "workflow_key": self.keys.get((self.project, error["id"] or ""))}
            for error in self.stats["errors"]
        ]


def no_stats(root: Path, project: str) -> dict[str, Any]:
    """Return the statistics of a sync that has not begun."""
    counts = ("scanned", "enriched", "inserted", "updated", "unchanged", "failed")
    more = ("gone", "newly_gone", "returned", "left_out", "patterns")
    return {
        **dict.fromkeys((*counts, *more), 0),
        "duration_seconds": 0.0,
        "project": project,
        "agents_dir": str(root),
        "total_cost": None,
        "lower_bound_cost": None,
        "errors": [],
        "left_out_paths": [],
    }
