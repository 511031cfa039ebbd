"""Every field that can be explained, and what explains it: a name in, an explanation out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from ..errors import InvalidQueryError
from . import costs, others, scores, times, tokens, words
from .known import Known
from .shapes import Explanation

Explain = Callable[[Known], Explanation]

FIELDS: Final[Mapping[str, Explain]] = {
    "total_cost": costs.total_cost,
    "lower_bound_cost": costs.lower_bound_cost,
    "computed_cost": costs.computed_cost,
    "cost_basis": costs.cost_basis,
    "cost_disputed": costs.cost_disputed,
    "cost_difference_percent": costs.cost_difference,
    "retry_cost": costs.retry_cost,
    "retry_count": costs.retry_count,
    "unpriced_tokens": costs.unpriced_tokens,
    "price_version": costs.price_version,
    "total_tokens": tokens.total_tokens,
    **{name: partial(tokens.count_of, name=name) for name in tokens.KINDS},
    "status": words.status,
    "nl_input": words.request,
    "model_used": words.model_used,
    **{name: partial(words.from_state, name=name) for name in words.FROM_STATE},
    "created_at": partial(times.moment_of, name="created_at"),
    "started_at": partial(times.moment_of, name="started_at"),
    "completed_at": partial(times.moment_of, name="completed_at"),
    "duration_seconds": times.duration,
    "phase_durations": times.phase_durations,
    "bottleneck_phase": times.bottleneck,
    "idle_time_seconds": times.idle_time,
    "nl_clarity_score": partial(scores.score, name="nl_clarity_score"),
    "cost_efficiency_score": partial(scores.score, name="cost_efficiency_score"),
    "performance_score": partial(scores.score, name="performance_score"),
    "quality_score": partial(scores.score, name="quality_score"),
    "similar_workflows": others.similar_workflows,
    "pattern_count": others.pattern_count,
    **{name: partial(words.of_itself, name=name) for name in words.OWN_NOTES},
}
"""By key of a run, what explains its value."""

SHORT: Final[Mapping[str, str]] = {
    "cost": "total_cost",
    "cost_data": "total_cost",
    "phase_costs": "total_cost",
    "tokens": "total_tokens",
    "duration": "duration_seconds",
    "time": "duration_seconds",
    "when": "created_at",
    "request": "nl_input",
    "model": "model_used",
    "workflow": "workflow_template",
    "template": "workflow_template",
    "retries": "retry_count",
    "clarity": "nl_clarity_score",
    "cost_efficiency": "cost_efficiency_score",
    "performance": "performance_score",
    "quality": "quality_score",
    "similar": "similar_workflows",
    "patterns": "pattern_count",
    "prices": "price_version",
    "bottleneck": "bottleneck_phase",
    "idle": "idle_time_seconds",
}
"""Short names that may be asked for."""

OVERVIEW: Final = (
    "status",
    "nl_input",
    "created_at",
    "duration_seconds",
    "total_cost",
    "lower_bound_cost",
    "computed_cost",
    "total_tokens",
    "retry_cost",
    "nl_clarity_score",
    "cost_efficiency_score",
    "performance_score",
    "quality_score",
    "similar_workflows",
)
"""What is explained where nobody asks for one field."""


def explained(known: Known, name: str | None = None) -> Explanation:
    """Return the explanation of a field, a phase or an agent; of the whole run where none is named.

    Raises InvalidQueryError, which names what can be explained, where there is no such thing.
    """
    if name is None:
        return _overview(known)
    wanted = name.strip()
    key = wanted.lower().replace("-", "_").replace(" ", "_")
    if key in FIELDS:
        return FIELDS[key](known)
    for kind in ("phase", "agent"):
        members, silent = (
            [each for each in some if each.get(kind) == wanted] for some in (known.agents, known.silent)
        )
        if members or silent:
            return costs.of_agents(known, f"{kind} {wanted}", members, silent)
    if key in SHORT:
        return FIELDS[SHORT[key]](known)
    if wanted in known.run:
        return words.kept(known, wanted)
    raise InvalidQueryError(f"nothing called {name!r} in this run; use one of: {', '.join(names_of(known))}")


def names_of(known: Known) -> list[str]:
    """Return everything that can be explained of a run: fields, then its phases and agents."""
    others_ = {
        str(agent[kind]): None
        for kind in ("phase", "agent")
        for agent in (*known.agents, *known.silent)
        if agent.get(kind)
    }
    extra = [key for key in known.run if key not in FIELDS and key not in SHORT]
    return [*FIELDS, *extra, *others_]


def _overview(known: Known) -> Explanation:
    every = [FIELDS[name](known) for name in OVERVIEW]
    return known.told(
        "run",
        "the main figures of the run, each with its rule; name a field, a phase or an agent for its parts",
        value=known.run.get("status"),
        notes=tuple(note for each in every if each.field == "total_cost" for note in each.notes),
        of=tuple(every),
    )
