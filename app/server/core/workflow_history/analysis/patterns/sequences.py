"""Find sequences of commands: the operations of an agent run in, its sequences out. Nothing is ranked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from ...common.models import PatternKind
from .records import OperationCost

SEPARATOR = " → "
PHASE_SEPARATOR = " > "
MIN_LENGTH, MAX_LENGTH = 2, 4  # steps of a sequence within an agent run
MAX_WHOLE_LENGTH = 8  # steps of an agent run whose whole sequence is one pattern
MAX_PHASES = 12  # phases in a signature


def command_steps(operations: Iterable[OperationCost]) -> list[OperationCost]:
    """Return the commands of an agent run as steps, without work on files and notes.

    Equal operations in a row are one step, such as `git diff` three times.
    """
    steps: list[OperationCost] = []
    last_name = None
    for operation in operations:
        if operation.command:
            if operation.operation == last_name:
                steps[-1] = _merge_steps(steps[-1], operation)
            else:
                steps.append(operation)
                last_name = operation.operation
    return steps


def _merge_steps(step: OperationCost, operation: OperationCost) -> OperationCost:
    known = [cost for cost in (step.nanodollars, operation.nanodollars) if cost is not None]
    return OperationCost(
        step.operation,
        step.command,
        step.failed or operation.failed,
        step.succeeded and operation.succeeded,
        step.line,
        sum(known) if known else None,
        step.unpriced + operation.unpriced,
        step.seconds + operation.seconds,
    )


def find_sequences(steps: Sequence[OperationCost]) -> Iterator[tuple[str, Sequence[OperationCost]]]:
    """Yield each occurrence of a sequence: its signature and its steps.

    Occurrences of one signature don't overlap, so that a sequence never counts a call twice. Occurrences of
    different signatures do.
    """
    names = [step.operation for step in steps]
    next_start: dict[tuple[str, ...], int] = {}
    for length in _sequence_lengths(len(steps)):
        for start, operations in enumerate(zip(*(names[offset:] for offset in range(length)), strict=False)):
            if start >= next_start.get(operations, 0):
                next_start[operations] = start + length
                yield _join_signature(operations), steps[start : start + length]


@lru_cache(maxsize=8_192)  # the same few thousand recur in all runs
def _join_signature(operations: tuple[str, ...]) -> str:
    return SEPARATOR.join(operations)


def phase_signature(phases: Iterable[str | None]) -> str | None:
    """Return the signature of a run's phases, in order, or None if no phase is known, as of most sessions.

    >>> phase_signature(["plan", "build", "build", None, "review"]), phase_signature(["other", "other"])
    ('plan > build > review', None)
    """
    known = [phase for phase, _ in groupby(phase for phase in phases if phase)]
    if known == ["other"]:
        return None
    if len(known) > MAX_PHASES:
        known = [*known[:MAX_PHASES], "…"]
    return PHASE_SEPARATOR.join(known) or None


def _sequence_lengths(steps: int) -> list[int]:
    """Return the lengths of the sequences to search for among this many steps.

    >>> _sequence_lengths(3), _sequence_lengths(6), _sequence_lengths(9)
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
    sequences = [(f" {p['signature']} ", p["count"]) for p in patterns if p["kind"] == PatternKind.SEQUENCE]
    return [
        pattern
        for pattern in patterns
        if pattern["kind"] != PatternKind.SEQUENCE
        or not any(
            f" {pattern['signature']} " in other_signature
            and len(other_signature) > len(pattern["signature"]) + 2
            and pattern["count"] == count
            for other_signature, count in sequences
        )
    ]
