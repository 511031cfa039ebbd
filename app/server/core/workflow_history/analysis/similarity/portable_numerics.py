"""Powers, logarithms and sums that come out the same on every machine. Pure.

`numpy` and the C library choose other code for other processors, whose last digits differ. Only operations
that IEEE 754 rounds correctly are used here (+ - * /, sqrt), on float64, each by itself and in one order.
"""

from __future__ import annotations

from functools import cache
from math import floor, fsum, ldexp, sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LN2: Final = 0.6931471805599453
_LN2_HIGH: Final = 0.693145751953125  # the first bits of it: times a small whole number it is exact
_LN2_LOW: Final = 1.4286068203094172e-06  # the rest
_TERMS: Final = 20  # of the series of exp, far below the last bit for |x| <= ln(2) / 2
_LEAST: Final = -745.2  # exp of less is 0
_BITS: Final = 10  # of an exponent that one table serves
_SIZE: Final = 1 << _BITS


def log(values: Floats) -> Floats:
    """Return the natural logarithms of numbers above 0.

    >>> log(np.array([1.0, 8.0])).tolist()
    [0.0, 2.0794415416798357]
    """
    mantissa, exponent = np.frexp(values)
    small = mantissa < sqrt(0.5)
    mantissa = np.where(small, mantissa * 2, mantissa)
    ratio = (mantissa - 1) / (mantissa + 1)
    square = ratio * ratio
    series = np.zeros_like(ratio)
    for divisor in range(23, 0, -2):  # 2 artanh(ratio) = log(mantissa)
        series = series * square + 1 / divisor
    found: Floats = (exponent - small) * _LN2 + ratio * 2 * series
    return found


def exp(value: float) -> float:
    """Return e to the power of a number from -745 to 709; of less 0.

    >>> exp(0.0), round(exp(1.0), 12), exp(-800.0)
    (1.0, 2.718281828459, 0.0)
    """
    if value < _LEAST:
        return 0.0
    twos = floor(value / _LN2 + 0.5)
    rest = value - twos * _LN2_HIGH - twos * _LN2_LOW
    series = 1.0
    for divisor in range(_TERMS, 0, -1):
        series = 1.0 + rest / divisor * series
    return ldexp(series, twos)


def halved(times: Floats) -> Floats:
    """Return 0.5 to the power of numbers from 0 on, to about six digits.

    >>> halved(np.array([0.0, 1.0, 2.5])).round(6).tolist()
    [1.0, 0.5, 0.176777]
    """
    steps = np.rint(np.minimum(times, 1_100.0) * (_SIZE * _SIZE)).astype(np.int64)
    coarse, fine = _tables()
    part = coarse[(steps >> _BITS) & (_SIZE - 1)] * fine[steps & (_SIZE - 1)]
    found: Floats = np.ldexp(part, -(steps >> (2 * _BITS)).astype(np.int32))
    return found


@cache
def _tables() -> tuple[Floats, Floats]:
    """Return 0.5 to the power of each place by 2**10, and of each place by 2**20."""
    roots = [0.5]
    for _ in range(2 * _BITS):
        roots.append(sqrt(roots[-1]))
    return _products(roots[1 : _BITS + 1]), _products(roots[_BITS + 1 :])


def _products(roots: list[float]) -> Floats:
    """Return the product of the roots that each place's bits choose, the first root for the highest bit."""
    found = np.ones(1)
    for root in roots:
        found = np.repeat(found, 2)
        found[1::2] *= root
    return found


def exact_sum(values: npt.NDArray[Any]) -> int:
    """Return what whole numbers add up to, however large they are.

    >>> exact_sum(np.array([2**62, 2**62, 2**62, -1]))
    13835058055282163711
    """
    if values.dtype == object:  # Python's own numbers, where 64 bits do not hold them
        return sum(values.tolist())
    wide = values.astype(np.int64)
    return (int((wide >> 32).sum()) << 32) + int((wide & 0xFFFF_FFFF).sum())


def mean_of(values: Floats) -> float:
    """Return the mean of some values, the same to the last bit in whatever order they come."""
    return fsum(values.tolist()) / len(values)
