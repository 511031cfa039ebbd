"""What the answers about patterns look like: habits in, typed records in US dollars out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..analysis.patterns.ranking import ScoredPattern
from ..analysis.patterns.records import PatternStatus, PatternTotals
from ..analysis.patterns.savings import known_cost, operations_of, per_month, remaining_fraction
from ..common.proportions import significant

_NANODOLLARS: Final = 1e9
_MICROSECONDS: Final = 1e6


@dataclass(frozen=True, slots=True)
class PatternRef:
    """One pattern by its name."""

    id: str
    kind: str  # operation or sequence
    signature: str
    count: int  # times in all runs
    cost: float | None  # USD, an estimate; None: unknown


@dataclass(frozen=True, slots=True)
class RankedPattern:
    """One pattern over many runs, and what is thought of it. Costs overlap: never add them up."""

    id: str  # 16 hexadecimal digits, the same in every history
    kind: str  # operation, sequence or phases
    signature: str  # what recurs, in normal form
    steps: int  # operations in a row; 1 but for sequences
    scriptable: bool  # False: phases, and the tools that an agent thinks with
    status: PatternStatus
    note: str | None  # why it was accepted or dismissed
    decided_at: str | None  # ISO 8601 UTC
    first_seen_at: str | None  # ISO 8601 UTC, when it was first stored
    runs: int  # runs that show it
    count: int  # times in all of them
    successes: int  # times it is known to have ended well
    failures: int  # times it failed; unknown ends are in neither
    success_rate: float | None  # successes by those whose end is known; None: none is
    success_at_least: float | None  # lower end of its 95% interval (Wilson): few times tell little
    stability: float | None  # 0 to 1: how often it is gone on with once begun; of an operation runs by times
    cost: float | None  # USD, an estimate; None: unknown
    cost_at_least: bool  # it cost more: what some runs paid for it is unknown
    cost_per_time: float | None  # USD; at least, where the cost is
    seconds: float | None  # an estimate; None: unknown
    seconds_at_least: bool  # it took longer: how long it took in some runs is unknown
    kept_share: float | None  # of its cost that stays with a script; None: no script can do it
    saved: float | None  # USD that a script would have saved, an estimate; None: unknown
    saved_at_least: bool  # more would have been saved: some costs or ends are unknown
    saved_per_month: float | None  # USD; None: unknown, or the runs span less than seven days
    worth: float | None  # USD, what orders: cost * (1 - kept_share) * success_at_least * stability
    part_of: PatternRef | None  # the pattern that tells this one's work already
    parts: tuple[PatternRef, ...]  # patterns whose work this one tells, the costliest first


@dataclass(frozen=True, slots=True)
class RunPeriod:
    """The runs that were asked for."""

    runs: int  # also those that show no pattern
    first: datetime | None  # when the first was made; None: no run has a time
    last: datetime | None  # when the last was made

    @property
    def duration_us(self) -> int | None:
        """How long it is from the first to the last; None where no run has a time."""
        if self.first is None or self.last is None:
            return None
        return round((self.last - self.first).total_seconds() * _MICROSECONDS)


@dataclass(frozen=True, slots=True)
class PatternReport:
    """What recurs, that first where a script is worth most."""

    span: RunPeriod
    keep_share: float  # the assumption: of each time this share of the cost stays, of a sequence one call
    found: int  # patterns that were asked for; as many as below, or more where there is a limit
    folded: int  # others whose work these tell already
    commands_cost: float | None  # USD, all recurring commands together, each call once; None: unknown
    commands_cost_at_least: bool  # they cost more: some of it is unknown
    patterns: tuple[RankedPattern, ...]


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """One place that shows a pattern."""

    run: str  # id of the run
    project: str | None
    created_at: str | None  # ISO 8601 UTC, when the run was made
    count: int | None  # times in this run; None: unknown
    cost: float | None  # USD in this run, an estimate; None: unknown
    agents_dir: str | None  # agents folder that the run was read from
    path: str | None  # file with an example, relative to the agents folder
    line: int | None  # line in it, from 1


@dataclass(frozen=True, slots=True)
class PatternDetail:
    """One pattern with places to look at."""

    span: RunPeriod
    keep_share: float  # the assumption: of each time this share of the cost stays, of a sequence one call
    pattern: RankedPattern
    examples: tuple[ExampleRun, ...]  # of the newest runs that show it


@dataclass(frozen=True, slots=True)
class PatternDecision:
    """What was decided of a pattern. It holds for all later syncs."""

    id: str  # 16 hexadecimal digits
    kind: str  # operation, sequence or phases
    signature: str
    status: PatternStatus  # now
    before: PatternStatus
    note: str | None  # why
    decided_at: str | None  # ISO 8601 UTC; None: nothing is decided


def to_ranked_pattern(habit: ScoredPattern, span: RunPeriod, keep_share: float) -> RankedPattern:
    """Return a habit as an answer says it."""
    pattern, saved = habit.pattern, habit.saving
    cost = known_cost(pattern)
    return RankedPattern(
        id=pattern.id,
        kind=pattern.kind,
        signature=pattern.signature,
        steps=len(operations_of(pattern)),
        scriptable=habit.scriptable,
        status=pattern.status,
        note=pattern.note,
        decided_at=pattern.decided_at,
        first_seen_at=pattern.first_seen_at,
        runs=pattern.runs,
        count=pattern.count,
        successes=pattern.successes,
        failures=pattern.failures,
        success_rate=habit.success_rate,
        success_at_least=significant(habit.success_at_least),
        stability=habit.stability,
        cost=usd(cost),
        cost_at_least=cost is not None and pattern.unpriced_runs > 0,
        cost_per_time=None if cost is None or not pattern.count else cost / pattern.count / _NANODOLLARS,
        seconds=None if pattern.untimed_runs >= pattern.runs else pattern.seconds,
        seconds_at_least=pattern.runs > pattern.untimed_runs > 0,
        kept_share=float(remaining_fraction(pattern, keep_share)) if habit.scriptable else None,
        saved=usd(saved.nanodollars),
        saved_at_least=saved.at_least,
        saved_per_month=usd(per_month(saved.nanodollars, span.duration_us)),
        worth=usd(habit.priority),
        part_of=None if habit.part_of is None else to_pattern_ref(habit.part_of),
        parts=tuple(to_pattern_ref(part) for part in habit.parts),
    )


def to_pattern_ref(pattern: PatternTotals) -> PatternRef:
    """Return a pattern by its name."""
    return PatternRef(pattern.id, pattern.kind, pattern.signature, pattern.count, usd(known_cost(pattern)))


def usd(nanodollars: int | None) -> float | None:
    """Return US dollars."""
    return None if nanodollars is None else nanodollars / _NANODOLLARS
