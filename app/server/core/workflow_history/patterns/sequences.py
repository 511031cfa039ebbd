"""Find what an agent does one after the other: a run's pieces in, its command sequences out. No judgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from .records import Piece

ARROW = " → "
STEP = " > "
SHORTEST, LONGEST = 2, 4  # steps of a sequence within a run
LONGEST_WHOLE = 8  # steps of a run whose whole sequence is one pattern
MAX_PHASES = 12  # phases a signature names

Step = tuple[Piece, ...]
"""Equal operations in a row: an agent that runs `git diff` three times takes one step."""


def steps_of(pieces: Iterable[Piece]) -> list[Step]:
    """Return the run's commands as steps; work on files and notes is left out."""
    commands = (piece for piece in pieces if piece.command)
    return [tuple(step) for _, step in groupby(commands, key=lambda piece: piece.operation)]


def sequences_in(steps: Sequence[Step]) -> Iterator[tuple[str, Step]]:
    """Return each sequence's signature with its pieces, once per place.

    Places of one signature don't overlap, so that one sequence never counts a call twice; places of
    different signatures do.
    """
    names = [step[0].operation for step in steps]
    free_from: dict[tuple[str, ...], int] = {}
    for length in _lengths(len(steps)):
        for start in range(len(steps) - length + 1):
            words = tuple(names[start : start + length])
            if start >= free_from.get(words, 0):
                free_from[words] = start + length
                yield (
                    ARROW.join(words),
                    tuple(piece for step in steps[start : start + length] for piece in step),
                )


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
