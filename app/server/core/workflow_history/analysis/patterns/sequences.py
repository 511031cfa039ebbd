"""Find sequences of commands: the operations of an agent run in, its sequences out. Nothing is ranked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from .records import OperationCost

SEPARATOR = " → "
TIMES = " > "
MIN_LENGTH, MAX_LENGTH = 2, 4  # steps of a sequence within an agent run
MAX_WHOLE_LENGTH = 8  # steps of an agent run whose whole sequence is one pattern
MAX_PHASES = 12  # phases in a signature


def command_steps(pieces: Iterable[OperationCost]) -> list[OperationCost]:
    """Return the commands of an agent run as steps, without work on files and notes.

    Equal operations in a row are one step, such as `git diff` three times.
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
    """Yield each occurrence of a sequence: its signature and its steps.

    Occurrences of one signature don't overlap, so that a sequence never counts a call twice. Occurrences of
    different signatures do.
    """
    names = [step.operation for step in steps]
    free_from: dict[tuple[str, ...], int] = {}
    for length in _lengths(len(steps)):
        for start, words in enumerate(zip(*(names[at:] for at in range(length)), strict=False)):
            if start >= free_from.get(words, 0):
                free_from[words] = start + length
                yield _signature(words), steps[start : start + length]


@lru_cache(maxsize=8_192)  # the same few thousand recur in all runs
def _signature(operations: tuple[str, ...]) -> str:
    return SEPARATOR.join(operations)


def phase_signature(phases: Iterable[str | None]) -> str | None:
    """Return the signature of a run's phases, in order, or None if no phase is known.

    >>> phase_signature(["plan", "build", "build", None, "review"])
    'plan > build > review'
    """
    known = [phase for phase, _ in groupby(phase for phase in phases if phase)]
    if len(known) > MAX_PHASES:
        known = [*known[:MAX_PHASES], "…"]
    return TIMES.join(known) or None


def _lengths(steps: int) -> list[int]:
    """Return the lengths of the sequences to search for among this many steps.

    >>> _lengths(3), _lengths(6), _lengths(9)
    ([2, 3], [2, 3, 4, 6], [2, 3, 4])
    """
    lengths = list(range(MIN_LENGTH, min(MAX_LENGTH, steps) + 1))
    return [*lengths, steps] if MAX_LENGTH < steps <= MAX_WHOLE_LENGTH else lengths


def drop_subsequences(patterns: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the patterns without sequences that only occur inside a longer one of the list.

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
