"""Units of axes: number formats, and ticks for a maximum value. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ...common.formatting.numbers import format_count, format_duration, format_tokens
from ...common.spending import format_fraction, format_usd

MAX_TICKS: Final = 4
"""Maximum number of ticks on an axis, not counting zero."""

_TIME_STEPS: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
)  # fmt: skip
"""Distances between ticks of a time axis, in seconds."""
_MIN_VALUE, _MAX_VALUE = 1e-6, 1e300  # bounds of drawable values


@dataclass(frozen=True, slots=True)
class AxisUnit:
    """One unit of values: formats and tick steps."""

    format: Callable[[Any], str]  # for values in charts and tables
    format_short: Callable[[Any], str]  # for ticks on an axis
    step: Callable[[float], float]  # distance between ticks for a maximum value
    fixed_end: float | None = None  # fixed end of the scale; None: from the values

    def ticks(self, top: float) -> list[float]:
        """Return the tick values of an axis, from 0 to the end of the scale.

        >>> MONEY.ticks(1.2), SHARE.ticks(0.3), SECONDS.ticks(2000), COUNT.ticks(1)
        ([0.0, 0.5, 1.0, 1.5], [0.0, 0.5, 1.0], [0.0, 600.0, 1200.0, 1800.0, 2400.0], [0.0, 1.0])
        """
        end = self.fixed_end or (min(top, _MAX_VALUE) if top > _MIN_VALUE else 1.0)
        step = self.step(end)
        steps = max(1, math.ceil(end / step - 1e-9))
        return [round(index * step, 12) for index in range(steps + 1)]


def max_known(values: Iterable[float | None]) -> float:
    """Return the largest known finite value, or 0 if there is none."""
    return max((value for value in values if value is not None and math.isfinite(value)), default=0.0)


def position(value: float, end: float) -> float:
    """Return the position of a value on a scale from 0 to `end`, as 0 to 1.

    >>> position(5, 20), position(30, 20), position(1, 0)
    (0.25, 1.0, 0.0)
    """
    return min(1.0, max(0.0, value / end)) if end > 0 else 0.0


def _decimal_step(end: float) -> float:
    """Return a step of 1, 2 or 5 times a power of ten."""
    rough = end / MAX_TICKS
    power = float(f"1e{Decimal(rough).adjusted()}")
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= rough * (1 - 1e-9))


def _whole_step(end: float) -> float:
    return max(1.0, _decimal_step(end))


def _time_step(end: float) -> float:
    rough = end / MAX_TICKS
    if rough < 1:
        return _decimal_step(end)
    days = 86_400.0
    return next((float(step) for step in _TIME_STEPS if step >= rough), days * _whole_step(end / days))


def _without_suffix(format_value: Callable[[Any], str], *suffixes: str) -> Callable[[Any], str]:
    def format_short(value: Any) -> str:
        text = format_value(value)
        return next((text.removesuffix(suffix) for suffix in suffixes if text.endswith(suffix)), text)

    return format_short


MONEY: Final = AxisUnit(format_usd, _without_suffix(format_usd, ".00"), _decimal_step)
SECONDS: Final = AxisUnit(
    format_duration, _without_suffix(format_duration, " 00s", " 00m", " 00h"), _time_step
)
TOKENS: Final = AxisUnit(format_tokens, lambda tokens: format_tokens(tokens).replace(".0", ""), _whole_step)
COUNT: Final = AxisUnit(format_count, format_tokens, _whole_step)
SHARE: Final = AxisUnit(format_fraction, format_fraction, lambda _: 0.5, fixed_end=1.0)

UNITS: Final = {
    "USD": MONEY,
    "seconds": SECONDS,
    "tokens": TOKENS,
    "runs": COUNT,
    "count": COUNT,
    "share": SHARE,
}
"""Units by their names in query results."""


def thin_labels(labels: Sequence[str], maximum: int) -> list[int]:
    """Return the indexes of the labels to show: at most `maximum`, evenly spaced, including the last.

    >>> thin_labels(["a", "b", "c", "d", "e"], 3), thin_labels([], 3)
    ([0, 2, 4], [])
    """
    if not labels:
        return []
    step = math.ceil(len(labels) / max(1, maximum))
    return list(range((len(labels) - 1) % step, len(labels), step))
