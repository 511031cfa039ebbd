"""Confidence interval of a share, and rounding of published statistics to significant digits. Pure."""

from __future__ import annotations

from math import sqrt
from typing import Final, overload

Z_80: Final = 1.2815515655446004
"""Standard deviations to either side that enclose 80% of a normal distribution."""

Z_95: Final = 1.959963984540054
"""Standard deviations to either side that enclose 95% of a normal distribution."""


DIGITS: Final = 6
"""Significant digits of a published statistic: no sample in a history supports more."""


def wilson(share: float, count: float, deviations: float) -> tuple[float, float]:
    """Compute the Wilson score interval of a share observed in `count` cases.

    >>> [round(bound, 3) for bound in wilson(0.8, 100, Z_95)]
    [0.711, 0.867]
    """
    square = deviations * deviations
    middle = (share + square / (2 * count)) / (1 + square / count)
    variance = share * (1 - share) / count + square / (4 * count * count)
    spread = deviations * sqrt(variance) / (1 + square / count)
    return max(0.0, middle - spread), min(1.0, middle + spread)


@overload
def significant(value: float) -> float: ...
@overload
def significant(value: None) -> None: ...
def significant(value: float | None) -> float | None:
    """Round a statistic for publication to its significant digits; None stays None.

    >>> significant(-0.0022345678901), significant(1234567.8), significant(None)
    (-0.00223457, 1234570.0, None)
    """
    return None if value is None else float(f"{value:.{DIGITS}g}")
