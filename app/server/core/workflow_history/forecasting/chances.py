"""How likely a run succeeds: weighted endings in, a share with an interval out. Pure."""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

import numpy as np

from ..columns import Flags, Floats
from .intervals import LEAST_RUNS, kish

EIGHT_IN_TEN: Final = 1.2815515655446004
"""Standard deviations to either side that hold 80%."""

NINETEEN_IN_TWENTY: Final = 1.959963984540054
"""Standard deviations to either side that hold 95%."""

BASE_WORTH: Final = 20.0
"""As many runs the share of all runs is worth: few runs tell little of how often such work fails."""


class Chance(NamedTuple):
    """A share of runs that succeed, 0 to 1, with its 80% interval; None where too little speaks."""

    share: float | None
    low: float | None
    high: float | None
    completed: int
    ended: int  # completed or failed; what was cut off or runs tells neither
    worth: float  # as many equally weighted runs would say as much


def chance_of(completed: Flags, failed: Flags, weights: Floats, base: float | None = None) -> Chance:
    """Return the chance of success after some endings, drawn towards the share `base` of all runs.

    Without a `base` half a run of each kind is added (Jeffreys), so that the share is never 0 or 1.

    >>> chance_of(np.array([True] * 9), np.array([False] * 9), np.ones(9)).share
    0.95
    """
    ended = completed | failed
    worth, total = kish(weights[ended]), float(weights[ended].sum())
    counts = int(np.count_nonzero(completed)), int(np.count_nonzero(ended))
    if worth < LEAST_RUNS:
        return Chance(None, None, None, *counts, worth)
    pull, towards = (1.0, 0.5) if base is None else (BASE_WORTH, base)
    share = (float(weights[completed].sum()) / total * worth + towards * pull) / (worth + pull)
    return Chance(share, *wilson(share, worth + pull, EIGHT_IN_TEN), *counts, worth)


def wilson(share: float, count: float, deviations: float) -> tuple[float, float]:
    """Return Wilson's interval of a share that was seen in `count` cases.

    >>> [round(bound, 3) for bound in wilson(0.8, 100, NINETEEN_IN_TWENTY)]
    [0.711, 0.867]
    """
    square = deviations**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    spread = deviations * sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    return max(0.0, middle - spread), min(1.0, middle + spread)
