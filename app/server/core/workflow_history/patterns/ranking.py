"""Rank what recurs: sums over many runs in, habits out, those first where a script is worth most. Pure.

A habit's worth is what a script could be trusted to save of such work: its cost, without the share that
stays, times how often it at least ends well, times how steady it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..proportions import NINETEEN_IN_TWENTY, wilson
from .folding import folded_under
from .programs import LOOKING_AROUND, OWN_TOOLS
from .recurring import Recurring
from .savings import KEEP_SHARE, Saving, known_cost, saving, share_kept, steps_of


@dataclass(frozen=True, slots=True)
class Habit:
    """One pattern with what is thought of it."""

    pattern: Recurring
    scriptable: bool  # False: phases, and the tools that an agent thinks with
    stability: float | None  # 0 to 1, see `stability_of`; None: unknown, or it is the phases
    success_rate: float | None  # of the times whose end is known; None: of none
    success_at_least: float | None  # lower end of Wilson's 95% interval: few times tell little
    saving: Saving
    worth: int | None  # nanodollars; None: something it is made of is unknown, or no script can do it
    part_of: Recurring | None  # what it is folded under
    parts: tuple[Recurring, ...]  # what is folded under it, the costliest first


def rank(patterns: Sequence[Recurring], keep_share: float = KEEP_SHARE) -> list[Habit]:
    """Return all patterns as habits, the worthiest first; those of no known worth come last, by their cost.

    The list must be whole: how steady a sequence is shows beside its operations.
    """
    counts = {pattern.signature: pattern.count for pattern in patterns if pattern.kind == "operation"}
    under = folded_under([pattern for pattern in patterns if is_scriptable(pattern)])
    parts: dict[str, list[Recurring]] = {}
    for pattern in sorted(patterns, key=costliest_first):
        if pattern.id in under:
            parts.setdefault(under[pattern.id].id, []).append(pattern)
    habits = (
        _habit(pattern, counts, keep_share, under.get(pattern.id), parts.get(pattern.id, ()))
        for pattern in patterns
    )
    return sorted(habits, key=_worthiest_first)


def is_scriptable(pattern: Recurring) -> bool:
    """Tell whether a script could take this over: commands, yes.

    Phases, the agent's own tools and a single look around, such as one `grep`, no.
    """
    if pattern.kind == "operation":
        return pattern.signature not in OWN_TOOLS and pattern.signature not in LOOKING_AROUND
    return pattern.kind != "phases"


def stability_of(pattern: Recurring, counts: Mapping[str, int]) -> float | None:
    """Return how steady a pattern is, 0 to 1.

    Of a sequence: how often an agent went on to its end, of the times that it did the first operation. An
    operation that is repeated in a row counts each time, so that this is rather too low than too high. Of an
    operation: runs by times. 1 when every run does it once, as a step of the workflow; the more often a run
    does it, the more it is an answer to what the agent saw.
    """
    if pattern.kind == "operation":
        return min(1.0, pattern.runs / pattern.count) if pattern.count else None
    begun = counts.get(steps_of(pattern)[0])
    return min(1.0, pattern.count / begun) if begun and pattern.kind == "sequence" else None


def costliest_first(pattern: Recurring) -> tuple[int, int, str, str]:
    """Return what sorts patterns by known cost, then by how often they are seen."""
    return -(known_cost(pattern) or 0), -pattern.count, pattern.kind, pattern.signature


def _habit(
    pattern: Recurring,
    counts: Mapping[str, int],
    keep_share: float,
    part_of: Recurring | None,
    parts: Iterable[Recurring],
) -> Habit:
    known = pattern.successes + pattern.failures
    rate = pattern.successes / known if known else None
    at_least = None if rate is None else wilson(rate, known, NINETEEN_IN_TWENTY)[0]
    scriptable, stability = is_scriptable(pattern), stability_of(pattern, counts)
    return Habit(
        pattern=pattern,
        scriptable=scriptable,
        stability=stability,
        success_rate=rate,
        success_at_least=at_least,
        saving=saving(pattern, keep_share) if scriptable else Saving(None, at_least=False),
        worth=_worth(pattern, keep_share, at_least, stability) if scriptable else None,
        part_of=part_of,
        parts=tuple(parts),
    )


def _worth(
    pattern: Recurring, keep_share: float, success: float | None, stability: float | None
) -> int | None:
    cost = known_cost(pattern)
    if cost is None or success is None or stability is None:
        return None
    return round(cost * float(1 - share_kept(pattern, keep_share)) * success * stability)


def _worthiest_first(habit: Habit) -> tuple[bool, int, tuple[int, int, str, str]]:
    return habit.worth is None, -(habit.worth or 0), costliest_first(habit.pattern)
