"""Single runs that stand out among their like: steady series in, the runs far above them out.

The modified z-score of Iglewicz and Hoaglin (1993), on logarithms: 3.5 is far. Only upwards: a run that
costs unusually little is no trouble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .cause_grouping import MIN_MAIN_SHARE
from .change_points import MAD_SCALE, Segment, robust_sd, to_scale
from .series import MEASURES, SeriesKey, TemplateSeries

MIN_MODIFIED_Z: Final = 3.5
_TO_MODIFIED: Final = 0.6745 * MAD_SCALE  # from robust standard deviations
MIN_SAMPLE: Final = 20  # runs that a run is held against
MIN_RATIO: Final = 2.0  # the median: less is not worth anybody's time


@dataclass(frozen=True, slots=True)
class Outlier:
    """One run far above its like."""

    lane: TemplateSeries
    row: int  # place in the lane
    name: SeriesKey
    value: float
    usual: float  # median
    like: int  # runs with this median
    score: float  # modified z
    also: tuple[SeriesKey, ...]  # where else it stands out

    @property
    def extra(self) -> float:
        """What it cost above the median, nanodollars; 0 where it is not the cost that stands out."""
        return self.value - self.usual if self.name[1] == "cost" else 0.0


def outliers(lane: TemplateSeries, steady: Sequence[Segment]) -> list[Outlier]:
    """Return the recent runs that stand out, one entry each."""
    by_row: dict[int, list[Outlier]] = {}
    for series in steady:
        if MEASURES[series.name[1]].kind == "amount":
            for found in _of_series(lane, series):
                by_row.setdefault(found.row, []).append(found)
    return [_one(some) for some in by_row.values()]


def _of_series(lane: TemplateSeries, series: Segment) -> list[Outlier]:
    rows, values = series.rows[series.starts_at :], series.values[series.starts_at :]
    if len(values) < MIN_SAMPLE:
        return []
    usual = float(np.median(values))
    logs = to_scale(values, MEASURES[series.name[1]])
    scores = _TO_MODIFIED * (logs - np.median(logs)) / robust_sd(logs)
    far = (scores > MIN_MODIFIED_Z) & (values >= MIN_RATIO * usual) & (rows >= lane.recent_from)
    picked = zip(rows[far].tolist(), values[far].tolist(), scores[far].tolist(), strict=True)
    return [
        Outlier(lane, row, series.name, value, usual, len(values), score, ()) for row, value, score in picked
    ]


def _one(found: Sequence[Outlier]) -> Outlier:
    """Return the entry that tells most: the phase that most of the extra cost comes from."""
    whole = next((one for one in found if one.name == (None, "cost")), None)
    parts = [one for one in found if one.name[0] is not None and one.name[1] == "cost"]
    best = max(parts, key=lambda one: one.extra, default=None)
    if best is None or (whole is not None and best.extra < MIN_MAIN_SHARE * whole.extra):
        best = whole or max(found, key=lambda one: (one.name[0] is not None, one.score))
    also = tuple(one.name for one in found if one is not best)
    return replace(best, also=also)
