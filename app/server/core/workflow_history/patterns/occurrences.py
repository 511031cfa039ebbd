"""Detect patterns: one workflow's agent runs in, its pattern occurrences out. Nothing is stored or compared.

Detecting twice says the same twice; it is for the database to count a workflow once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce
from operator import add
from typing import TypeVar

import msgspec

from .records import AgentWork, PatternKind, PatternOccurrence, Piece, RunOperations, work_in
from .sequences import phase_signature, sequences_in, steps_of
from .shares import DIGITS_OF_NANO, exact_usd, known_amount, pieces_of

Amount = TypeVar("Amount", Decimal, float)

FAILED_OUTCOMES = frozenset({"error", "false_success"})


def detect(runs: Sequence[RunOperations]) -> list[PatternOccurrence]:
    """Return every pattern of a workflow, the most frequent of each kind first."""
    tallies = tallies_of([work_in(run) for run in runs])
    found = [_occurrence(kind, name, tally) for (kind, name), tally in tallies.items()]
    return sorted(found, key=lambda pattern: (pattern.kind, -pattern.count, pattern.signature))


def pattern_key(kind: str, signature: str) -> str:
    """Return a pattern's short name, the same on every machine.

    >>> pattern_key("operation", "pytest") == pattern_key("sequence", "pytest")
    False
    """
    return hashlib.sha256(f"{kind}\0{signature}".encode(errors="surrogatepass")).hexdigest()[:16]


class Tally(msgspec.Struct):
    """What has been added up of one pattern."""

    example_path: str | None
    example_line: int | None
    count: int = 0
    successes: int = 0
    failures: int = 0
    nanodollars: int | Decimal | None = None  # of the places whose cost is known
    unpriced: int = 0  # parts whose cost is unknown, count
    exact_seconds: float | None = None
    agents: tuple[str, ...] = ()  # each once

    @property
    def whole_nanodollars(self) -> int | None:
        """The cost to the nanodollar, halves to even."""
        return None if self.nanodollars is None else round(self.nanodollars)

    @property
    def seconds(self) -> float | None:
        """The time to the millisecond."""
        return None if self.exact_seconds is None else round(self.exact_seconds, 3)

    def by(self, agent: str | None) -> None:
        """Note whose work it was."""
        if agent and agent not in self.agents:
            self.agents = (*self.agents, agent)

    def take(self, place: Sequence[Piece]) -> None:
        """Count one place. It succeeded when every part is known not to have failed."""
        failed, succeeded = False, True
        nanodollars, seconds = self.nanodollars, self.exact_seconds
        for piece in place:
            if piece.failed:
                failed = True
            if not piece.succeeded:
                succeeded = False
            if piece.unpriced:
                self.unpriced += piece.unpriced
            if (spent := piece.nanodollars) is not None:
                nanodollars = spent if nanodollars is None else nanodollars + spent
            for some in piece.seconds:
                seconds = some if seconds is None else seconds + some
        self.nanodollars, self.exact_seconds = nanodollars, seconds
        self.count += 1
        self.failures += failed
        self.successes += succeeded


def tallies_of(runs: Sequence[AgentWork]) -> dict[tuple[PatternKind, str], Tally]:
    """Return what each pattern of a workflow adds up to."""
    operations: dict[str, Tally] = {}
    sequences: dict[str, Tally] = {}
    seen: set[str] = set()
    for run in runs:
        pieces = pieces_of(run, seen)
        seen.update([message for message, _ in run.weights])
        _count(operations, [(piece.operation, (piece,)) for piece in pieces], run)
        _count(sequences, sequences_in(steps_of(pieces)), run)
    found: dict[tuple[PatternKind, str], Tally] = {("operation", n): t for n, t in operations.items()}
    found |= {("sequence", name): tally for name, tally in sequences.items()}
    if walk := phase_signature(run.about.get("phase") for run in runs):
        found["phases", walk] = _of_phases(runs)
    return found


def _count(tallies: dict[str, Tally], places: Iterable[tuple[str, Sequence[Piece]]], run: AgentWork) -> None:
    agent, path = run.about.get("agent"), run.about.get("path")
    for signature, place in places:
        tally = tallies.get(signature)
        if tally is None:
            tally = tallies[signature] = Tally(path, place[0].line)
        tally.take(place)
        if agent not in tally.agents:
            tally.by(agent)


def _of_phases(runs: Sequence[AgentWork]) -> Tally:
    """Return the workflow's one walk through its phases.

    Its last agent run tells how it ended: an earlier failure was overcome when later agents went on.
    """
    ended = runs[-1].about.get("outcome")
    tally = Tally(runs[0].about.get("path"), None, 1, int(ended == "success"), int(ended in FAILED_OUTCOMES))
    costs = [known_amount(run.about.get("cost")) for run in runs]
    times = [known_amount(run.about.get("duration_seconds")) for run in runs]
    tally.unpriced = costs.count(None)
    tally.nanodollars = _sum([exact_usd(cost).scaleb(DIGITS_OF_NANO) for cost in costs if cost is not None])
    tally.exact_seconds = _sum([seconds for seconds in times if seconds is not None])
    for run in runs:
        tally.by(run.about.get("agent"))
    return tally


def _sum(amounts: list[Amount]) -> Amount | None:
    """Add up one after the other, as everywhere here; a sum of nothing known is unknown."""
    return reduce(add, amounts) if amounts else None


def _occurrence(kind: PatternKind, signature: str, tally: Tally) -> PatternOccurrence:
    """Return the sums as a record."""
    spent = tally.nanodollars
    return PatternOccurrence(
        kind=kind,
        signature=signature,
        key=pattern_key(kind, signature),
        count=tally.count,
        successes=tally.successes,
        failures=tally.failures,
        cost=None if spent is None else Decimal(spent).scaleb(-DIGITS_OF_NANO),
        cost_complete=not tally.unpriced,
        seconds=tally.seconds,
        agents=tuple(sorted(tally.agents)),
        example_path=tally.example_path,
        example_line=tally.example_line,
    )
