"""Patterns as the history sums them up over all runs: what the store gives and what ranking takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PatternStatus = Literal["detected", "accepted", "dismissed"]


@dataclass(frozen=True, slots=True)
class Recurring:
    """One pattern over many runs. Sums of sequences overlap with those of operations: never add them up."""

    id: str  # 16 hexadecimal digits: `pattern_key` of kind and signature, the same in every history
    kind: str  # operation, sequence, phases
    signature: str
    status: PatternStatus
    note: str | None  # why it was accepted or dismissed
    decided_at: str | None  # ISO 8601 UTC
    first_seen_at: str | None  # ISO 8601 UTC, when it was first stored
    runs: int  # runs that show it
    count: int  # times in all of them
    successes: int
    failures: int  # unknown outcomes are in neither
    nanodollars: int  # an estimate, of the runs whose part is known
    unpriced_runs: int  # runs whose part is unknown; runs == unpriced_runs: the cost is unknown, not 0
    seconds: float  # likewise
    untimed_runs: int
