"""Arithmetic that gives the same bits on every machine."""

import math
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history.analysis.similarity import portable_numerics
from app.server.core.workflow_history.analysis.similarity.portable_numerics import (
    exact_sum,
    exp,
    half_power,
    log,
)
from app.server.core.workflow_history.common import proportions
from app.server.core.workflow_history.common.proportions import significant


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=9))
def test_logarithms_are_right_to_the_last_digits(values: list[float]) -> None:
    assert log(np.array(values)).tolist() == pytest.approx(list(map(math.log, values)), rel=1e-15, abs=1e-15)


@given(st.floats(-700, 700))
def test_powers_of_e_are_right_to_the_last_digits(value: float) -> None:
    assert exp(value) == pytest.approx(math.exp(value), rel=1e-15)


@given(st.lists(st.floats(0, 1_000), min_size=1, max_size=9))
def test_halvings_are_right_to_six_digits(times: list[float]) -> None:
    assert half_power(np.array(times)).tolist() == pytest.approx([0.5**time for time in times], rel=1e-6)


@pytest.mark.parametrize("times", [5_000.0, 1e300, math.inf])
def test_what_was_halved_very_often_is_nothing(times: float) -> None:
    assert half_power(np.array([times])).tolist() == [0.0]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9))
def test_sums_of_whole_numbers_are_exact(values: list[int]) -> None:
    assert exact_sum(np.array(values, np.int64)) == sum(values)


@pytest.mark.parametrize(
    ("value", "published"),
    [(-0.0022345678901, -0.00223457), (0.9999999, 1.0), (0.0, 0.0), (1e-30, 1e-30), (None, None)],
)
def test_a_statistic_is_published_with_six_digits(value: float | None, published: float | None) -> None:
    assert significant(value) == published


@pytest.mark.parametrize(("module", "examples"), [(portable_numerics, 4), (proportions, 2)])
def test_every_example_holds(module: ModuleType, examples: int) -> None:
    import doctest  # noqa: PLC0415 - of this test alone

    found = doctest.testmod(module, extraglobs={"np": np})
    assert (found.failed, found.attempted >= examples) == (0, True)
