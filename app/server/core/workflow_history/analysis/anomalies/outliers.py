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
_MODIFIED_Z_FACTOR: Final = 0.6745 * MAD_SCALE  # factor from robust standard deviations to modified z-scores
MIN_SAMPLE: Final = 20  # minimum number of runs to compare with
MIN_RATIO: Final = 2.0  # minimum multiple of the median: smaller excesses are not worth a look


@dataclass(frozen=True, slots=True)
class Outlier:
    """One run far above comparable runs."""

    series: TemplateSeries
    row: int  # position in the series
    name: SeriesKey
    value: float
    median: float  # median
    sample_size: int  # number of runs in the median
    score: float  # modified z
    other_keys: tuple[SeriesKey, ...]  # other series in which the run is an outlier

    @property
    def excess_cost(self) -> float:
        """Cost above the median, in nanodollars; 0 if another measure than cost is the outlier."""
        return self.value - self.median if self.name[1] == "cost" else 0.0


def find_outliers(series: TemplateSeries, segments: Sequence[Segment]) -> list[Outlier]:
    """Return the recent runs that are outliers, one entry per run."""
    by_row: dict[int, list[Outlier]] = {}
    for segment in segments:
        if MEASURES[segment.name[1]].kind == "amount":
            for outlier in _segment_outliers(series, segment):
                by_row.setdefault(outlier.row, []).append(outlier)
    return [_merge_outliers(candidates) for candidates in by_row.values()]


def _segment_outliers(series: TemplateSeries, segment: Segment) -> list[Outlier]:
    rows, values = segment.rows[segment.starts_at :], segment.values[segment.starts_at :]
    if len(values) < MIN_SAMPLE:
        return []
    median = float(np.median(values))
    logs = to_scale(values, MEASURES[segment.name[1]])
    scores = _MODIFIED_Z_FACTOR * (logs - np.median(logs)) / robust_sd(logs)
    is_outlier = (scores > MIN_MODIFIED_Z) & (values >= MIN_RATIO * median) & (rows >= series.recent_from)
    outlying = zip(
        rows[is_outlier].tolist(), values[is_outlier].tolist(), scores[is_outlier].tolist(), strict=True
    )
    return [
        Outlier(series, row, segment.name, value, median, len(values), score, ())
        for row, value, score in outlying
    ]


def _merge_outliers(candidates: Sequence[Outlier]) -> Outlier:
    """Merge the outliers of one run: keep the phase with most of the excess cost."""
    run_cost = next((outlier for outlier in candidates if outlier.name == (None, "cost")), None)
    phase_costs = [
        outlier for outlier in candidates if outlier.name[0] is not None and outlier.name[1] == "cost"
    ]
    main = max(phase_costs, key=lambda outlier: outlier.excess_cost, default=None)
    if main is None or (run_cost is not None and main.excess_cost < MIN_MAIN_SHARE * run_cost.excess_cost):
        main = run_cost or max(candidates, key=lambda outlier: (outlier.name[0] is not None, outlier.score))
    return replace(main, other_keys=tuple(outlier.name for outlier in candidates if outlier is not main))
