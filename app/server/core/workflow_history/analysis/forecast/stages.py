"""Stages of runs: sum the cost and duration of agent runs by phase, or from a phase on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from ...common.coercion import coerce_number
from ...common.column_data import MISSING_INT
from ...common.models import RECORDED_BASES
from ...common.outcomes import Outcome
from ...common.phases import PHASES, classify_phase
from .past_runs import Amounts

Agent = Mapping[str, Any]
"""Fields of one agent run: phase, cost_nanodollars, lower_bound_cost_nanodollars, duration_seconds ..."""


class Amount(NamedTuple):
    """One number of one run, exact or a lower bound."""

    value: int  # nanodollars or microseconds; MISSING_INT if unknown
    exact: bool  # False for a lower bound


ZERO = Amount(0, True)


@dataclass(frozen=True, slots=True)
class PhaseSegment:
    """A stage: consecutive agent runs of one phase."""

    phase: str
    cost: Amount  # nanodollars
    duration: Amount  # microseconds of work, without waiting between agents


def split_into_segments(agents: Iterable[Agent]) -> list[PhaseSegment]:
    """Return the stages of a run, one for each sequence of agent runs of one phase, without copies.

    >>> [stage.phase for stage in split_into_segments([{"phase": "plan"}, {"phase": "plan"},
    ... {"phase": "build"}])]
    ['plan', 'build']
    """
    originals = [agent for agent in agents if not agent.get("duplicate_of")]
    segments = []
    for phase, group in groupby(originals, key=lambda agent: agent.get("phase") or "other"):
        members = list(group)
        cost = _sum_amounts([_agent_cost(agent) for agent in members])
        duration = _sum_amounts([_agent_duration(agent) for agent in members])
        segments.append(PhaseSegment(phase, cost, duration))
    return segments


def _sum_amounts(amounts: Sequence[Amount]) -> Amount:
    """Sum the known amounts; an unknown one makes the sum a lower bound."""
    known = [amount.value for amount in amounts if amount.value != MISSING_INT]
    return Amount(sum(known) if known else MISSING_INT, all(amount.exact for amount in amounts))


def _agent_cost(agent: Agent) -> Amount:
    recorded, lower_bound = agent.get("cost_nanodollars"), agent.get("lower_bound_cost_nanodollars")
    known = [amount for amount in (recorded, lower_bound) if amount is not None]
    exact = recorded is not None and lower_bound is None and agent.get("cost_basis") in RECORDED_BASES
    return Amount(sum(known) if known else MISSING_INT, exact)


def _agent_duration(agent: Agent) -> Amount:
    seconds = coerce_number(agent.get("duration_seconds"))
    if seconds is None or seconds > 1e9:
        return Amount(MISSING_INT, False)
    return Amount(round(seconds * 1e6), agent.get("outcome") not in (Outcome.INCOMPLETE, Outcome.STOPPED))


def list_phases(runs: Sequence[Sequence[PhaseSegment]]) -> list[str]:
    """Return the phases of the given runs, in workflow order."""
    used = {stage.phase for stages in runs for stage in stages}
    return [phase for phase in PHASES if phase in used] + sorted(used.difference(PHASES))


def totals_in_phase(runs: Sequence[Sequence[PhaseSegment]], phase: str) -> tuple[Amounts, Amounts]:
    """Return each run's cost and duration in a phase."""
    in_phase = [[stage for stage in stages if stage.phase == phase] for stages in runs]
    return to_arrays([_sum_stages(stages) for stages in in_phase])


def current_segment(stages: Sequence[PhaseSegment], recorded_phase: str | None) -> tuple[str, int] | None:
    """Return the current phase of a run, and how many earlier stages of that phase it completed.

    `recorded_phase` is the phase in the run's state, unless it is a guess; by default the last agent run's
    phase.
    """
    phase = classify_phase(recorded_phase) if recorded_phase else "other"
    if phase == "other":
        if not stages:
            return None
        phase = stages[-1].phase
    positions = [position for position, stage in enumerate(stages) if stage.phase == phase]
    is_last = bool(positions) and positions[-1] == len(stages) - 1
    return phase, len(positions) - int(is_last)


def segments_from(stages: Sequence[PhaseSegment], phase: str, before: int) -> list[PhaseSegment] | None:
    """Return a run's stages from its `before`+1st stage of a phase on; None if there is no such stage.

    >>> stages = split_into_segments([{"phase": "plan"}, {"phase": "commit"}, {"phase": "build"},
    ... {"phase": "commit"}])
    >>> [stage.phase for stage in segments_from(stages, "commit", 1)], segments_from(stages, "test", 0)
    (['commit'], None)
    """
    positions = [position for position, stage in enumerate(stages) if stage.phase == phase]
    return list(stages[positions[before] :]) if before < len(positions) else None


def totals_of(stages: Sequence[PhaseSegment]) -> tuple[Amount, Amount]:
    """Return the total cost and duration of stages; zero without any stage."""
    return _sum_stages(stages) if stages else (ZERO, ZERO)


def _sum_stages(stages: Sequence[PhaseSegment]) -> tuple[Amount, Amount]:
    return _sum_amounts([stage.cost for stage in stages]), _sum_amounts([stage.duration for stage in stages])


def to_arrays(pairs: Sequence[tuple[Amount, Amount]]) -> tuple[Amounts, Amounts]:
    """Convert costs and durations of many runs to arrays."""
    return _to_amounts([cost for cost, _ in pairs]), _to_amounts([duration for _, duration in pairs])


def _to_amounts(amounts: Sequence[Amount]) -> Amounts:
    return Amounts(
        np.array([amount.value for amount in amounts], np.int64),
        np.array([amount.exact for amount in amounts], np.bool_),
    )
