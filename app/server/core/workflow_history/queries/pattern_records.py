"""Records of pattern queries: scored patterns in, typed records in US dollars out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..analysis.patterns.ranking import ScoredPattern
from ..analysis.patterns.records import PatternStatus, PatternTotals
from ..analysis.patterns.savings import known_cost, per_month, residual_share, steps_of
from ..common.proportions import significant

_NANODOLLARS: Final = 1e9
_MICROSECONDS: Final = 1e6


@dataclass(frozen=True, slots=True)
class PatternRef:
    """Reference to one pattern."""

    id: str  # id of the pattern
    kind: str  # kind of the pattern: operation or sequence
    signature: str  # normalized operations of the pattern
    occurrences: int  # number of occurrences in all runs
    cost: float | None  # estimated cost of all occurrences, USD; None: unknown


@dataclass(frozen=True, slots=True)
class RankedPattern:
    """One pattern over many runs, with its rank and decision. Costs overlap: never add them up."""

    id: str  # id of 16 hexadecimal digits, the same in every history
    kind: str  # kind of the pattern: operation, sequence or phases
    signature: str  # normalized operations of the pattern
    steps: int  # number of operations in a row; 1 except for sequences
    scriptable: bool  # False: phases, and tools that a script cannot replace
    status: PatternStatus  # decision: detected (none), accepted or dismissed
    note: str | None  # reason of the decision
    decided_at: str | None  # time of the decision, ISO 8601 UTC
    first_seen_at: str | None  # time at which the pattern was first stored, ISO 8601 UTC
    runs: int  # number of runs with the pattern
    occurrences: int  # number of occurrences in all of these runs
    successes: int  # number of successful occurrences
    failures: int  # number of failed occurrences; unknown outcomes count as neither
    success_rate: float | None  # successes divided by known outcomes, 0 to 1; None: no outcome is known
    success_rate_lower_bound: float | None  # lower end of the 95% interval (Wilson) of the success rate
    stability: float | None  # share of a sequence's starts that run to the end; else runs by occurrences
    cost: float | None  # estimated cost of all occurrences, USD; None: unknown
    cost_is_lower_bound: bool  # whether the cost is a lower bound: the cost in some runs is unknown
    cost_per_time: float | None  # cost per occurrence, USD; a lower bound if the cost is one
    seconds: float | None  # estimated duration of all occurrences, in seconds; None: unknown
    seconds_is_lower_bound: (
        bool  # whether the duration is a lower bound: the duration in some runs is unknown
    )
    residual_cost: float | None  # residual cost: share that remains with a script; None: no script can do it
    estimated_savings: float | None  # estimated savings by a script, USD; None: unknown
    estimated_savings_is_lower_bound: (
        bool  # whether the savings are a lower bound: some costs or outcomes are unknown
    )
    savings_per_month: (
        float | None
    )  # estimated savings per month, USD; None: unknown, or under 7 days of runs
    risk_adjusted_savings: (
        float | None
    )  # risk-adjusted savings, USD: cost * (1 - residual_cost) * success_rate_lower_bound * stability
    covered_by: PatternRef | None  # larger pattern that already covers the cost of this pattern
    covers: tuple[PatternRef, ...]  # patterns covered by this one, highest cost first


@dataclass(frozen=True, slots=True)
class RunPeriod:
    """Number and period of the runs that were queried."""

    runs: int  # number of runs, with or without a pattern
    first: datetime | None  # creation time of the first run; None: no run has a time
    last: datetime | None  # creation time of the last run; None: no run has a time

    @property
    def duration_us(self) -> int | None:
        """Time from the first to the last run, in microseconds; None: no run has a time."""
        if self.first is None or self.last is None:
            return None
        return round((self.last - self.first).total_seconds() * _MICROSECONDS)


@dataclass(frozen=True, slots=True)
class PatternReport:
    """Recurring patterns, highest risk-adjusted savings first."""

    span: RunPeriod  # number and period of the runs
    residual_cost: float  # assumed residual cost per occurrence, 0 to 1; of a sequence at least one call
    found: int  # number of patterns found, including those beyond the limit
    hidden: int  # number of further patterns that are covered by these
    commands_cost: float | None  # cost of all recurring commands, each call counted once, USD; None: unknown
    commands_cost_is_lower_bound: (
        bool  # whether the cost of the commands is a lower bound: some of it is unknown
    )
    patterns: tuple[RankedPattern, ...]  # the patterns, up to the limit


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """One run with an example of a pattern."""

    run: str  # id of the run
    project: str | None  # project of the run; None: no project is named
    created_at: str | None  # creation time of the run, ISO 8601 UTC
    occurrences: int | None  # number of occurrences in this run; None: unknown
    cost: float | None  # estimated cost in this run, USD; None: unknown
    agents_dir: str | None  # agents folder from which the run was read
    path: str | None  # path of a file with an example, relative to the agents folder
    line: int | None  # line number of the example, from 1


@dataclass(frozen=True, slots=True)
class PatternDetail:
    """One pattern with examples."""

    span: RunPeriod  # number and period of the runs
    residual_cost: float  # assumed residual cost per occurrence, 0 to 1; of a sequence at least one call
    pattern: RankedPattern  # the pattern
    examples: tuple[ExampleRun, ...]  # examples in the newest runs with the pattern


@dataclass(frozen=True, slots=True)
class PatternDecision:
    """A decision on a pattern. It stays in force for all later syncs."""

    id: str  # id of 16 hexadecimal digits
    kind: str  # kind of the pattern: operation, sequence or phases
    signature: str  # normalized operations of the pattern
    status: PatternStatus  # decision now: detected (none), accepted or dismissed
    before: PatternStatus  # decision before: detected (none), accepted or dismissed
    note: str | None  # reason of the decision
    decided_at: str | None  # time of the decision, ISO 8601 UTC; None: no decision


def to_ranked_pattern(scored: ScoredPattern, span: RunPeriod, residual_cost: float) -> RankedPattern:
    """Convert a scored pattern to a result record."""
    pattern, savings = scored.pattern, scored.saving
    cost = known_cost(pattern)
    return RankedPattern(
        id=pattern.id,
        kind=pattern.kind,
        signature=pattern.signature,
        steps=len(steps_of(pattern)),
        scriptable=scored.scriptable,
        status=pattern.status,
        note=pattern.note,
        decided_at=pattern.decided_at,
        first_seen_at=pattern.first_seen_at,
        runs=pattern.runs,
        occurrences=pattern.count,
        successes=pattern.successes,
        failures=pattern.failures,
        success_rate=scored.success_rate,
        success_rate_lower_bound=significant(scored.success_rate_lower_bound),
        stability=scored.stability,
        cost=usd(cost),
        cost_is_lower_bound=cost is not None and pattern.unpriced_runs > 0,
        cost_per_time=None if cost is None or not pattern.count else cost / pattern.count / _NANODOLLARS,
        seconds=None if pattern.untimed_runs >= pattern.runs else pattern.seconds,
        seconds_is_lower_bound=pattern.runs > pattern.untimed_runs > 0,
        residual_cost=float(residual_share(pattern, residual_cost)) if scored.scriptable else None,
        estimated_savings=usd(savings.nanodollars),
        estimated_savings_is_lower_bound=savings.is_lower_bound,
        savings_per_month=usd(per_month(savings.nanodollars, span.duration_us)),
        risk_adjusted_savings=usd(scored.priority),
        covered_by=None if scored.part_of is None else to_pattern_ref(scored.part_of),
        covers=tuple(to_pattern_ref(part) for part in scored.parts),
    )


def to_pattern_ref(pattern: PatternTotals) -> PatternRef:
    """Convert a pattern to a reference."""
    return PatternRef(pattern.id, pattern.kind, pattern.signature, pattern.count, usd(known_cost(pattern)))


def usd(nanodollars: int | None) -> float | None:
    """Convert nanodollars to US dollars."""
    return None if nanodollars is None else nanodollars / _NANODOLLARS
