"""What is still to come of a run: how far it came and past runs that came as far in, the rest out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...common.column_data import MISSING_INT, Flags, Floats
from .past_runs import PartlyKnown
from .prediction_intervals import IntervalEstimate, SuccessProbability, estimate_success, weighted_interval
from .stages import MaybeExact, PhaseSegment, segments_from, to_arrays, totals_of


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run came."""

    phase: str
    before: int  # stages of this phase that it left behind
    cost: MaybeExact  # nanodollars spent since the stage began
    duration: MaybeExact  # microseconds, likewise


@dataclass(frozen=True, slots=True)
class RemainingWork:
    """What past runs took from there on."""

    cost: IntervalEstimate  # nanodollars
    duration: IntervalEstimate  # microseconds
    chance: SuccessProbability
    through: Flags  # which of the past runs went through that stage


def progress_of(stages: Sequence[PhaseSegment], phase: str, before: int, elapsed: int) -> RunProgress:
    """Return how far a run came that is in a stage, `elapsed` microseconds after it began.

    An agent at work does not say how long it has been: it is what its run took less the stages before.
    """
    own = segments_from(stages, phase, before) or []
    _, earlier = totals_of(stages[: len(stages) - len(own)])
    gone = 0 if earlier.value == MISSING_INT else earlier.value
    return RunProgress(phase, before, totals_of(own)[0], MaybeExact(max(0, elapsed - gone), False))


def estimate_remaining(
    progress: RunProgress,
    runs: Sequence[Sequence[PhaseSegment]],
    whole: tuple[Flags, Flags],
    endings: tuple[Flags, Flags],
    weights: Floats,
) -> RemainingWork:
    """Return what was still to come where past runs had come as far.

    `whole`: of which the cost and the duration are known, not only "at least"; `endings`: completed, failed.
    """
    parts = [segments_from(stages, progress.phase, progress.before) for stages in runs]
    through: Flags = np.array([part is not None for part in parts], np.bool_)
    costs, durations = to_arrays([totals_of(part or []) for part in parts])
    return RemainingWork(
        _beyond(costs, progress.cost, through, whole[0], weights),
        _beyond(durations, progress.duration, through, whole[1], weights),
        estimate_success(endings[0][through], endings[1][through], weights[through]),
        through,
    )


def _beyond(
    amounts: PartlyKnown, so_far: MaybeExact, through: Flags, whole: Flags, weights: Floats
) -> IntervalEstimate:
    """Return what came beyond an amount, of the runs that came to that amount."""
    passed = 0 if so_far.value == MISSING_INT else so_far.value
    rows = through & (amounts.values != MISSING_INT) & (amounts.values >= passed)
    return weighted_interval(amounts.values[rows] - passed, (amounts.is_exact & whole)[rows], weights[rows])
