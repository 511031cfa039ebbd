"""Rank patterns by the savings of a script: totals over many runs in, scored patterns out. Pure.

The priority of a pattern is its risk-adjusted savings: its cost without the residual cost, times the lower
bound of its success rate, times its stability.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final

from ...common.models import PatternKind, PatternStatus
from ...common.proportions import Z_95, wilson
from .known_programs import EXPLORATION_PROGRAMS, INTERNAL_TOOLS
from .records import PatternTotals
from .savings import DEFAULT_RESIDUAL_COST, Saving, estimate_saving, known_cost, residual_share, steps_of

SUBSUMPTION_THRESHOLD: Final = 80
"""Percent: a covering pattern must occur at least this often, relative to the pattern that it covers."""


def find_subsumed(patterns: Iterable[PatternTotals]) -> dict[str, PatternTotals]:
    """Return the sequences and operations that another sequence covers: by id, the covering sequence.

    The most expensive sequence covers the others. An accepted pattern is never covered, and covers others
    first. A sequence is covered if two thirds of its steps, at least two, occur in a row in the other one (or
    in its repetition), and the other one occurs nearly as often or more often. An operation is covered if
    most of its occurrences are in the sequence.
    """
    order = sorted(patterns, key=_subsumption_sort_key)
    by_pair: dict[tuple[str, ...], list[PatternTotals]] = defaultdict(list)  # by pair of steps in a row
    by_step: dict[str, list[PatternTotals]] = defaultdict(list)  # sequences by step
    covered_by: dict[str, PatternTotals] = {}
    for pattern in [pattern for pattern in order if pattern.kind == PatternKind.SEQUENCE]:
        steps = steps_of(pattern)
        candidates = {other.id: other for pair in pairwise(steps) for other in by_pair[pair]}.values()
        covers = [other for other in candidates if _covers_sequence(other, pattern)]
        cover = min(covers, key=_subsumption_sort_key, default=None)
        if cover is not None and pattern.status != PatternStatus.ACCEPTED:
            covered_by[pattern.id] = cover
            continue
        for pair in set(pairwise((*steps, steps[0]))):
            by_pair[pair].append(pattern)
        for step in set(steps):
            by_step[step].append(pattern)
    for pattern in [pattern for pattern in order if pattern.kind == PatternKind.OPERATION]:
        cover = next(
            (other for other in by_step[pattern.signature] if _covers_operation(other, pattern)), None
        )
        if cover is not None and pattern.status != PatternStatus.ACCEPTED:
            covered_by[pattern.id] = cover
    return covered_by


def _subsumption_sort_key(pattern: PatternTotals) -> tuple[bool, int, int, int, str]:
    cost = known_cost(pattern) or 0
    return (
        pattern.status != PatternStatus.ACCEPTED,
        -cost,
        -pattern.count,
        -len(steps_of(pattern)),
        pattern.signature,
    )


def _covers_sequence(other: PatternTotals, sequence: PatternTotals) -> bool:
    """Return whether a sequence covers another one."""
    if 100 * other.count < SUBSUMPTION_THRESHOLD * sequence.count:
        return False
    steps = steps_of(sequence)
    common = longest_common_run(steps, steps_of(other))
    return common >= 2 and 3 * common >= 2 * len(steps)


def _covers_operation(sequence: PatternTotals, operation: PatternTotals) -> bool:
    """Return whether most occurrences of an operation are in a sequence."""
    within = sequence.count * steps_of(sequence).count(operation.signature)
    return 100 * within >= SUBSUMPTION_THRESHOLD * operation.count


def longest_common_run(steps: Sequence[str], other: Sequence[str]) -> int:
    """Return the length of the longest run of steps that also occurs in `other`, repeated without end.

    >>> longest_common_run("cab", "abc"), longest_common_run("xab", "abc"), longest_common_run("abab", "abc")
    (3, 2, 2)
    """
    longest = 0
    for start, offset in product(range(len(steps)), range(len(other))):
        length = 0
        while start + length < len(steps) and steps[start + length] == other[(offset + length) % len(other)]:
            length += 1
        longest = max(longest, length)
    return longest


@dataclass(frozen=True, slots=True)
class ScoredPattern:
    """One pattern with its scores."""

    pattern: PatternTotals
    scriptable: bool  # whether a script could replace it, see `is_automatable`
    stability: float | None  # stability, 0 to 1, see `compute_stability`; None: unknown, or a phase sequence
    success_rate: float | None  # success rate of the occurrences with a known outcome; None: of none
    success_rate_lower_bound: float | None  # lower bound of the success rate: Wilson's 95% interval
    saving: Saving  # estimated savings
    priority: int | None  # risk-adjusted savings, nanodollars; None: unknown, or not scriptable
    part_of: PatternTotals | None  # sequence that covers the pattern
    parts: tuple[PatternTotals, ...]  # patterns that it covers, most expensive first


def rank_patterns(
    patterns: Sequence[PatternTotals], residual_cost: float = DEFAULT_RESIDUAL_COST
) -> list[ScoredPattern]:
    """Score all patterns and sort them by descending priority; those of unknown priority last, by cost.

    The list must be complete: the stability of a sequence is computed from the counts of its operations.
    """
    counts = {
        pattern.signature: pattern.count for pattern in patterns if pattern.kind == PatternKind.OPERATION
    }
    covered_by = find_subsumed([pattern for pattern in patterns if is_automatable(pattern)])
    parts: dict[str, list[PatternTotals]] = {}
    for pattern in sorted(patterns, key=cost_sort_key):
        if pattern.id in covered_by:
            parts.setdefault(covered_by[pattern.id].id, []).append(pattern)
    scored = (
        _score_pattern(pattern, counts, residual_cost, covered_by.get(pattern.id), parts.get(pattern.id, ()))
        for pattern in patterns
    )
    return sorted(
        scored, key=lambda one: (one.priority is None, -(one.priority or 0), cost_sort_key(one.pattern))
    )


def is_automatable(pattern: PatternTotals) -> bool:
    """Return whether a script could replace the pattern.

    True for commands; false for phases, the agent's own tools and single exploring commands such as `grep`.
    """
    if pattern.kind == PatternKind.OPERATION:
        return pattern.signature not in INTERNAL_TOOLS and pattern.signature not in EXPLORATION_PROGRAMS
    return pattern.kind != PatternKind.PHASES


def compute_stability(pattern: PatternTotals, counts: Mapping[str, int]) -> float | None:
    """Return the stability of a pattern, 0 to 1; None if unknown, and for phase sequences.

    For a sequence: its occurrences divided by those of its first operation. Each repetition of that operation
    in a row counts, so that the result is rather too low than too high. For an operation: runs divided by
    occurrences. It is 1 if every run does the operation once, as a step of the workflow. The more often a run
    does it, the more it depends on the agent's findings.
    """
    if pattern.kind == PatternKind.OPERATION:
        return min(1.0, pattern.runs / pattern.count) if pattern.count else None
    begun = counts.get(steps_of(pattern)[0])
    return min(1.0, pattern.count / begun) if begun and pattern.kind == PatternKind.SEQUENCE else None


def cost_sort_key(pattern: PatternTotals) -> tuple[int, int, str, str]:
    """Return a sort key: known cost, then number of occurrences, both descending."""
    return -(known_cost(pattern) or 0), -pattern.count, pattern.kind, pattern.signature


def _score_pattern(
    pattern: PatternTotals,
    counts: Mapping[str, int],
    residual_cost: float,
    part_of: PatternTotals | None,
    parts: Iterable[PatternTotals],
) -> ScoredPattern:
    known = pattern.successes + pattern.failures
    rate = pattern.successes / known if known else None
    success_rate_lower_bound = None if rate is None else wilson(rate, known, Z_95)[0]
    scriptable, stability = is_automatable(pattern), compute_stability(pattern, counts)
    return ScoredPattern(
        pattern=pattern,
        scriptable=scriptable,
        stability=stability,
        success_rate=rate,
        success_rate_lower_bound=success_rate_lower_bound,
        saving=estimate_saving(pattern, residual_cost) if scriptable else Saving(None, is_lower_bound=False),
        priority=_risk_adjusted_savings(pattern, residual_cost, success_rate_lower_bound, stability)
        if scriptable
        else None,
        part_of=part_of,
        parts=tuple(parts),
    )


def _risk_adjusted_savings(
    pattern: PatternTotals,
    residual_cost: float,
    success_rate_lower_bound: float | None,
    stability: float | None,
) -> int | None:
    cost = known_cost(pattern)
    if cost is None or success_rate_lower_bound is None or stability is None:
        return None
    return round(
        cost * float(1 - residual_share(pattern, residual_cost)) * success_rate_lower_bound * stability
    )
