"""Records of a comparison of two runs. Money is in US dollars, times in seconds; None is unknown, never 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ...common.field_docs import Doc
from ...common.shared_fields import RunCreatedAt, RunId, RunProject, Similarity


@dataclass(frozen=True, slots=True)
class NumberComparison:
    """One number of two runs; the difference is B - A."""

    name: Annotated[str, Doc("key of the compared metric, such as total_cost")]
    unit: Annotated[str, Doc("unit: USD, tokens, seconds, share (0 to 1), count or score (0 to 100)")]
    a: Annotated[float | None, Doc("value of A; null: unknown")]
    b: Annotated[float | None, Doc("value of B; null: unknown")]
    difference: Annotated[float | None, Doc("B minus A; null: a value is unknown, or only one run has it")]
    percent: Annotated[float | None, Doc("difference in percent of A; null: no difference, or A is 0")]
    certain: Annotated[bool, Doc("false: A or B is only a lower bound")]
    a_certain: Annotated[bool, Doc("false: A is only a lower bound")]
    b_certain: Annotated[bool, Doc("false: B is only a lower bound")]


@dataclass(frozen=True, slots=True)
class TextComparison:
    """One text field of two runs."""

    name: Annotated[str, Doc("key of the compared field, such as workflow_template")]
    a: Annotated[str | None, Doc("text of A; null: unknown")]
    b: Annotated[str | None, Doc("text of B; null: unknown")]
    same: Annotated[bool, Doc("whether both texts are equal")]


@dataclass(frozen=True, slots=True)
class AgentTotals:
    """Totals of the agent runs of one phase or one agent in one run."""

    agent_runs: Annotated[int, Doc("number of agent runs, superseded attempts included")]
    outcome: Annotated[
        str | None, Doc("worst outcome of the agent runs that were not superseded; null: unknown")
    ]
    models: Annotated[tuple[str, ...], Doc("names of the models used")]
    cost: Annotated[float | None, Doc("known cost, USD; null: unknown")]
    cost_is_certain: Annotated[bool, Doc("false if the cost is a lower bound")]


@dataclass(frozen=True, slots=True)
class StepComparison:
    """Comparison of one agent or one phase in two runs."""

    name: Annotated[str, Doc("name of the agent or phase")]
    a: Annotated[AgentTotals | None, Doc("totals of A; null: A has no such agent or phase")]
    b: Annotated[AgentTotals | None, Doc("totals of B; null: B has no such agent or phase")]
    figures: Annotated[
        tuple[NumberComparison, ...],
        Doc("comparisons of cost, duration, tokens, turns, tool calls and failed tool calls"),
    ]


@dataclass(frozen=True, slots=True)
class Phase:
    """Comparison of one phase in two runs, with its agents."""

    step: Annotated[StepComparison, Doc("comparison of the phase as a whole")]
    agents: Annotated[tuple[StepComparison, ...], Doc("comparisons of the agents of the phase")]


@dataclass(frozen=True, slots=True)
class Contribution:
    """One phase's contribution to a difference; a phase that one run lacks counts there as 0."""

    phase: Annotated[str | None, Doc("name of the phase; null: cost outside the agent runs")]
    difference: Annotated[float, Doc("difference B - A, USD or seconds")]
    share: Annotated[
        float | None,
        Doc("share of the whole difference: 1 is all of it, below 0 acts against it; null: no difference"),
    ]


@dataclass(frozen=True, slots=True)
class Request:
    """Comparison of the two requests."""

    a: Annotated[str | None, Doc("beginning of A's request; null: unknown")]
    b: Annotated[str | None, Doc("beginning of B's request; null: unknown")]
    same: Annotated[bool | None, Doc("whether the requests are identical; null: one is unknown")]
    likeness: Annotated[
        float | None, Doc("text component of the similarity, 0 to 1; null: a text is missing")
    ]
    shared: Annotated[tuple[str, ...], Doc("words of both requests, in A's form, strongest first")]
    only_a: Annotated[tuple[str, ...], Doc("words that B lacks in any form, heaviest first")]
    only_b: Annotated[tuple[str, ...], Doc("words that A lacks in any form, heaviest first")]


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A rate of a model that both runs used, with different prices at their dates."""

    model: Annotated[str, Doc("name of the model")]
    kind: Annotated[str, Doc("kind of tokens: input, output, cache read ...")]
    a: Annotated[float, Doc("rate at A's date, USD per million units")]
    b: Annotated[float, Doc("rate at B's date, USD per million units")]


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A phase in which the two runs used different models."""

    phase: Annotated[str, Doc("name of the phase")]
    a: Annotated[tuple[str, ...], Doc("models of A")]
    b: Annotated[tuple[str, ...], Doc("models of B")]


@dataclass(frozen=True, slots=True)
class LikenessPart:
    """One component of the similarity; see docs/similarity.md."""

    name: Annotated[str, Doc("name of the component: text, status, cost or duration")]
    weight: Annotated[float, Doc("weight, 0 to 1, before missing components are left out")]
    value: Annotated[float | None, Doc("value, 0 to 1; null: one of the runs lacks it")]


@dataclass(frozen=True, slots=True)
class RunRef:
    """Identity and status of one of the two runs."""

    id: RunId
    project: RunProject
    created_at: RunCreatedAt
    status: Annotated[str | None, Doc("status of the run: completed, failed, running ...; null: unknown")]
    status_reason: Annotated[str | None, Doc("source of the status; null: unknown")]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Comparison of two runs."""

    a: Annotated[RunRef, Doc("identity and status of run A")]
    b: Annotated[RunRef, Doc("identity and status of run B")]
    similarity: Similarity
    similarity_parts: Annotated[tuple[LikenessPart, ...], Doc("components of the similarity score")]
    request: Annotated[Request, Doc("comparison of the request texts")]
    facts: Annotated[tuple[TextComparison, ...], Doc("comparisons of texts such as status and model")]
    figures: Annotated[tuple[NumberComparison, ...], Doc("comparisons of numbers such as cost and scores")]
    phases: Annotated[tuple[Phase, ...], Doc("comparisons by phase, in the order of the workflow")]
    cost_from: Annotated[tuple[Contribution, ...], Doc("contributions to the cost difference, largest first")]
    duration_from: Annotated[tuple[Contribution, ...], Doc("contributions to the difference in working time")]
    other_models: Annotated[tuple[ModelChange, ...], Doc("phases in which the runs used different models")]
    price_changes: Annotated[
        tuple[PriceChange, ...], Doc("rates of common models that differ between the dates of the runs")
    ]
    notes: Annotated[tuple[str, ...], Doc("caveats, one sentence each")]
