"""Metrics that are plotted over time, each with its unit, value and number of runs. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...analysis.statistics.records import GroupStatistics
from ...common.formatting.numbers import pluralize
from ...presentation.statistics import format_cost, format_success_rate
from ..charts.axis_units import COUNT, MONEY, SECONDS, SHARE, TOKENS, AxisUnit
from ..charts.time_series import Kind

MIN_RUNS: Final = 5
"""A rate or median of fewer runs is drawn hollow (low n)."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric that is plotted over time."""

    key: str  # key of the same metric in a trend
    title: str
    unit: AxisUnit
    kind: Kind
    value: Callable[[GroupStatistics], float | None]
    runs: Callable[[GroupStatistics], int]  # number of runs that the value is based on
    formatter: Callable[[GroupStatistics], str] | None = None  # formatter; None: that of the unit

    def format(self, statistics: GroupStatistics) -> str:
        """Format the value."""
        return self.formatter(statistics) if self.formatter else self.unit.format(self.value(statistics))

    def has_few_runs(self, statistics: GroupStatistics) -> bool:
        """Return whether the value may be noise because of too few runs (low n); sums never are."""
        return self.kind == "line" and 0 < self.runs(statistics) < MIN_RUNS

    def describe(self, statistics: GroupStatistics, label: str) -> str:
        """Format label, value and number of runs as a sentence."""
        note = ", low n" if self.has_few_runs(statistics) else ""
        value_text = (
            self.format(statistics) if self.kind == "columns" else self.unit.format(self.value(statistics))
        )
        return f"{label}: {value_text} ({pluralize(self.runs(statistics), 'run')}{note})"


def _cost(statistics: GroupStatistics) -> float | None:
    is_unknown = statistics.cost.total is None and statistics.lower_bound_cost is None
    return None if is_unknown else statistics.minimum_cost


MEASURES: Final = (
    Measure("cost", "Total cost", MONEY, "columns", _cost, lambda f: f.runs, formatter=format_cost),
    Measure("cost_per_run", "Median cost per run", MONEY, "line", lambda f: f.cost.median,
            lambda f: f.cost.runs),
    Measure("success_rate", "Success rate", SHARE, "line", lambda f: f.success_rate,
            lambda f: f.success_rate_of, formatter=format_success_rate),
    Measure("runs", "Runs", COUNT, "columns", lambda f: f.runs, lambda f: f.runs),
    Measure("duration", "Median duration", SECONDS, "line", lambda f: f.duration.median,
            lambda f: f.duration.runs),
    Measure("tokens", "Tokens", TOKENS, "columns", lambda f: f.tokens.total, lambda f: f.runs),
    Measure("cache_hit_rate", "Cache hit rate", SHARE, "line", lambda f: f.cache_hit_rate,
            lambda f: f.runs),
)  # fmt: skip
"""All metrics in the order of the page."""
