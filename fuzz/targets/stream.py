"""Fuzz target: streams of all formats. Every way to read one must give the same facts and sane totals."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from app.server.core.workflow_history.common.models import StreamFacts
from app.server.core.workflow_history.ingest import streams
from app.server.core.workflow_history.ingest.streams import (
    checkpoint,
    read_result_lines,
    read_stream,
    resume_stream,
)

from .. import hostile
from ..dice import Dice
from ..oracle import Broken
from ..seeds import make_seeds, other_streams

_SETTINGS: Any = streams  # its MIN_SIZE is the smallest stream that gets a checkpoint

PATH = "run/planner/raw_output.jsonl"
MOST = 1e16  # limit of one token count, ten thousand times a month of a large team


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that reads a stream whole, for its results only, and resumed after growth."""
    seeds = (*make_seeds(folder / "seeds").streams, *other_streams())
    file = folder / "raw_output.jsonl"

    def once(data: bytes) -> None:
        dice = Dice(data)
        lines = list(lines_from(dice, seeds))
        file.write_bytes(b"".join(lines))
        whole = read_stream(file, PATH, "planner")
        if whole is not None:
            _are_sane(whole)
        told = read_result_lines(file, PATH, "planner")
        if told is not None:
            _are_sane(told)
            if whole is None or whole.results != told.results:
                raise Broken(f"the results alone are not those of the whole stream:\n{told}\n{whole}")
        _is_read_on(file, lines, dice.whole(0, len(lines)), whole)

    return once


def lines_from(dice: Dice, seeds: tuple[tuple[Any, ...], ...]) -> Iterator[bytes]:
    """Yield the lines of a valid stream, some of them hostile, duplicated or omitted."""
    chance = dice.pick((3, 10, 40))
    for line in itertools.islice(dice.pick(seeds), dice.whole(1, 40)):
        if dice.one_in(12):
            continue
        wild = hostile.mutated(dice, line, chance) if dice.one_in(2) else line
        raw = hostile.encoded(dice, wild)
        end = dice.pick((b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b"")) if dice.one_in(8) else b"\n"
        yield raw + end
        if dice.one_in(12):
            yield raw + b"\n"
    if dice.one_in(6):
        yield dice.taken(60)


def _are_sane(facts: StreamFacts) -> None:
    every = [message.usage for message in facts.messages]
    every += [model.usage for result in facts.results for model in result.models]
    for usage in every:
        if not all(0 <= count <= MOST for count in msgspec.structs.astuple(usage)):
            raise Broken(f"tokens are {usage}")
    for result in facts.results:
        costs = [result.total_cost, *(model.cost for model in result.models)]
        if not all(cost is None or (cost.is_finite() and 0 <= cost < 10**9) for cost in costs):
            raise Broken(f"costs are {costs}")
        if not (result.duration_ms is None or 0 <= result.duration_ms < 1e12):
            raise Broken(f"a duration is {result.duration_ms}")
    for problem in facts.problems:
        if problem.path != PATH or not problem.reason or len(problem.reason) > 2000:
            raise Broken(f"a problem does not tell what is wrong: {problem!r:.300}")


def _is_read_on(file: Path, lines: list[bytes], after: int, whole: StreamFacts | None) -> None:
    """Raise Broken if a stream read in two steps gives other facts than one read at once.

    It is cut after the first `after` lines for the first step.
    """
    content, usual = b"".join(lines), _SETTINGS.MIN_SIZE
    size = sum(map(len, lines[:after]))
    _SETTINGS.MIN_SIZE = 1  # byte, so that short streams get a checkpoint too
    try:
        with file.open("r+b") as handle:
            handle.truncate(size)
        first = resume_stream(file, PATH, "planner")
        with file.open("ab") as grown:
            grown.write(content[size:])
        if first.checkpoint is None:
            return
        again = resume_stream(
            file,
            PATH,
            "planner",
            checkpoint.decode_checkpoint(checkpoint.encode_checkpoint(first.checkpoint)),
        )
    finally:
        _SETTINGS.MIN_SIZE = usual
    if whole is None or whole.format == "unreadable":
        return  # only its partial last line looked like a stream, and the complete line doesn't
    if again.facts is None or _timeless(again.facts) != _timeless(whole):
        raise Broken(f"read on, the stream says something else:\n{again.facts}\n{whole}")


def _timeless(facts: StreamFacts) -> StreamFacts:
    return msgspec.structs.replace(facts, modified_at=None)
