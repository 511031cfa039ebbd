"""Records of a comparison of two runs. Money is in US dollars, times in seconds; None is unknown, never 0."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NumberComparison:
    """One number of two runs; the difference is B - A."""

    name: str
    unit: str  # unit of the number: USD, tokens, seconds, share (0 to 1), count, score (0 to 100)
    a: float | None  # value of A; None if unknown
    b: float | None  # value of B; None if unknown
    difference: float | None  # difference B - A; None if one is unknown or only one run has the value
    percent: float | None  # difference in percent of A; None also if A is 0
    certain: bool  # False if A or B is only a lower bound
    a_certain: bool  # False if A is only a lower bound
    b_certain: bool  # False if B is only a lower bound


@dataclass(frozen=True, slots=True)
class TextComparison:
    """One text field of two runs."""

    name: str
    a: str | None  # text of A; None if unknown
    b: str | None  # text of B; None if unknown
    same: bool  # whether both texts are equal


@dataclass(frozen=True, slots=True)
class AgentTotals:
    """Totals of the agent runs of one phase or one agent in one run."""

    agent_runs: int  # number of agent runs, superseded attempts included
    outcome: str | None  # worst outcome of the agent runs that were not superseded
    models: tuple[str, ...]  # names of the models used
    cost: float | None  # known cost, USD
    cost_is_certain: bool  # False if the cost is a lower bound


@dataclass(frozen=True, slots=True)
class StepComparison:
    """Comparison of one agent or one phase in two runs."""

    name: str
    a: AgentTotals | None  # totals of A; None if A has no such agent or phase
    b: AgentTotals | None  # totals of B; None if B has no such agent or phase
    figures: tuple[
        NumberComparison, ...
    ]  # comparisons of cost, duration_seconds, total_tokens, turns, tool_calls, tool_errors


@dataclass(frozen=True, slots=True)
class Phase:
    """Comparison of one phase in two runs, with its agents."""

    step: StepComparison
    agents: tuple[StepComparison, ...]


@dataclass(frozen=True, slots=True)
class Contribution:
    """One phase's contribution to a difference; a phase that one run lacks counts there as 0."""

    phase: str | None  # phase name; None for cost outside the agent runs
    difference: float  # difference B - A, USD or seconds
    share: float | None  # share of the whole difference, 1 is all of it; negative if it acts against it


@dataclass(frozen=True, slots=True)
class Request:
    """Comparison of the two requests."""

    a: str | None  # beginning of A's request; None if unknown
    b: str | None  # beginning of B's request; None if unknown
    same: bool | None  # whether the requests are identical; None if one is unknown
    likeness: float | None  # text component of the similarity, 0 to 1; None if a text is missing
    shared: tuple[str, ...]  # words of both requests, in A's form, strongest first
    only_a: tuple[str, ...]  # words that B lacks in any form, heaviest first
    only_b: tuple[str, ...]  # words that A lacks in any form, heaviest first


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A rate of a model that both runs used, with different prices at their dates."""

    model: str
    kind: str  # kind of tokens: input, output, cache read ...
    a: float  # rate at A's date, USD per million units
    b: float  # rate at B's date, USD per million units


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A phase in which the two runs used different models."""

    phase: str
    a: tuple[str, ...]  # models of A
    b: tuple[str, ...]  # models of B


@dataclass(frozen=True, slots=True)
class LikenessPart:
    """One component of the similarity; see docs/similarity.md."""

    name: str  # component: text, status, cost or duration
    weight: float  # weight, 0 to 1, before missing components are dropped
    value: float | None  # value, 0 to 1; None if one of the runs lacks it


@dataclass(frozen=True, slots=True)
class RunRef:
    """Identity and status of one of the two runs."""

    id: str
    project: str
    created_at: str | None  # creation time, ISO 8601 UTC
    status: str | None
    status_reason: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of two runs."""

    a: RunRef
    b: RunRef
    similarity: float  # similarity score, 0 to 1
    similarity_parts: tuple[LikenessPart, ...]
    request: Request
    facts: tuple[TextComparison, ...]
    figures: tuple[NumberComparison, ...]
    phases: tuple[Phase, ...]
    cost_from: tuple[Contribution, ...]  # contributions to the difference in cost, largest first
    duration_from: tuple[Contribution, ...]  # contributions to the difference in working time
    other_models: tuple[ModelChange, ...]
    price_changes: tuple[PriceChange, ...]
    notes: tuple[str, ...]  # caveats, one sentence each
