"""Records of pattern queries: scored patterns in, typed records in US dollars out. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from ..analysis.patterns.ranking import ScoredPattern
from ..analysis.patterns.records import PatternTotals
from ..analysis.patterns.savings import known_cost, per_month, residual_share, steps_of
from ..common.field_docs import Doc
from ..common.models import PatternKind, PatternStatus
from ..common.plausible_dates import MICROSECONDS
from ..common.proportions import significant
from ..common.shared_fields import RunCreatedAt, RunId, RunProjectOrNull
from ..common.spending import to_usd

PatternSignature = Annotated[str, Doc("normalized operations of the pattern")]
AnyPatternKind = Annotated[PatternKind, Doc("kind of the pattern: operation, sequence or phases")]
PatternRuns = Annotated[int, Doc("number of runs with the pattern")]
PatternCost = Annotated[float | None, Doc("estimated cost of all occurrences, USD; null: unknown")]
OccurrencesInRun = Annotated[int | None, Doc("number of occurrences in this run; null: unknown")]
ExampleLine = Annotated[int | None, Doc("line number of the example, from 1; null: none")]
DecisionNote = Annotated[str | None, Doc("reason of the decision; null: none")]
DecidedAt = Annotated[str | None, Doc("time of the decision, ISO 8601, UTC; null: no decision")]
ResidualCost = Annotated[float, Doc("residual cost per occurrence, 0 to 1; of a sequence at least one call")]


@dataclass(frozen=True, slots=True)
class PatternRef:
    """Reference to one pattern."""

    id: Annotated[str, Doc("id of the pattern")]
    kind: Annotated[PatternKind, Doc("kind of the pattern: operation or sequence")]
    signature: PatternSignature
    occurrences: Annotated[int, Doc("number of occurrences in all runs")]
    cost: PatternCost


@dataclass(frozen=True, slots=True)
class RankedPattern:
    """One pattern over many runs, with its rank and decision. Costs overlap: never add them up."""

    id: Annotated[str, Doc("id of 16 hexadecimal digits, the same in every history")]
    kind: AnyPatternKind
    signature: PatternSignature
    steps: Annotated[int, Doc("number of operations in a row; 1 except for sequences")]
    scriptable: Annotated[bool, Doc("false: phases, and tools that a script cannot replace")]
    status: Annotated[PatternStatus, Doc("decision: detected (none), accepted or dismissed")]
    note: DecisionNote
    decided_at: DecidedAt
    first_seen_at: Annotated[
        str | None, Doc("time at which the pattern was first stored, ISO 8601, UTC; null: unknown")
    ]
    runs: PatternRuns
    occurrences: Annotated[int, Doc("number of occurrences in all of these runs")]
    successes: Annotated[int, Doc("number of successful occurrences")]
    failures: Annotated[int, Doc("number of failed occurrences; unknown outcomes count as neither")]
    success_rate: Annotated[
        float | None, Doc("successes divided by known outcomes, 0 to 1; null: no known outcome")
    ]
    success_rate_lower_bound: Annotated[
        float | None,
        Doc("lower end of the 95% interval (Wilson) of the success rate; null: no known outcome"),
    ]
    stability: Annotated[
        float | None,
        Doc("share of a sequence's starts that run to its end; else runs by occurrences; null: unknown"),
    ]
    cost: PatternCost
    cost_is_lower_bound: Annotated[bool, Doc("true: a lower bound, as the cost in some runs is unknown")]
    cost_per_time: Annotated[
        float | None, Doc("cost per occurrence, USD, a lower bound if the cost is one; null: unknown")
    ]
    seconds: Annotated[float | None, Doc("estimated duration of all occurrences, in seconds; null: unknown")]
    seconds_is_lower_bound: Annotated[bool, Doc("true: a lower bound, as some durations are unknown")]
    residual_cost: Annotated[
        float | None, Doc("share of the cost that remains with a script; null: not scriptable")
    ]
    estimated_savings: Annotated[float | None, Doc("estimated savings by a script, USD; null: unknown")]
    estimated_savings_is_lower_bound: Annotated[bool, Doc("lower bound, as a cost or outcome is unknown")]
    savings_per_month: Annotated[
        float | None, Doc("estimated savings per month, USD; null: unknown, or under 7 days")
    ]
    risk_adjusted_savings: Annotated[
        float | None,
        Doc("cost * (1 - residual_cost) * success_rate_lower_bound * stability, USD; null: unknown"),
    ]
    covered_by: Annotated[
        PatternRef | None, Doc("larger pattern that covers the cost of this one; null: none")
    ]
    covers: Annotated[tuple[PatternRef, ...], Doc("patterns covered by this one, highest cost first")]


@dataclass(frozen=True, slots=True)
class RunPeriod:
    """Number and period of the runs that were queried."""

    runs: Annotated[int, Doc("number of runs, with or without a pattern")]
    first: Annotated[datetime | None, Doc("creation time of the first run; null: no known time")]
    last: Annotated[datetime | None, Doc("creation time of the last run; null: no known time")]

    @property
    def duration_us(self) -> int | None:
        """Time from the first to the last run, in microseconds; None: no run has a time."""
        if self.first is None or self.last is None:
            return None
        return round((self.last - self.first).total_seconds() * MICROSECONDS)


@dataclass(frozen=True, slots=True)
class PatternReport:
    """Recurring patterns, highest risk-adjusted savings first."""

    span: Annotated[RunPeriod, Doc("number and period of the runs")]
    residual_cost: ResidualCost
    found: Annotated[int, Doc("number of patterns found, including those beyond the limit")]
    hidden: Annotated[int, Doc("number of further patterns that are covered by these")]
    commands_cost: Annotated[
        float | None, Doc("cost of all recurring commands, each call once, USD; null: unknown")
    ]
    commands_cost_is_lower_bound: Annotated[bool, Doc("whether the cost of the commands is a lower bound")]
    patterns: Annotated[tuple[RankedPattern, ...], Doc("patterns, highest risk-adjusted savings first")]


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """One run with an example of a pattern."""

    run: RunId
    project: RunProjectOrNull
    created_at: RunCreatedAt
    occurrences: OccurrencesInRun
    cost: Annotated[float | None, Doc("estimated cost in this run, USD; null: unknown")]
    agents_dir: Annotated[str | None, Doc("agents directory from which the run was read; null: unknown")]
    path: Annotated[str | None, Doc("path of a file with an example, below the agents directory; null: none")]
    line: ExampleLine


@dataclass(frozen=True, slots=True)
class PatternDetail:
    """One pattern with examples."""

    span: Annotated[RunPeriod, Doc("number and period of the runs")]
    residual_cost: ResidualCost
    pattern: Annotated[RankedPattern, Doc("cost, savings and decision of the pattern")]
    examples: Annotated[tuple[ExampleRun, ...], Doc("examples in the newest runs with the pattern")]


@dataclass(frozen=True, slots=True)
class PatternDecision:
    """A decision on a pattern. It stays in force for all later syncs."""

    id: Annotated[str, Doc("id of 16 hexadecimal digits")]
    kind: AnyPatternKind
    signature: PatternSignature
    status: Annotated[PatternStatus, Doc("decision now: detected (none), accepted or dismissed")]
    before: Annotated[PatternStatus, Doc("decision before: detected (none), accepted or dismissed")]
    note: DecisionNote
    decided_at: DecidedAt


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
        cost=to_usd(cost),
        cost_is_lower_bound=cost is not None and pattern.unpriced_runs > 0,
        cost_per_time=None if cost is None or not pattern.count else to_usd(cost / pattern.count),
        seconds=None if pattern.untimed_runs >= pattern.runs else pattern.seconds,
        seconds_is_lower_bound=pattern.runs > pattern.untimed_runs > 0,
        residual_cost=float(residual_share(pattern, residual_cost)) if scored.scriptable else None,
        estimated_savings=to_usd(savings.nanodollars),
        estimated_savings_is_lower_bound=savings.is_lower_bound,
        savings_per_month=to_usd(per_month(savings.nanodollars, span.duration_us)),
        risk_adjusted_savings=to_usd(scored.priority),
        covered_by=None if scored.part_of is None else to_pattern_ref(scored.part_of),
        covers=tuple(to_pattern_ref(part) for part in scored.parts),
    )


def to_pattern_ref(pattern: PatternTotals) -> PatternRef:
    """Convert a pattern to a reference."""
    return PatternRef(pattern.id, pattern.kind, pattern.signature, pattern.count, to_usd(known_cost(pattern)))
