"""Units of axes: number formats, and ticks for a maximum value. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from ...common.formatting.numbers import format_duration, format_tokens
from ...common.spending import UNKNOWN, format_fraction, format_usd, number

MAX_TICKS: Final = 4
"""Maximum number of ticks on an axis, not counting zero."""

_SECONDS: Final = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    86_400,
)
_LEAST, _MOST = 1e-6, 1e300  # bounds of drawable values


@dataclass(frozen=True, slots=True)
class AxisUnit:
    """One unit of values: formats and tick steps."""

    format: Callable[[Any], str]  # for values in charts and tables
    format_short: Callable[[Any], str]  # for ticks on an axis
    step: Callable[[float], float]  # distance between ticks for a maximum value
    most: float | None = None  # fixed end of the scale; None: from the values

    def marks(self, top: float) -> list[float]:
        """Return the tick values of an axis, from 0 to the end of the scale.

        >>> MONEY.marks(1.2), SHARE.marks(0.3), SECONDS.marks(2000), COUNT.marks(1)
        ([0.0, 0.5, 1.0, 1.5], [0.0, 0.5, 1.0], [0.0, 600.0, 1200.0, 1800.0, 2400.0], [0.0, 1.0])
        """
        end = self.most or (min(top, _MOST) if top > _LEAST else 1.0)
        step = self.step(end)
        steps = max(1, math.ceil(end / step - 1e-9))
        return [round(place * step, 12) for place in range(steps + 1)]


def max_known(values: Iterable[float | None]) -> float:
    """Return the largest known finite value, or 0 if there is none."""
    return max((value for value in values if value is not None and math.isfinite(value)), default=0.0)


def position(value: float, end: float) -> float:
    """Return the position of a value on a scale from 0 to `end`, as 0 to 1.

    >>> position(5, 20), position(30, 20), position(1, 0)
    (0.25, 1.0, 0.0)
    """
    return min(1.0, max(0.0, value / end)) if end > 0 else 0.0


def _decimal(end: float) -> float:
    """Return a step of 1, 2 or 5 times a power of ten."""
    rough = end / MAX_TICKS
    power = float(f"1e{Decimal(rough).adjusted()}")
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= rough * (1 - 1e-9))


def _whole(end: float) -> float:
    return max(1.0, _decimal(end))


def _of_time(end: float) -> float:
    rough = end / MAX_TICKS
    if rough < 1:
        return _decimal(end)
    days = 86_400.0
    return next((float(step) for step in _SECONDS if step >= rough), days * _whole(end / days))


def _without(say: Callable[[Any], str], *endings: str) -> Callable[[Any], str]:
    def short(value: Any) -> str:
        text = say(value)
        return next((text.removesuffix(end) for end in endings if text.endswith(end)), text)

    return short


def _count(value: Any) -> str:
    found = number(value)
    return UNKNOWN if found is None else f"{found:,.0f}"


MONEY: Final = AxisUnit(format_usd, _without(format_usd, ".00"), _decimal)
SECONDS: Final = AxisUnit(format_duration, _without(format_duration, " 00s", " 00m", " 00h"), _of_time)
TOKENS: Final = AxisUnit(format_tokens, _without(format_tokens, ".0k", ".0M", ".0B"), _whole)
COUNT: Final = AxisUnit(_count, format_tokens, _whole)
SHARE: Final = AxisUnit(format_fraction, format_fraction, lambda _: 0.5, most=1.0)

UNITS: Final = {
    "USD": MONEY,
    "seconds": SECONDS,
    "tokens": TOKENS,
    "runs": COUNT,
    "count": COUNT,
    "share": SHARE,
}
"""Units by their names in query results."""


def thin_labels(labels: Sequence[str], most: int) -> list[int]:
    """Return the indexes of the labels to show: at most `most`, evenly spaced, including the last.

    >>> thin_labels(["a", "b", "c", "d", "e"], 3), thin_labels([], 3)
    ([0, 2, 4], [])
    """
    if not labels:
        return []
    step = math.ceil(len(labels) / max(1, most))
    return list(range((len(labels) - 1) % step, len(labels), step))
