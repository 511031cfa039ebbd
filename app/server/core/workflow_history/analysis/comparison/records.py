"""What a comparison of two runs is made of. Money in US dollars, times in seconds; None: unknown, never 0."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NumberComparison:
    """One figure of both; the difference is B less A."""

    name: str
    unit: str  # USD, tokens, seconds, share (0 to 1), count, score (0 to 100)
    a: float | None
    b: float | None
    difference: float | None  # None: one of both is unknown, or only one of them did this
    percent: float | None  # of A's; None also where A's is 0
    certain: bool  # False: A's or B's is only a lower bound
    a_certain: bool  # False: A's is only a lower bound
    b_certain: bool


@dataclass(frozen=True, slots=True)
class TextComparison:
    """One word of both."""

    name: str
    a: str | None
    b: str | None
    same: bool


@dataclass(frozen=True, slots=True)
class AgentTotals:
    """What agents of one phase, or one agent, did in one run."""

    agent_runs: int  # former attempts too
    outcome: str | None  # success, or the worst one of those that were not overwritten
    models: tuple[str, ...]
    cost: float | None  # USD, at least
    cost_is_certain: bool  # False: more may have been spent


@dataclass(frozen=True, slots=True)
class StepComparison:
    """One agent, or one phase, of both runs."""

    name: str
    a: AgentTotals | None  # None: A has no such agent or phase
    b: AgentTotals | None
    figures: tuple[
        NumberComparison, ...
    ]  # cost, duration_seconds, total_tokens, turns, tool_calls, tool_errors


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of both runs, and its agents."""

    step: StepComparison
    agents: tuple[StepComparison, ...]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one phase adds to a difference; a phase that one run lacks counts there as nothing spent."""

    phase: str | None  # None: what no agent run accounts for
    difference: float  # USD or seconds, B less A
    share: float | None  # of the whole difference, 1 is all of it; below 0: it works against it


@dataclass(frozen=True, slots=True)
class Request:
    """How the two requests differ."""

    a: str | None  # its beginning
    b: str | None
    same: bool | None  # word for word; None: one is unknown
    likeness: float | None  # 0 to 1, the text part of the similarity
    shared: tuple[str, ...]  # words of both, in A's form, the strongest first
    only_a: tuple[str, ...]  # words that the other lacks in any form, the heaviest first
    only_b: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A model that both runs used at different prices of their days."""

    model: str
    kind: str  # input, output, cache read ...
    a: float  # USD per million units
    b: float


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A phase in which the runs used other models."""

    phase: str
    a: tuple[str, ...]
    b: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LikenessPart:
    """One part of the similarity; see docs/similarity.md."""

    name: str  # text, status, cost, duration
    weight: float  # 0 to 1, before missing parts are left out
    value: float | None  # 0 to 1; None: one of the runs lacks it


@dataclass(frozen=True, slots=True)
class RunRef:
    """Which run it is."""

    id: str
    project: str
    created_at: str | None  # ISO 8601 UTC
    status: str | None
    status_reason: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    a: RunRef
    b: RunRef
    similarity: float  # 0 to 1
    similarity_parts: tuple[LikenessPart, ...]
    request: Request
    facts: tuple[TextComparison, ...]
    figures: tuple[NumberComparison, ...]
    phases: tuple[Phase, ...]
    cost_from: tuple[Contribution, ...]  # the largest first; they add up to the difference in cost
    duration_from: tuple[Contribution, ...]  # of the agents' own time; agents may work side by side
    other_models: tuple[ModelChange, ...]
    price_changes: tuple[PriceChange, ...]
    notes: tuple[str, ...]  # one sentence each
