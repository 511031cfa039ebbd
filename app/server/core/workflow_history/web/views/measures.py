"""What is drawn of runs over time: measures, each with its unit, value and what it rests on. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ...summing.records import Figures
from ...wording.numbers import counted
from ...wording.statistics import cost_of, known_cost, success_of
from ..charts.over_time import Kind
from ..charts.units import COUNT, MONEY, SECONDS, SHARE, TOKENS, Unit

FEW: Final = 5
"""Runs: a share or a median of fewer is drawn hollow."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is drawn over time."""

    change: str  # the figure of a trend that it is
    title: str
    unit: Unit
    kind: Kind
    value: Callable[[Figures], float | None]
    runs: Callable[[Figures], int]  # that the value rests on
    say: Callable[[Figures], str] | None = None  # None: as the unit does

    def said(self, figures: Figures) -> str:
        """Return the value in words."""
        return self.say(figures) if self.say else self.unit.say(self.value(figures))

    def is_thin(self, figures: Figures) -> bool:
        """Tell whether it rests on so few runs that chance makes it; a sum never does."""
        return self.kind == "line" and 0 < self.runs(figures) < FEW

    def told(self, figures: Figures, label: str) -> str:
        """Return all of it in a sentence."""
        few = ", few runs" if self.is_thin(figures) else ""
        said = self.said(figures) if self.kind == "columns" else self.unit.say(self.value(figures))
        return f"{label}: {said} ({counted(self.runs(figures), 'run')}{few})"


def _cost(figures: Figures) -> float | None:
    nothing = figures.cost.total is None and figures.lower_bound_cost is None
    return None if nothing else known_cost(figures)


MEASURES: Final = (
    Measure("cost", "Cost", MONEY, "columns", _cost, lambda f: f.runs, say=cost_of),
    Measure("cost_per_run", "Cost of a run, median", MONEY, "line", lambda f: f.cost.median,
            lambda f: f.cost.runs),
    Measure("success_rate", "Ended well", SHARE, "line", lambda f: f.success_rate,
            lambda f: f.success_rate_of, say=success_of),
    Measure("runs", "Runs", COUNT, "columns", lambda f: f.runs, lambda f: f.runs),
    Measure("duration", "Time of a run, median", SECONDS, "line", lambda f: f.duration.median,
            lambda f: f.duration.runs),
    Measure("tokens", "Tokens", TOKENS, "columns", lambda f: f.tokens.total, lambda f: f.runs),
    Measure("cache_hit_share", "Read from the cache", SHARE, "line", lambda f: f.cache_hit_share,
            lambda f: f.runs),
)  # fmt: skip
"""In the order of the page."""
