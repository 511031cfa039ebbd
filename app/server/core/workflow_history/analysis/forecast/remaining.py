"""Remaining work: estimate a running run's rest from past runs that reached the same stage. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...common.column_data import MISSING_INT, Flags, Floats
from .past_runs import Amounts
from .prediction_intervals import IntervalEstimate, SuccessProbability, estimate_success, weighted_interval
from .stages import Amount, PhaseSegment, segments_from, to_arrays, totals_of


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Progress of a running run."""

    phase: str
    before: int  # number of completed stages of this phase
    cost: Amount  # nanodollars spent since the stage began
    duration: Amount  # microseconds since the stage began


@dataclass(frozen=True, slots=True)
class RemainingWork:
    """Remaining cost and duration of past runs from the same stage on."""

    cost: IntervalEstimate  # nanodollars
    duration: IntervalEstimate  # microseconds
    success: SuccessProbability
    reached: Flags  # mask of the past runs that reached the stage


def progress_of(stages: Sequence[PhaseSegment], phase: str, before: int, elapsed: int) -> RunProgress:
    """Return the progress of a run in a stage, `elapsed` microseconds after the run began.

    A running agent reports no duration: it is computed as the elapsed time less the earlier stages.
    """
    current = segments_from(stages, phase, before) or []
    _, earlier = totals_of(stages[: len(stages) - len(current)])
    spent_earlier = 0 if earlier.value == MISSING_INT else earlier.value
    return RunProgress(phase, before, totals_of(current)[0], Amount(max(0, elapsed - spent_earlier), False))


def estimate_remaining(
    progress: RunProgress,
    runs: Sequence[Sequence[PhaseSegment]],
    is_exact: tuple[Flags, Flags],
    outcomes: tuple[Flags, Flags],
    weights: Floats,
) -> RemainingWork:
    """Estimate the remaining work from past runs that reached the same stage.

    `is_exact`: masks of the runs with exactly known cost and duration; `outcomes`: masks of the completed and
    of the failed runs.
    """
    remaining = [segments_from(stages, progress.phase, progress.before) for stages in runs]
    reached: Flags = np.array([part is not None for part in remaining], np.bool_)
    costs, durations = to_arrays([totals_of(part or []) for part in remaining])
    return RemainingWork(
        _remaining_interval(costs, progress.cost, reached, is_exact[0], weights),
        _remaining_interval(durations, progress.duration, reached, is_exact[1], weights),
        estimate_success(outcomes[0][reached], outcomes[1][reached], weights[reached]),
        reached,
    )


def _remaining_interval(
    amounts: Amounts, so_far: Amount, reached: Flags, is_exact: Flags, weights: Floats
) -> IntervalEstimate:
    """Return the interval of the rest beyond an amount, over the runs that reached that amount."""
    spent = 0 if so_far.value == MISSING_INT else so_far.value
    rows = reached & (amounts.values != MISSING_INT) & (amounts.values >= spent)
    return weighted_interval(amounts.values[rows] - spent, (amounts.is_exact & is_exact)[rows], weights[rows])
