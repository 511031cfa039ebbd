"""Exact sums and quantiles by group.

A sum of whole numbers is exact, however large: it is computed in parts that floats represent exactly, and
combined as Python integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from ...common.column_data import MISSING_INT, Floats, Integers, is_known

MEDIAN, P90 = 5, 9  # quantiles, in tenths
_MAX_EXACT_FLOAT: Final = 1 << 53
_SAFE_INT64: Final = float(1 << 62)  # fits into 64 bits even if a float has rounded it
_PART_BITS: Final = 21  # bits: small enough for two thousand million parts to add up exactly in a float

Codes = npt.NDArray[np.integer[Any]]


class Sum(NamedTuple):
    """Sum of a group's known values."""

    total: int | float
    known: int  # number of known values


def mask_negative(values: Integers) -> Integers:
    """Return amounts with negative ones replaced by unknown."""
    return np.where(values < 0, MISSING_INT, values) if values.min(initial=0) < 0 else values


def mask_invalid(values: Floats) -> Floats:
    """Return durations with negative and infinite ones replaced by unknown."""
    return np.where((values >= 0) & np.isfinite(values), values, np.nan)


def widen_for_sum(values: Integers, count: int) -> Any:
    """Return values as Python integers if the sum of `count` of them might exceed 64 bits."""
    return values.astype(object) if _largest(values) * count > np.iinfo(np.int64).max else values


def as_summable(values: Any) -> Any:
    """Return non-negative integers, as Python integers if the sum of all might exceed 64 bits."""
    if int(values.max(initial=0)) * values.size <= _SAFE_INT64:  # nearly always
        return values
    return (
        values.astype(object) if np.add.reduce(values, axis=None, dtype=np.float64) > _SAFE_INT64 else values
    )


def to_int64_or_object(rows: Sequence[Sequence[int]]) -> Any:
    """Return rows as an int64 array, or as Python integers if a number exceeds 64 bits."""
    numbers = np.array(rows, object)
    return numbers if max(map(max, rows)) > np.iinfo(np.int64).max else numbers.astype(np.int64)


def narrow_codes(codes: Codes, groups: int) -> Codes:
    """Return group codes in 16 bits if they fit, else in 32: NumPy sorts 16 bits by radix sort."""
    return codes.astype(np.int16 if groups <= np.iinfo(np.int16).max else np.int32)


def grouped_counts(codes: Codes, groups: int) -> list[int]:
    """Return the number of rows in each group."""
    counts: list[int] = np.bincount(codes, minlength=groups).tolist()
    return counts


def grouped_sums(values: Integers | Floats, codes: Codes, groups: int) -> list[Sum]:
    """Return the sum of each group's known values; exact for whole numbers.

    >>> grouped_sums(np.array([2, MISSING_INT, 2**62, 2**62]), np.array([0, 0, 1, 1]), 3)
    [Sum(total=2, known=1), Sum(total=9223372036854775808, known=2), Sum(total=0, known=0)]
    """
    known = is_known(values)
    if not known.all():
        values, codes = values[known], codes[known]
    is_float = values.dtype.kind == "f"
    totals = _sum_floats(values, codes, groups) if is_float else _sum_integers(values, codes, groups)
    return [Sum(*pair) for pair in zip(totals, grouped_counts(codes, groups), strict=True)]


def _sum_floats(values: Integers | Floats, codes: Codes, groups: int) -> list[float]:
    totals: list[float] = np.bincount(codes, weights=values, minlength=groups).tolist()
    return totals


def _sum_integers(values: Any, codes: Codes, groups: int) -> list[int]:
    if values.dtype == object:  # numbers beyond 64 bits
        totals = [0] * groups
        for code, value in zip(codes.tolist(), values.tolist(), strict=True):
            totals[code] += value
        return totals
    if _largest(values) * len(values) < _MAX_EXACT_FLOAT:
        return [int(total) for total in _sum_floats(values, codes, groups)]
    low, middle = values & ((1 << _PART_BITS) - 1), (values >> _PART_BITS) & ((1 << _PART_BITS) - 1)
    parts = [_sum_floats(part, codes, groups) for part in (values >> (2 * _PART_BITS), middle, low)]
    return [
        (int(high) << (2 * _PART_BITS)) + (int(middle) << _PART_BITS) + int(lowest)
        for high, middle, lowest in zip(*parts, strict=True)
    ]


def _largest(values: Integers) -> int:
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))


def quantiles(values: Any, tenths: Sequence[int], unit: int = 1) -> list[float | None]:
    """Return a quantile of ascending values for each of `tenths`, divided by `unit`; None without values.

    Interpolates linearly between two values, as `statistics.quantiles` with method "inclusive" does.

    >>> quantiles(np.array([1, 2, 4]), [MEDIAN, P90])
    [2.0, 3.6]
    >>> quantiles(np.array([]), [MEDIAN])
    [None]
    """
    if not len(values):
        return [None] * len(tenths)
    last = len(values) - 1
    result: list[float | None] = []
    for lower, remainder in (divmod(last * tenth, 10) for tenth in tenths):
        low, high = values[[lower, min(lower + 1, last)]].tolist()
        result.append(_interpolate(low, high, remainder, unit))
    return result


def _interpolate(low: float, high: float, tenths: int, unit: int) -> float:
    """Interpolate `tenths` tenths of the way from `low` to `high`, and divide by `unit`.

    >>> _interpolate(1, 2, 5, 10)
    0.15
    """
    if tenths == 0:
        return low / unit
    if isinstance(low, int):
        return (low * (10 - tenths) + high * tenths) / (10 * unit)
    return (low + (high - low) * tenths / 10) / unit
