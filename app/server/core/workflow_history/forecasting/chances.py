"""How likely a run succeeds: weighted endings in, a share with an interval out. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ..columns import Flags, Floats
from ..proportions import EIGHT_IN_TEN, wilson
from .intervals import LEAST_RUNS, kish

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
