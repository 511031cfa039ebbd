"""What runs spent phase by phase: entries of agents in, sums by phase or from a phase on out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from ..columns import UNKNOWN
from ..evidence import number
from ..phases import PHASES, phase_of
from .past import Amounts

Agent = Mapping[str, Any]
"""What one agent spent: phase, cost_nanodollars, lower_bound_cost_nanodollars, duration_seconds ..."""

_RECORDED = frozenset({"reported", "computed"})


class Amount(NamedTuple):
    """One figure of one run."""

    value: int  # nanodollars or microseconds; UNKNOWN where nothing is known
    exact: bool  # False: at least so much


NOTHING = Amount(0, True)


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a run in one phase."""

    phase: str
    cost: Amount  # nanodollars
    duration: Amount  # microseconds of work; waiting between agents is left out


def stages_of(agents: Iterable[Agent]) -> list[Stage]:
    """Return the stages of a run, one for each stretch of agents of one phase; copies are left out.

    >>> [stage.phase for stage in stages_of([{"phase": "plan"}, {"phase": "plan"}, {"phase": "build"}])]
    ['plan', 'build']
    """
    own = [agent for agent in agents if not agent.get("duplicate_of")]
    return [
        _stage(phase, list(some)) for phase, some in groupby(own, key=lambda one: one.get("phase") or "other")
    ]


def _stage(phase: str, agents: Sequence[Agent]) -> Stage:
    costs = [_cost(agent) for agent in agents]
    return Stage(phase, _sum(costs), _sum([_duration(agent) for agent in agents]))


def _sum(amounts: Sequence[Amount]) -> Amount:
    """Add up what is known; what is not makes the sum an "at least"."""
    there = [amount.value for amount in amounts if amount.value != UNKNOWN]
    return Amount(sum(there) if there else UNKNOWN, all(amount.exact for amount in amounts))


def _cost(agent: Agent) -> Amount:
    recorded, beyond = agent.get("cost_nanodollars"), agent.get("lower_bound_cost_nanodollars")
    known = [amount for amount in (recorded, beyond) if amount is not None]
    exact = recorded is not None and beyond is None and agent.get("cost_basis") in _RECORDED
    return Amount(sum(known) if known else UNKNOWN, exact)


def _duration(agent: Agent) -> Amount:
    seconds = number(agent.get("duration_seconds"))
    if seconds is None or seconds > 1e9:
        return Amount(UNKNOWN, False)
    return Amount(round(seconds * 1e6), agent.get("outcome") not in ("incomplete", "stopped"))


def phases_of(runs: Sequence[Sequence[Stage]]) -> list[str]:
    """Return the phases that some of the runs went through, in the usual order."""
    there = {stage.phase for stages in runs for stage in stages}
    return [phase for phase in PHASES if phase in there] + sorted(there.difference(PHASES))


def in_phase(runs: Sequence[Sequence[Stage]], phase: str) -> tuple[Amounts, Amounts]:
    """Return each run's cost and duration in a phase."""
    own = [[stage for stage in stages if stage.phase == phase] for stages in runs]
    return columns_of([_totals(stages) for stages in own])


def current_stage(stages: Sequence[Stage], named: str | None) -> tuple[str, int] | None:
    """Return the phase a run is in, and how many earlier stages of that phase it went through.

    `named`: what its state calls the phase, if that is more than a guess; else its last agent tells.
    """
    phase = phase_of(named) if named else "other"
    if phase == "other":
        if not stages:
            return None
        phase = stages[-1].phase
    there = [place for place, stage in enumerate(stages) if stage.phase == phase]
    begun = bool(there) and there[-1] == len(stages) - 1
    return phase, len(there) - int(begun)


def from_stage(stages: Sequence[Stage], phase: str, before: int) -> list[Stage] | None:
    """Return a run's stages from its `before`+1st stage of a phase on; None where it has no such one.

    >>> stages = stages_of([{"phase": "plan"}, {"phase": "commit"}, {"phase": "build"}, {"phase": "commit"}])
    >>> [stage.phase for stage in from_stage(stages, "commit", 1)], from_stage(stages, "test", 0)
    (['commit'], None)
    """
    there = [place for place, stage in enumerate(stages) if stage.phase == phase]
    return list(stages[there[before] :]) if before < len(there) else None


def totals_of(stages: Sequence[Stage]) -> tuple[Amount, Amount]:
    """Return what stages cost and how long they took together; without any stage nothing."""
    return _totals(stages) if stages else (NOTHING, NOTHING)


def _totals(stages: Sequence[Stage]) -> tuple[Amount, Amount]:
    return _sum([stage.cost for stage in stages]), _sum([stage.duration for stage in stages])


def columns_of(pairs: Sequence[tuple[Amount, Amount]]) -> tuple[Amounts, Amounts]:
    """Return costs and durations of many runs as arrays."""
    return _column([cost for cost, _ in pairs]), _column([duration for _, duration in pairs])


def _column(amounts: Sequence[Amount]) -> Amounts:
    return Amounts(
        np.array([amount.value for amount in amounts], np.int64),
        np.array([amount.exact for amount in amounts], np.bool_),
    )
