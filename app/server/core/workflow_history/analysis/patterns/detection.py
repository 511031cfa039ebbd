"""Detect patterns: agent runs of one run in, its pattern occurrences out. Nothing is stored or compared.

Detecting twice returns the same result twice; the database has to count each run once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce
from operator import add
from typing import TypeVar

import msgspec

from ...common.models import PatternKind
from ...common.outcomes import FAILED_OUTCOMES, Outcome
from .cost_attribution import MONEY_DECIMALS, attribute_costs, to_decimal, valid_amount
from .records import (
    AgentActivity,
    AgentOperations,
    OperationCost,
    PatternOccurrence,
    activity_from_record,
)
from .sequences import command_steps, find_sequences, phase_signature

Amount = TypeVar("Amount", Decimal, float)


def detect_patterns(runs: Sequence[AgentOperations]) -> list[PatternOccurrence]:
    """Return every pattern of a run, the most frequent of each kind first."""
    tallies = tally_patterns([activity_from_record(run) for run in runs])
    occurrences = [_to_occurrence(kind, name, tally) for (kind, name), tally in tallies.items()]
    return sorted(occurrences, key=lambda pattern: (pattern.kind, -pattern.count, pattern.signature))


def pattern_id(kind: str, signature: str) -> str:
    """Return the id of a pattern, the same on every machine.

    >>> pattern_id("operation", "pytest") == pattern_id("sequence", "pytest")
    False
    """
    return hashlib.sha256(f"{kind}\0{signature}".encode(errors="surrogatepass")).hexdigest()[:16]


class PatternTally(msgspec.Struct):
    """Running totals of one pattern."""

    example_path: str | None
    example_line: int | None
    count: int = 0
    successes: int = 0
    failures: int = 0
    nanodollars: int | Decimal | None = None  # cost of the occurrences with a known cost
    unpriced: int = 0  # number of parts with an unknown cost
    exact_seconds: float | None = None
    agents: tuple[str, ...] = ()  # distinct names

    @property
    def cost_nanodollars(self) -> int | None:
        """The cost, rounded to whole nanodollars, halves to even."""
        return None if self.nanodollars is None else round(self.nanodollars)

    @property
    def seconds(self) -> float | None:
        """The duration, rounded to milliseconds."""
        return None if self.exact_seconds is None else round(self.exact_seconds, 3)

    def add_agent(self, agent: str | None) -> None:
        """Add the name of an agent, once."""
        if agent and agent not in self.agents:
            self.agents = (*self.agents, agent)

    def add(self, operations: Sequence[OperationCost]) -> None:
        """Count one occurrence. It succeeded if every part is known to have succeeded."""
        failed, succeeded = False, True
        nanodollars, seconds = self.nanodollars, self.exact_seconds
        for operation in operations:
            if operation.failed:
                failed = True
            if not operation.succeeded:
                succeeded = False
            if operation.unpriced:
                self.unpriced += operation.unpriced
            if (cost := operation.nanodollars) is not None:
                nanodollars = cost if nanodollars is None else nanodollars + cost
            for duration in operation.seconds:
                seconds = duration if seconds is None else seconds + duration
        self.nanodollars, self.exact_seconds = nanodollars, seconds
        self.count += 1
        self.failures += failed
        self.successes += succeeded


def tally_patterns(activities: Sequence[AgentActivity]) -> dict[tuple[PatternKind, str], PatternTally]:
    """Return the totals of each pattern of a run, by kind and signature."""
    operations: dict[str, PatternTally] = {}
    sequences: dict[str, PatternTally] = {}
    seen: set[str] = set()
    for activity in activities:
        costs = attribute_costs(activity, seen)
        seen.update([message for message, _ in activity.weights])
        _count_occurrences(operations, [(cost.operation, (cost,)) for cost in costs], activity)
        _count_occurrences(sequences, find_sequences(command_steps(costs)), activity)
    tallies: dict[tuple[PatternKind, str], PatternTally] = {
        (PatternKind.OPERATION, n): t for n, t in operations.items()
    }
    tallies |= {(PatternKind.SEQUENCE, name): tally for name, tally in sequences.items()}
    if phases := phase_signature(activity.about.get("phase") for activity in activities):
        tallies[PatternKind.PHASES, phases] = _tally_phases(activities)
    return tallies


def _count_occurrences(
    tallies: dict[str, PatternTally],
    occurrences: Iterable[tuple[str, Sequence[OperationCost]]],
    activity: AgentActivity,
) -> None:
    agent, path = activity.about.get("agent"), activity.about.get("path")
    for signature, operations in occurrences:
        tally = tallies.get(signature)
        if tally is None:
            tally = tallies[signature] = PatternTally(path, operations[0].line)
        tally.add(operations)
        if agent not in tally.agents:
            tally.add_agent(agent)


def _tally_phases(activities: Sequence[AgentActivity]) -> PatternTally:
    """Return the totals of the run's single phase sequence.

    Its last agent run decides the outcome: if later agents continued, an earlier failure was overcome.
    """
    outcome = activities[-1].about.get("outcome")
    tally = PatternTally(
        activities[0].about.get("path"),
        None,
        1,
        int(outcome == Outcome.SUCCESS),
        int(outcome in FAILED_OUTCOMES),
    )
    costs = [valid_amount(activity.about.get("cost")) for activity in activities]
    times = [valid_amount(activity.about.get("duration_seconds")) for activity in activities]
    tally.unpriced = costs.count(None)
    tally.nanodollars = _sum([to_decimal(cost).scaleb(MONEY_DECIMALS) for cost in costs if cost is not None])
    tally.exact_seconds = _sum([seconds for seconds in times if seconds is not None])
    for activity in activities:
        tally.add_agent(activity.about.get("agent"))
    return tally


def _sum(amounts: list[Amount]) -> Amount | None:
    """Add up from left to right, as everywhere here; None without amounts."""
    return reduce(add, amounts) if amounts else None


def _to_occurrence(kind: PatternKind, signature: str, tally: PatternTally) -> PatternOccurrence:
    """Convert the totals to a record."""
    spent = tally.nanodollars
    return PatternOccurrence(
        kind=kind,
        signature=signature,
        key=pattern_id(kind, signature),
        count=tally.count,
        successes=tally.successes,
        failures=tally.failures,
        cost=None if spent is None else Decimal(spent).scaleb(-MONEY_DECIMALS),
        cost_complete=not tally.unpriced,
        seconds=tally.seconds,
        agents=tuple(sorted(tally.agents)),
        example_path=tally.example_path,
        example_line=tally.example_line,
    )
