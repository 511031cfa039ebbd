"""Fold patterns that tell the same work: patterns in, which of them stand under which other out. Pure.

An agent that runs `a → b → c` in a loop shows `b → c → a` and `a → b` as well: one habit, not three.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from .recurring import Recurring
from .savings import known_cost, steps_of

MOST_OF_THE_TIMES: Final = 80
"""Percent: as often, beside the one that is folded, must the other one be seen."""


def folded_under(patterns: Iterable[Recurring]) -> dict[str, Recurring]:
    """Return by id the sequences and operations that another sequence tells already, and which.

    The costliest stands for the others; one that was accepted stands for itself, before all others. Of a
    sequence two thirds of the steps, and two, must stand side by side in the other one, or in that one done
    again and again, and the other one must be seen nearly as often or more. Of an operation most times must
    lie in the sequence.
    """
    order = sorted(patterns, key=_first_to_stand)
    kept: dict[tuple[str, ...], list[Recurring]] = defaultdict(list)  # by two steps in a row
    holding: dict[str, list[Recurring]] = defaultdict(list)  # by one of their steps
    under: dict[str, Recurring] = {}
    for one in (pattern for pattern in order if pattern.kind == "sequence"):
        steps = steps_of(one)
        near = {each.id: each for pair in pairwise(steps) for each in kept[pair]}.values()
        found = min((other for other in near if _tells(other, one)), key=_first_to_stand, default=None)
        if found is not None and one.status != "accepted":
            under[one.id] = found
            continue
        for pair in set(pairwise((*steps, steps[0]))):
            kept[pair].append(one)
        for step in set(steps):
            holding[step].append(one)
    for one in (pattern for pattern in order if pattern.kind == "operation"):
        found = next((other for other in holding[one.signature] if _holds(other, one)), None)
        if found is not None and one.status != "accepted":
            under[one.id] = found
    return under


def _first_to_stand(pattern: Recurring) -> tuple[bool, int, int, int, str]:
    cost = known_cost(pattern) or 0
    return pattern.status != "accepted", -cost, -pattern.count, -len(steps_of(pattern)), pattern.signature


def _tells(other: Recurring, one: Recurring) -> bool:
    """Tell whether a sequence says what another one says."""
    if 100 * other.count < MOST_OF_THE_TIMES * one.count:
        return False
    steps = steps_of(one)
    alike = common_stretch(steps, steps_of(other))
    return alike >= 2 and 3 * alike >= 2 * len(steps)


def _holds(other: Recurring, operation: Recurring) -> bool:
    """Tell whether most times of an operation lie in a sequence."""
    within = other.count * steps_of(other).count(operation.signature)
    return 100 * within >= MOST_OF_THE_TIMES * operation.count


def common_stretch(steps: Sequence[str], other: Sequence[str]) -> int:
    """Return how many steps in a row are also found in the other ones, done again and again.

    >>> common_stretch("cab", "abc"), common_stretch("xab", "abc"), common_stretch("abab", "abc")
    (3, 2, 2)
    """
    return max(
        _alike_from(steps, start, other, place) for start in range(len(steps)) for place in range(len(other))
    )


def _alike_from(steps: Sequence[str], start: int, other: Sequence[str], place: int) -> int:
    length = 0
    while start + length < len(steps) and steps[start + length] == other[(place + length) % len(other)]:
        length += 1
    return length
