"""Find what an agent does one after the other: a run's pieces in, its command sequences out. No judgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from .records import OperationCost

SEPARATOR = " → "
TIMES = " > "
MIN_LENGTH, MAX_LENGTH = 2, 4  # steps of a sequence within a run
MAX_WHOLE_LENGTH = 8  # steps of a run whose whole sequence is one pattern
MAX_PHASES = 12  # phases a signature names


def command_steps(pieces: Iterable[OperationCost]) -> list[OperationCost]:
    """Return the run's commands as steps; work on files and notes is left out.

    Equal operations in a row are one step: an agent that runs `git diff` three times takes one.
    """
    steps: list[OperationCost] = []
    last = None
    for piece in pieces:
        if piece.command:
            if piece.operation == last:
                steps[-1] = _joined(steps[-1], piece)
            else:
                steps.append(piece)
                last = piece.operation
    return steps


def _joined(step: OperationCost, piece: OperationCost) -> OperationCost:
    known = [cost for cost in (step.nanodollars, piece.nanodollars) if cost is not None]
    return OperationCost(
        step.operation,
        step.command,
        step.failed or piece.failed,
        step.succeeded and piece.succeeded,
        step.line,
        sum(known) if known else None,
        step.unpriced + piece.unpriced,
        step.seconds + piece.seconds,
    )


def find_sequences(steps: Sequence[OperationCost]) -> Iterator[tuple[str, Sequence[OperationCost]]]:
    """Return each sequence's signature with its steps, once per place.

    Places of one signature don't overlap, so that one sequence never counts a call twice; places of
    different signatures do.
    """
    names = [step.operation for step in steps]
    free_from: dict[tuple[str, ...], int] = {}
    for length in _lengths(len(steps)):
        for start, words in enumerate(zip(*(names[at:] for at in range(length)), strict=False)):
            if start >= free_from.get(words, 0):
                free_from[words] = start + length
                yield _signature(words), steps[start : start + length]


@lru_cache(maxsize=8_192)  # the same few thousand recur from run to run
def _signature(operations: tuple[str, ...]) -> str:
    return SEPARATOR.join(operations)


def phase_signature(phases: Iterable[str | None]) -> str | None:
    """Return the phases that a workflow went through, or None where none is known.

    >>> phase_signature(["plan", "build", "build", None, "review"])
    'plan > build > review'
    """
    known = [phase for phase, _ in groupby(phase for phase in phases if phase)]
    if len(known) > MAX_PHASES:
        known = [*known[:MAX_PHASES], "…"]
    return TIMES.join(known) or None


def _lengths(steps: int) -> list[int]:
    """Return the lengths of the sequences that a run of so many steps is searched for.

    >>> _lengths(3), _lengths(6), _lengths(9)
    ([2, 3], [2, 3, 4, 6], [2, 3, 4])
    """
    lengths = list(range(MIN_LENGTH, min(MAX_LENGTH, steps) + 1))
    return [*lengths, steps] if MAX_LENGTH < steps <= MAX_WHOLE_LENGTH else lengths


def drop_subsequences(patterns: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the patterns without sequences that only ever occur inside a longer one of the same list.

    >>> rows = [("a → b", 2), ("a → b → c", 2), ("b → c", 5)]
    >>> [row["signature"] for row in drop_subsequences(
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
