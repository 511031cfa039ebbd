"""Stages of runs: sum the cost and duration of agent runs by phase, or from a phase on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from ...common.coercion import coerce_number
from ...common.column_data import MISSING_INT
from ...common.phases import PHASES, classify_phase
from .past_runs import PartlyKnown

Agent = Mapping[str, Any]
"""Fields of one agent run: phase, cost_nanodollars, lower_bound_cost_nanodollars, duration_seconds ..."""

_RECORDED = frozenset({"reported", "computed"})


class MaybeExact(NamedTuple):
    """One number of one run, exact or a lower bound."""

    value: int  # nanodollars or microseconds; MISSING_INT if unknown
    exact: bool  # False for a lower bound


ZERO = MaybeExact(0, True)


@dataclass(frozen=True, slots=True)
class PhaseSegment:
    """A stage: consecutive agent runs of one phase."""

    phase: str
    cost: MaybeExact  # nanodollars
    duration: MaybeExact  # microseconds of work, without waiting between agents


def split_into_segments(agents: Iterable[Agent]) -> list[PhaseSegment]:
    """Return the stages of a run, one for each sequence of agent runs of one phase, without copies.

    >>> [stage.phase for stage in split_into_segments([{"phase": "plan"}, {"phase": "plan"},
    ... {"phase": "build"}])]
    ['plan', 'build']
    """
    own = [agent for agent in agents if not agent.get("duplicate_of")]
    return [
        _stage(phase, list(some)) for phase, some in groupby(own, key=lambda one: one.get("phase") or "other")
    ]


def _stage(phase: str, agents: Sequence[Agent]) -> PhaseSegment:
    costs = [_cost(agent) for agent in agents]
    return PhaseSegment(phase, _sum(costs), _sum([_duration(agent) for agent in agents]))


def _sum(amounts: Sequence[MaybeExact]) -> MaybeExact:
    """Sum the known amounts; an unknown one makes the sum a lower bound."""
    there = [amount.value for amount in amounts if amount.value != MISSING_INT]
    return MaybeExact(sum(there) if there else MISSING_INT, all(amount.exact for amount in amounts))


def _cost(agent: Agent) -> MaybeExact:
    recorded, beyond = agent.get("cost_nanodollars"), agent.get("lower_bound_cost_nanodollars")
    known = [amount for amount in (recorded, beyond) if amount is not None]
    exact = recorded is not None and beyond is None and agent.get("cost_basis") in _RECORDED
    return MaybeExact(sum(known) if known else MISSING_INT, exact)


def _duration(agent: Agent) -> MaybeExact:
    seconds = coerce_number(agent.get("duration_seconds"))
    if seconds is None or seconds > 1e9:
        return MaybeExact(MISSING_INT, False)
    return MaybeExact(round(seconds * 1e6), agent.get("outcome") not in ("incomplete", "stopped"))


def phases_of(runs: Sequence[Sequence[PhaseSegment]]) -> list[str]:
    """Return the phases of the given runs, in workflow order."""
    there = {stage.phase for stages in runs for stage in stages}
    return [phase for phase in PHASES if phase in there] + sorted(there.difference(PHASES))


def totals_in_phase(runs: Sequence[Sequence[PhaseSegment]], phase: str) -> tuple[PartlyKnown, PartlyKnown]:
    """Return each run's cost and duration in a phase."""
    own = [[stage for stage in stages if stage.phase == phase] for stages in runs]
    return to_arrays([_totals(stages) for stages in own])


def current_segment(stages: Sequence[PhaseSegment], named: str | None) -> tuple[str, int] | None:
    """Return the current phase of a run, and how many earlier stages of that phase it completed.

    `named` is the phase in the run's state, unless it is a guess; by default the last agent run's phase.
    """
    phase = classify_phase(named) if named else "other"
    if phase == "other":
        if not stages:
            return None
        phase = stages[-1].phase
    there = [place for place, stage in enumerate(stages) if stage.phase == phase]
    begun = bool(there) and there[-1] == len(stages) - 1
    return phase, len(there) - int(begun)


def segments_from(stages: Sequence[PhaseSegment], phase: str, before: int) -> list[PhaseSegment] | None:
    """Return a run's stages from its `before`+1st stage of a phase on; None if there is no such stage.

    >>> stages = split_into_segments([{"phase": "plan"}, {"phase": "commit"}, {"phase": "build"},
    ... {"phase": "commit"}])
    >>> [stage.phase for stage in segments_from(stages, "commit", 1)], segments_from(stages, "test", 0)
    (['commit'], None)
    """
    there = [place for place, stage in enumerate(stages) if stage.phase == phase]
    return list(stages[there[before] :]) if before < len(there) else None


def totals_of(stages: Sequence[PhaseSegment]) -> tuple[MaybeExact, MaybeExact]:
    """Return the total cost and duration of stages; zero without any stage."""
    return _totals(stages) if stages else (ZERO, ZERO)


def _totals(stages: Sequence[PhaseSegment]) -> tuple[MaybeExact, MaybeExact]:
    return _sum([stage.cost for stage in stages]), _sum([stage.duration for stage in stages])


def to_arrays(pairs: Sequence[tuple[MaybeExact, MaybeExact]]) -> tuple[PartlyKnown, PartlyKnown]:
    """Convert costs and durations of many runs to arrays."""
    return _column([cost for cost, _ in pairs]), _column([duration for _, duration in pairs])


def _column(amounts: Sequence[MaybeExact]) -> PartlyKnown:
    return PartlyKnown(
        np.array([amount.value for amount in amounts], np.int64),
        np.array([amount.exact for amount in amounts], np.bool_),
    )
