"""Number of examples in tests: a sample by default, all with TESTS=thorough."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

from hypothesis import HealthCheck, settings

Value = TypeVar("Value")

THOROUGH = os.environ.get("TESTS") == "thorough"


def examples(number: int) -> int:
    """Return the number of examples: `number`, or a fifth of it (at least 4) in a quick run."""
    return number if THOROUGH else max(4, number // 5)


def tries(number: int, *, function_fixtures: bool = False) -> settings:
    """Return Hypothesis settings for a slow property; a quick run has a tenth of `number` (at least 3).

    `function_fixtures` allows its examples to share function-scoped fixtures.
    """
    most = number if THOROUGH else max(3, number // 10)
    suppressed = [HealthCheck.function_scoped_fixture] if function_fixtures else []
    return settings(max_examples=most, deadline=None, suppress_health_check=suppressed)


def sample(values: Iterable[Value], share: int = 3) -> list[Value]:
    """Return all values, or every `share`-th and the last one in a quick run."""
    every = list(values)
    return every if THOROUGH or len(every) <= 2 else [*every[:-1:share], every[-1]]
