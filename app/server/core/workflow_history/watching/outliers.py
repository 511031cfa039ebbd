"""Single runs that stand out among their like: steady series in, the runs far above them out.

The modified z-score of Iglewicz and Hoaglin (1993), on logarithms: 3.5 is far. Only upwards: a run that
costs unusually little is no trouble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .changes import MAD_TO_SIGMA, Steady, on_scale, spread
from .grouping import MAIN_SHARE
from .series import MEASURES, Lane, Name

FAR_OFF: Final = 3.5
_TO_MODIFIED: Final = 0.6745 * MAD_TO_SIGMA  # from robust standard deviations
LEAST_LIKE: Final = 20  # runs that a run is held against
LEAST_TIMES: Final = 2.0  # the median: less is not worth anybody's time


@dataclass(frozen=True, slots=True)
class Outlier:
    """One run far above its like."""

    lane: Lane
    row: int  # place in the lane
    name: Name
    value: float
    usual: float  # median
    like: int  # runs with this median
    score: float  # modified z
    also: tuple[Name, ...]  # where else it stands out

    @property
    def extra(self) -> float:
        """What it cost above the median, nanodollars; 0 where it is not the cost that stands out."""
        return self.value - self.usual if self.name[1] == "cost" else 0.0


def outliers(lane: Lane, steady: Sequence[Steady]) -> list[Outlier]:
    """Return the recent runs that stand out, one entry each."""
    by_row: dict[int, list[Outlier]] = {}
    for series in steady:
        if MEASURES[series.name[1]].kind == "amount":
            for found in _of_series(lane, series):
                by_row.setdefault(found.row, []).append(found)
    return [_one(some) for some in by_row.values()]


def _of_series(lane: Lane, series: Steady) -> list[Outlier]:
    rows, values = series.rows[series.starts_at :], series.values[series.starts_at :]
    if len(values) < LEAST_LIKE:
        return []
    usual = float(np.median(values))
    logs = on_scale(values, MEASURES[series.name[1]])
    scores = _TO_MODIFIED * (logs - np.median(logs)) / spread(logs)
    far = (scores > FAR_OFF) & (values >= LEAST_TIMES * usual) & (rows >= lane.recent_from)
    picked = zip(rows[far].tolist(), values[far].tolist(), scores[far].tolist(), strict=True)
    return [
        Outlier(lane, row, series.name, value, usual, len(values), score, ()) for row, value, score in picked
    ]


def _one(found: Sequence[Outlier]) -> Outlier:
    """Return the entry that tells most: the phase that most of the extra cost comes from."""
    whole = next((one for one in found if one.name == (None, "cost")), None)
    parts = [one for one in found if one.name[0] is not None and one.name[1] == "cost"]
    best = max(parts, key=lambda one: one.extra, default=None)
    if best is None or (whole is not None and best.extra < MAIN_SHARE * whole.extra):
        best = whole or max(found, key=lambda one: (one.name[0] is not None, one.score))
    also = tuple(one.name for one in found if one is not best)
    return replace(best, also=also)
