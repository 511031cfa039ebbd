"""Remaining work: estimate a running run's rest from past runs that reached the same stage. Pure."""

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
    """Progress of a running run."""

    phase: str
    before: int  # number of completed stages of this phase
    cost: MaybeExact  # nanodollars spent since the stage began
    duration: MaybeExact  # microseconds since the stage began


@dataclass(frozen=True, slots=True)
class RemainingWork:
    """Remaining cost and duration of past runs from the same stage on."""

    cost: IntervalEstimate  # nanodollars
    duration: IntervalEstimate  # microseconds
    chance: SuccessProbability
    through: Flags  # mask of the past runs that reached the stage


def progress_of(stages: Sequence[PhaseSegment], phase: str, before: int, elapsed: int) -> RunProgress:
    """Return the progress of a run in a stage, `elapsed` microseconds after the run began.

    A running agent reports no duration: it is computed as the elapsed time less the earlier stages.
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
    """Estimate the remaining work from past runs that reached the same stage.

    `whole`: masks of the runs with exactly known cost and duration; `endings`: masks completed and failed.
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
    """Return the interval of the rest beyond an amount, over the runs that reached that amount."""
    passed = 0 if so_far.value == MISSING_INT else so_far.value
    rows = through & (amounts.values != MISSING_INT) & (amounts.values >= passed)
    return weighted_interval(amounts.values[rows] - passed, (amounts.is_exact & whole)[rows], weights[rows])
