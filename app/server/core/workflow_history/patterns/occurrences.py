"""Detect patterns: one workflow's agent runs in, its pattern occurrences out. Nothing is stored or compared.

Detecting twice says the same twice; it is for the database to count a workflow once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from .records import PatternKind, PatternOccurrence, Piece, RunOperations
from .sequences import Step, phase_signature, sequences_in, steps_of
from .shares import DIGITS_OF_NANO, exact_usd, known_amount, pieces_of

FAILED_OUTCOMES = frozenset({"error", "false_success"})


def detect(runs: Sequence[RunOperations]) -> list[PatternOccurrence]:
    """Return every pattern of a workflow, the most frequent of each kind first."""
    found = [_occurrence(kind, name, tally) for (kind, name), tally in tallies_of(runs).items()]
    return sorted(found, key=lambda pattern: (pattern.kind, -pattern.count, pattern.signature))


def pattern_key(kind: PatternKind, signature: str) -> str:
    """Return a pattern's short name, the same on every machine.

    >>> pattern_key("operation", "pytest") == pattern_key("sequence", "pytest")
    False
    """
    return hashlib.sha256(f"{kind}\0{signature}".encode(errors="surrogatepass")).hexdigest()[:16]


@dataclass(slots=True)
class Tally:
    """What has been added up of one pattern."""

    example_path: str | None
    example_line: int | None
    count: int = 0
    successes: int = 0
    failures: int = 0
    nanodollars: int | Decimal | None = None  # of the places whose cost is known
    unpriced: int = 0  # parts whose cost is unknown, count
    exact_seconds: float | None = None
    agents: set[str] = field(default_factory=set)

    @property
    def whole_nanodollars(self) -> int | None:
        """The cost to the nanodollar, halves to even."""
        return None if self.nanodollars is None else round(self.nanodollars)

    @property
    def seconds(self) -> float | None:
        """The time to the millisecond."""
        return None if self.exact_seconds is None else round(self.exact_seconds, 3)

    def spend(self, nanodollars: int | Decimal | None, unpriced: int) -> None:
        """Add a cost; a sum of nothing known is unknown."""
        self.unpriced += unpriced
        if nanodollars is not None:
            self.nanodollars = nanodollars if self.nanodollars is None else self.nanodollars + nanodollars

    def take(self, seconds: float) -> None:
        """Add a time."""
        self.exact_seconds = seconds if self.exact_seconds is None else self.exact_seconds + seconds


def tallies_of(runs: Sequence[RunOperations]) -> dict[tuple[PatternKind, str], Tally]:
    """Return what each pattern of a workflow adds up to."""
    operations: dict[str, Tally] = {}
    sequences: dict[str, Tally] = {}
    seen: set[str] = set()
    for run in runs:
        pieces = pieces_of(run, seen)
        seen.update([message["message_id"] for message in run["messages"]])
        _count_operations(operations, pieces, run)
        _count_sequences(sequences, steps_of(pieces), run)
    found: dict[tuple[PatternKind, str], Tally] = {("operation", n): t for n, t in operations.items()}
    found |= {("sequence", name): tally for name, tally in sequences.items()}
    if walk := phase_signature(run["phase"] for run in runs):
        found["phases", walk] = _of_phases(runs)
    return found


def _count_operations(tallies: dict[str, Tally], pieces: Iterable[Piece], run: RunOperations) -> None:
    agent, path = run["agent"], run["path"]
    for name, _, failed, line, nanodollars, seconds in pieces:
        tally = tallies.get(name)
        if tally is None:
            tally = tallies[name] = Tally(path, line)
        tally.count += 1
        if failed:
            tally.failures += 1
        elif failed is False:
            tally.successes += 1
        tally.spend(nanodollars, nanodollars is None)
        if seconds is not None:
            tally.take(seconds)
        if agent:
            tally.agents.add(agent)


def _count_sequences(tallies: dict[str, Tally], steps: Sequence[Step], run: RunOperations) -> None:
    """Count each place. It succeeded when every part is known not to have failed."""
    agent, path = run["agent"], run["path"]
    for signature, place in sequences_in(steps):
        tally = tallies.get(signature)
        if tally is None:
            tally = tallies[signature] = Tally(path, place[0].line)
        failed, succeeded = False, True
        for step in place:
            failed = failed or step.failed
            succeeded = succeeded and step.succeeded
            tally.spend(step.nanodollars, step.unpriced)
            for seconds in step.seconds:
                tally.take(seconds)
        tally.count += 1
        tally.failures += failed
        tally.successes += succeeded
        if agent:
            tally.agents.add(agent)


def _of_phases(runs: Sequence[RunOperations]) -> Tally:
    """Return the workflow's one walk through its phases.

    Its last agent run tells how it ended: an earlier failure was overcome when later agents went on.
    """
    ended = runs[-1]["outcome"]
    tally = Tally(runs[0]["path"], None, 1, int(ended == "success"), int(ended in FAILED_OUTCOMES))
    for run in runs:
        cost, seconds = known_amount(run["cost"]), known_amount(run["duration_seconds"])
        tally.spend(None if cost is None else exact_usd(cost).scaleb(DIGITS_OF_NANO), int(cost is None))
        if seconds is not None:
            tally.take(seconds)
        if agent := run["agent"]:
            tally.agents.add(agent)
    return tally


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
