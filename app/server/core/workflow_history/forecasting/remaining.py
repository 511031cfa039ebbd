"""What is still to come of a run: how far it came and past runs that came as far in, the rest out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..columns import UNKNOWN, Flags, Floats
from .chances import Chance, chance_of
from .intervals import Read, read_bounds
from .past import Amounts
from .stages import Amount, Stage, columns_of, from_stage, totals_of


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run came."""

    phase: str
    before: int  # stages of this phase that it left behind
    cost: Amount  # nanodollars spent since the stage began
    duration: Amount  # microseconds, likewise


@dataclass(frozen=True, slots=True)
class Rest:
    """What past runs took from there on."""

    cost: Read  # nanodollars
    duration: Read  # microseconds
    chance: Chance
    through: Flags  # which of the past runs went through that stage


def progress_of(stages: Sequence[Stage], phase: str, before: int, elapsed: int) -> Progress:
    """Return how far a run came that is in a stage, `elapsed` microseconds after it began.

    An agent at work does not say how long it has been: it is what its run took less the stages before.
    """
    own = from_stage(stages, phase, before) or []
    _, earlier = totals_of(stages[: len(stages) - len(own)])
    gone = 0 if earlier.value == UNKNOWN else earlier.value
    return Progress(phase, before, totals_of(own)[0], Amount(max(0, elapsed - gone), False))


def rest_of(
    progress: Progress,
    runs: Sequence[Sequence[Stage]],
    whole: tuple[Flags, Flags],
    endings: tuple[Flags, Flags],
    weights: Floats,
) -> Rest:
    """Return what was still to come where past runs had come as far.

    `whole`: of which the cost and the duration are known, not only "at least"; `endings`: completed, failed.
    """
    parts = [from_stage(stages, progress.phase, progress.before) for stages in runs]
    through: Flags = np.array([part is not None for part in parts], np.bool_)
    costs, durations = columns_of([totals_of(part or []) for part in parts])
    return Rest(
        _beyond(costs, progress.cost, through, whole[0], weights),
        _beyond(durations, progress.duration, through, whole[1], weights),
        chance_of(endings[0][through], endings[1][through], weights[through]),
        through,
    )


def _beyond(amounts: Amounts, so_far: Amount, through: Flags, whole: Flags, weights: Floats) -> Read:
    """Return what came beyond an amount, of the runs that came to that amount."""
    passed = 0 if so_far.value == UNKNOWN else so_far.value
    rows = through & (amounts.values != UNKNOWN) & (amounts.values >= passed)
    return read_bounds(amounts.values[rows] - passed, (amounts.exact & whole)[rows], weights[rows])
