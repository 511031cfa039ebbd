"""Detect patterns: one workflow's agent runs in, its pattern occurrences out. Nothing is stored or compared.

Detecting twice says the same twice; it is for the database to count a workflow once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from .records import PatternKind, PatternOccurrence, RunOperations
from .sequences import Step, phase_signature, sequences_in, steps_of
from .shares import exact_usd, known_amount, pieces_of

FAILED_OUTCOMES = frozenset({"error", "false_success"})


def detect(runs: Sequence[RunOperations]) -> list[PatternOccurrence]:
    """Return every pattern of a workflow, the most frequent of each kind first."""
    tallies: dict[tuple[PatternKind, str], _Tally] = {}
    seen: set[str] = set()
    for run in runs:
        pieces = pieces_of(run, seen)
        seen.update(message["message_id"] for message in run["messages"])
        for piece in pieces:
            tallies.setdefault(("operation", piece.operation), _Tally()).add((piece,), run)
        for signature, parts in sequences_in(steps_of(pieces)):
            tallies.setdefault(("sequence", signature), _Tally()).add(parts, run)
    if walk := phase_signature(run["phase"] for run in runs):
        tallies["phases", walk] = _of_phases(runs)
    found = [tally.occurrence(kind, signature) for (kind, signature), tally in tallies.items()]
    return sorted(found, key=lambda pattern: (pattern.kind, -pattern.count, pattern.signature))


def pattern_key(kind: PatternKind, signature: str) -> str:
    """Return a pattern's short name, the same on every machine.

    >>> pattern_key("operation", "pytest") == pattern_key("sequence", "pytest")
    False
    """
    return hashlib.sha256(f"{kind}\0{signature}".encode(errors="surrogatepass")).hexdigest()[:16]


@dataclass(slots=True)
class _Tally:
    """What has been added up of one pattern so far."""

    count: int = 0
    successes: int = 0
    failures: int = 0
    costs: list[Decimal | None] = field(default_factory=list)
    seconds: list[float | None] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    example: tuple[str | None, int | None] | None = None

    def add(self, parts: Step, run: RunOperations) -> None:
        """Count one place. It succeeded when every part is known not to have failed."""
        self.count += 1
        self.failures += any(part.failed for part in parts)
        self.successes += all(part.failed is False for part in parts)
        self.costs += [part.cost for part in parts]
        self.seconds += [part.seconds for part in parts]
        self.name_source(run, parts[0].line)

    def name_source(self, run: RunOperations, line: int | None) -> None:
        """Note who did it, and where it was seen first."""
        if agent := run["agent"]:
            self.agents.add(agent)
        self.example = self.example or (run["path"], line)

    def occurrence(self, kind: PatternKind, signature: str) -> PatternOccurrence:
        """Return the sums as a record; a sum of nothing known is unknown."""
        costs = [cost for cost in self.costs if cost is not None]
        seconds = [value for value in self.seconds if value is not None]
        path, line = self.example or (None, None)
        return PatternOccurrence(
            kind=kind,
            signature=signature,
            key=pattern_key(kind, signature),
            count=self.count,
            successes=self.successes,
            failures=self.failures,
            cost=sum(costs, Decimal(0)) if costs else None,
            cost_complete=len(costs) == len(self.costs),
            seconds=round(sum(seconds), 3) if seconds else None,
            agents=tuple(sorted(self.agents)),
            example_path=path,
            example_line=line,
        )


def _of_phases(runs: Sequence[RunOperations]) -> _Tally:
    """Return the workflow's one walk through its phases.

    Its last agent run tells how it ended: an earlier failure was overcome when later agents went on.
    """
    ended = runs[-1]["outcome"]
    tally = _Tally(count=1, successes=int(ended == "success"), failures=int(ended in FAILED_OUTCOMES))
    for run in runs:
        cost = known_amount(run["cost"])
        tally.costs.append(None if cost is None else exact_usd(cost))
        tally.seconds.append(known_amount(run["duration_seconds"]))
        tally.name_source(run, None)
    return tally
