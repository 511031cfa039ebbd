"""Exponentials, logarithms and sums with identical results on all machines. Pure.

`numpy` and the C library select code by processor, and its last digits differ. This module uses only
operations that IEEE 754 rounds correctly (+ - * / sqrt), on float64, one by one in a fixed order.
"""

from __future__ import annotations

from functools import cache
from math import floor, fsum, ldexp, sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ...common.column_data import Floats

_LN2: Final = 0.6931471805599453
_LN2_HIGH: Final = 0.693145751953125  # its leading bits: multiplication by a small whole number is exact
_LN2_LOW: Final = 1.4286068203094172e-06  # the remaining bits
_EXP_TERMS: Final = 20  # terms of the exp series: its error is far below the last bit for |x| <= ln(2) / 2
_MIN_EXPONENT: Final = -745.2  # below this, exp is 0
_TABLE_BITS: Final = 10  # bits of an exponent per table
_TABLE_SIZE: Final = 1 << _TABLE_BITS


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
    logarithms: Floats = (exponent - small) * _LN2 + ratio * 2 * series
    return logarithms


def exp(value: float) -> float:
    """Return e to the power of a number from -745 to 709; 0 for smaller numbers.

    >>> exp(0.0), round(exp(1.0), 12), exp(-800.0)
    (1.0, 2.718281828459, 0.0)
    """
    if value < _MIN_EXPONENT:
        return 0.0
    power_of_two = floor(value / _LN2 + 0.5)
    rest = value - power_of_two * _LN2_HIGH - power_of_two * _LN2_LOW
    series = 1.0
    for divisor in range(_EXP_TERMS, 0, -1):
        series = 1.0 + rest / divisor * series
    return ldexp(series, power_of_two)


def half_power(exponents: Floats) -> Floats:
    """Return 0.5 to the power of nonnegative numbers, to about six digits.

    >>> half_power(np.array([0.0, 1.0, 2.5])).round(6).tolist()
    [1.0, 0.5, 0.176777]
    """
    steps = np.rint(np.minimum(exponents, 1_100.0) * (_TABLE_SIZE * _TABLE_SIZE)).astype(np.int64)
    coarse, fine = _half_power_tables()
    fraction = coarse[(steps >> _TABLE_BITS) & (_TABLE_SIZE - 1)] * fine[steps & (_TABLE_SIZE - 1)]
    powers: Floats = np.ldexp(fraction, -(steps >> (2 * _TABLE_BITS)).astype(np.int32))
    return powers


@cache
def _half_power_tables() -> tuple[Floats, Floats]:
    """Return the powers i / 2**10 and i / 2**20 of 0.5, for all i below 2**10."""
    roots = [0.5]
    for _ in range(2 * _TABLE_BITS):
        roots.append(sqrt(roots[-1]))
    return _bit_products(roots[1 : _TABLE_BITS + 1]), _bit_products(roots[_TABLE_BITS + 1 :])


def _bit_products(roots: list[float]) -> Floats:
    """Return for each index the product of the roots selected by its bits, highest bit first."""
    products = np.ones(1)
    for root in roots:
        products = np.repeat(products, 2)
        products[1::2] *= root
    return products


def exact_sum(values: npt.NDArray[Any]) -> int:
    """Return the sum of whole numbers of any size.

    >>> exact_sum(np.array([2**62, 2**62, 2**62, -1]))
    13835058055282163711
    """
    if values.dtype == object:  # Python integers, used if 64 bits are too few
        return sum(values.tolist())
    wide = values.astype(np.int64)
    return (int((wide >> 32).sum()) << 32) + int((wide & 0xFFFF_FFFF).sum())


def mean_of(values: Floats) -> float:
    """Return the mean of values, identical to the last bit in any order."""
    return fsum(values.tolist()) / len(values)
