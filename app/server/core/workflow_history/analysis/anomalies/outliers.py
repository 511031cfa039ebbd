"""Detect outliers: find single recent runs far above the others of their series.

Uses the modified z-score of Iglewicz and Hoaglin (1993) on logarithms, with a threshold of 3.5. Only high
values count: an unusually cheap run is no problem.
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
_TO_MODIFIED: Final = 0.6745 * MAD_SCALE  # factor from robust standard deviations to modified z-scores
MIN_SAMPLE: Final = 20  # minimum number of runs to compare with
MIN_RATIO: Final = 2.0  # minimum multiple of the median: smaller excesses are not worth a look


@dataclass(frozen=True, slots=True)
class Outlier:
    """One run far above comparable runs."""

    lane: TemplateSeries
    row: int  # position in the lane
    name: SeriesKey
    value: float
    usual: float  # median
    like: int  # number of runs in the median
    score: float  # modified z
    also: tuple[SeriesKey, ...]  # other series in which the run is an outlier

    @property
    def extra(self) -> float:
        """Cost above the median, in nanodollars; 0 if another measure than cost is the outlier."""
        return self.value - self.usual if self.name[1] == "cost" else 0.0


def outliers(lane: TemplateSeries, steady: Sequence[Segment]) -> list[Outlier]:
    """Return the recent runs that are outliers, one entry per run."""
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
    """Merge the outliers of one run: keep the phase with most of the excess cost."""
    whole = next((one for one in found if one.name == (None, "cost")), None)
    parts = [one for one in found if one.name[0] is not None and one.name[1] == "cost"]
    best = max(parts, key=lambda one: one.extra, default=None)
    if best is None or (whole is not None and best.extra < MIN_MAIN_SHARE * whole.extra):
        best = whole or max(found, key=lambda one: (one.name[0] is not None, one.score))
    also = tuple(one.name for one in found if one is not best)
    return replace(best, also=also)
