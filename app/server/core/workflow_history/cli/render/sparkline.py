"""Draw numbers as a line of blocks: values in, one sign each out. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_STEPS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float]) -> str:
    """Return a sign for each value: from the lowest block for 0 or the least, to the full one for the most.

    The line starts at 0 where the values do not lie close together, so that heights compare.

    >>> sparkline([1, 2, 4]), sparkline([5, 5]), sparkline([])
    ('▂▄█', '▄▄', '')
    """
    if not values:
        return ""
    least, most = min(values), max(values)
    if least == most:
        return "▄" * len(values)
    floor = 0.0 if 0 <= least < most / 2 else least - (most - least) / 7
    steps = [round((value - floor) / (most - floor) * 8) for value in values]
    return "".join(_STEPS[max(0, step - 1)] for step in steps)
