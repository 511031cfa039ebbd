"""Find what an agent does one after the other: a run's pieces in, its command sequences out. No judgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from .records import Piece

ARROW = " → "
STEP = " > "
SHORTEST, LONGEST = 2, 4  # steps of a sequence within a run
LONGEST_WHOLE = 8  # steps of a run whose whole sequence is one pattern
MAX_PHASES = 12  # phases a signature names


class Step(NamedTuple):
    """Equal operations in a row: an agent that runs `git diff` three times takes one step."""

    operation: str
    failed: bool  # one of them
    succeeded: bool  # all of them, as far as is known
    line: int  # of the first, 1-based
    nanodollars: int | None  # of those whose cost is known
    unpriced: int  # those whose cost is unknown, count
    seconds: tuple[float, ...]  # of each whose time is known


def steps_of(pieces: Iterable[Piece]) -> list[Step]:
    """Return the run's commands as steps; work on files and notes is left out."""
    commands = (piece for piece in pieces if piece.command)
    return [_step(operation, list(some)) for operation, some in groupby(commands, key=itemgetter(0))]


def _step(operation: str, pieces: Sequence[Piece]) -> Step:
    if len(pieces) == 1:  # nearly always
        _, _, failed, line, cost, seconds = pieces[0]
        known = () if seconds is None else (seconds,)
        return Step(operation, bool(failed), failed is False, line, cost, int(cost is None), known)
    costs = [piece.nanodollars for piece in pieces if piece.nanodollars is not None]
    return Step(
        operation,
        any(piece.failed for piece in pieces),
        all(piece.failed is False for piece in pieces),
        pieces[0].line,
        sum(costs) if costs else None,
        len(pieces) - len(costs),
        tuple([piece.seconds for piece in pieces if piece.seconds is not None]),
    )


def sequences_in(steps: Sequence[Step]) -> Iterator[tuple[str, Sequence[Step]]]:
    """Return each sequence's signature with its steps, once per place.

    Places of one signature don't overlap, so that one sequence never counts a call twice; places of
    different signatures do.
    """
    names = [step.operation for step in steps]
    free_from: dict[tuple[str, ...], int] = {}
    for length in _lengths(len(steps)):
        for start in range(len(steps) - length + 1):
            words = tuple(names[start : start + length])
            if start >= free_from.get(words, 0):
                free_from[words] = start + length
                yield ARROW.join(words), steps[start : start + length]


def phase_signature(phases: Iterable[str | None]) -> str | None:
    """Return the phases that a workflow went through, or None where none is known.

    >>> phase_signature(["plan", "build", "build", None, "review"])
    'plan > build > review'
    """
    known = [phase for phase, _ in groupby(phase for phase in phases if phase)]
    if len(known) > MAX_PHASES:
        known = [*known[:MAX_PHASES], "…"]
    return STEP.join(known) or None


def _lengths(steps: int) -> list[int]:
    """Return the lengths of the sequences that a run of so many steps is searched for.

    >>> _lengths(3), _lengths(6), _lengths(9)
    ([2, 3], [2, 3, 4, 6], [2, 3, 4])
    """
    lengths = list(range(SHORTEST, min(LONGEST, steps) + 1))
    return [*lengths, steps] if LONGEST < steps <= LONGEST_WHOLE else lengths


def without_parts(patterns: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the patterns without sequences that only ever occur inside a longer one of the same list.

    >>> rows = [("a → b", 2), ("a → b → c", 2), ("b → c", 5)]
    >>> [row["signature"] for row in without_parts(
    ...     [{"kind": "sequence", "signature": text, "count": count} for text, count in rows])]
    ['a → b → c', 'b → c']
    """
    longer = [(f" {p['signature']} ", p["count"]) for p in patterns if p["kind"] == "sequence"]
    return [
        pattern
        for pattern in patterns
        if pattern["kind"] != "sequence"
        or not any(
            f" {pattern['signature']} " in text
            and len(text) > len(pattern["signature"]) + 2
            and pattern["count"] == count
            for text, count in longer
        )
    ]
