"""Rank what recurs: sums over many runs in, habits out, those first where a script is worth most. Pure.

A habit's worth is what a script could be trusted to save of such work: its cost, without the share that
stays, times how often it at least ends well, times how steady it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ...common.proportions import Z_95, wilson
from .known_programs import INTERNAL_TOOLS, LOOKING_AROUND
from .records import PatternTotals
from .savings import DEFAULT_REMAINING, Saving, estimate_saving, known_cost, operations_of, remaining_fraction

SUBSUMPTION_THRESHOLD: Final = 80
"""Percent: as often, beside the one that is folded, must the other one be seen."""


def find_subsumed(patterns: Iterable[PatternTotals]) -> dict[str, PatternTotals]:
    """Return by id the sequences and operations that another sequence tells already, and which.

    The costliest stands for the others; one that was accepted stands for itself, before all others. Of a
    sequence two thirds of the steps, and two, must stand side by side in the other one, or in that one done
    again and again, and the other one must be seen nearly as often or more. Of an operation most times must
    lie in the sequence.
    """
    order = sorted(patterns, key=_first_to_stand)
    kept: dict[tuple[str, ...], list[PatternTotals]] = defaultdict(list)  # by two steps in a row
    holding: dict[str, list[PatternTotals]] = defaultdict(list)  # by one of their steps
    under: dict[str, PatternTotals] = {}
    for one in (pattern for pattern in order if pattern.kind == "sequence"):
        steps = operations_of(one)
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


def _first_to_stand(pattern: PatternTotals) -> tuple[bool, int, int, int, str]:
    cost = known_cost(pattern) or 0
    return (
        pattern.status != "accepted",
        -cost,
        -pattern.count,
        -len(operations_of(pattern)),
        pattern.signature,
    )


def _tells(other: PatternTotals, one: PatternTotals) -> bool:
    """Return whether a sequence says what another one says."""
    if 100 * other.count < SUBSUMPTION_THRESHOLD * one.count:
        return False
    steps = operations_of(one)
    alike = longest_common_run(steps, operations_of(other))
    return alike >= 2 and 3 * alike >= 2 * len(steps)


def _holds(other: PatternTotals, operation: PatternTotals) -> bool:
    """Return whether most times of an operation lie in a sequence."""
    within = other.count * operations_of(other).count(operation.signature)
    return 100 * within >= SUBSUMPTION_THRESHOLD * operation.count


def longest_common_run(steps: Sequence[str], other: Sequence[str]) -> int:
    """Return how many steps in a row are also found in the other ones, done again and again.

    >>> longest_common_run("cab", "abc"), longest_common_run("xab", "abc"), longest_common_run("abab", "abc")
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


@dataclass(frozen=True, slots=True)
class ScoredPattern:
    """One pattern with what is thought of it."""

    pattern: PatternTotals
    scriptable: bool  # False: phases, and the tools that an agent thinks with
    stability: float | None  # 0 to 1, see `compute_stability`; None: unknown, or it is the phases
    success_rate: float | None  # of the times whose end is known; None: of none
    success_at_least: float | None  # lower end of Wilson's 95% interval: few times tell little
    saving: Saving
    priority: int | None  # nanodollars; None: something it is made of is unknown, or no script can do it
    part_of: PatternTotals | None  # what it is folded under
    parts: tuple[PatternTotals, ...]  # what is folded under it, the costliest first


def rank_patterns(
    patterns: Sequence[PatternTotals], keep_share: float = DEFAULT_REMAINING
) -> list[ScoredPattern]:
    """Return all patterns as habits, the worthiest first; those of no known worth come last, by their cost.

    The list must be whole: how steady a sequence is shows beside its operations.
    """
    counts = {pattern.signature: pattern.count for pattern in patterns if pattern.kind == "operation"}
    under = find_subsumed([pattern for pattern in patterns if is_automatable(pattern)])
    parts: dict[str, list[PatternTotals]] = {}
    for pattern in sorted(patterns, key=cost_sort_key):
        if pattern.id in under:
            parts.setdefault(under[pattern.id].id, []).append(pattern)
    habits = (
        _habit(pattern, counts, keep_share, under.get(pattern.id), parts.get(pattern.id, ()))
        for pattern in patterns
    )
    return sorted(habits, key=_worthiest_first)


def is_automatable(pattern: PatternTotals) -> bool:
    """Return whether a script could take this over: commands, yes.

    Phases, the agent's own tools and a single look around, such as one `grep`, no.
    """
    if pattern.kind == "operation":
        return pattern.signature not in INTERNAL_TOOLS and pattern.signature not in LOOKING_AROUND
    return pattern.kind != "phases"


def compute_stability(pattern: PatternTotals, counts: Mapping[str, int]) -> float | None:
    """Return how steady a pattern is, 0 to 1.

    Of a sequence: how often an agent went on to its end, of the times that it did the first operation. An
    operation that is repeated in a row counts each time, so that this is rather too low than too high. Of an
    operation: runs by times. 1 when every run does it once, as a step of the workflow; the more often a run
    does it, the more it is an answer to what the agent saw.
    """
    if pattern.kind == "operation":
        return min(1.0, pattern.runs / pattern.count) if pattern.count else None
    begun = counts.get(operations_of(pattern)[0])
    return min(1.0, pattern.count / begun) if begun and pattern.kind == "sequence" else None


def cost_sort_key(pattern: PatternTotals) -> tuple[int, int, str, str]:
    """Return what sorts patterns by known cost, then by how often they are seen."""
    return -(known_cost(pattern) or 0), -pattern.count, pattern.kind, pattern.signature


def _habit(
    pattern: PatternTotals,
    counts: Mapping[str, int],
    keep_share: float,
    part_of: PatternTotals | None,
    parts: Iterable[PatternTotals],
) -> ScoredPattern:
    known = pattern.successes + pattern.failures
    rate = pattern.successes / known if known else None
    at_least = None if rate is None else wilson(rate, known, Z_95)[0]
    scriptable, stability = is_automatable(pattern), compute_stability(pattern, counts)
    return ScoredPattern(
        pattern=pattern,
        scriptable=scriptable,
        stability=stability,
        success_rate=rate,
        success_at_least=at_least,
        saving=estimate_saving(pattern, keep_share) if scriptable else Saving(None, at_least=False),
        priority=_worth(pattern, keep_share, at_least, stability) if scriptable else None,
        part_of=part_of,
        parts=tuple(parts),
    )


def _worth(
    pattern: PatternTotals, keep_share: float, success: float | None, stability: float | None
) -> int | None:
    cost = known_cost(pattern)
    if cost is None or success is None or stability is None:
        return None
    return round(cost * float(1 - remaining_fraction(pattern, keep_share)) * success * stability)


def _worthiest_first(habit: ScoredPattern) -> tuple[bool, int, tuple[int, int, str, str]]:
    return habit.priority is None, -(habit.priority or 0), cost_sort_key(habit.pattern)
