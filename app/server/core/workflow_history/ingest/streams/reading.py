"""Take in a stream's lines, whole or damaged: blocks of lines in, single records out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from ...common.models import Problem, ResultLine, StreamFacts
from ...common.plausible_dates import read_moment
from ...costs.accounting.reported_totals import doubts
from .block_reader import split_lines
from .claude_schema import NO_RUNS_TIME, NO_TIME, LineUnreadableError
from .repair import begins_a_record, records_in

MAX_PROBLEMS = 20  # per file: a garbled file of a million lines is named once, with its first lines
_TRUNCATED = "truncated"  # what msgspec says of a record whose end is missing
_LONGEST_SPLIT = 256 * 1024  # bytes of a record that stands on several lines


class Begun(msgspec.Struct, frozen=True):
    """A record that was begun and may go on in the next line."""

    line: int  # its first one, 1-based
    text: bytes
    reason: str  # why the first line cannot be read alone


@dataclass(slots=True)
class LineParser(ABC):
    """What has been gathered so far from one stream, of whatever program."""

    path: str
    problems: list[Problem] = field(default_factory=list)
    results: list[ResultLine] = field(default_factory=list)
    lines: int = 0
    bad_line: int = 0  # the last one that cannot be read
    lost_line: int = 0  # the last one on which something is missing
    begun: Begun | None = None
    first: datetime | None = None  # earliest time that a line gives
    last: datetime | None = None  # latest one

    @abstractmethod
    def take_record(self, raw: bytes, number: int) -> None:
        """Put one record's facts where they belong; raises LineUnreadableError if it cannot be used."""

    @abstractmethod
    def result(self, agent: str) -> StreamFacts:
        """Return what the stream says so far."""

    def feed(self, block: bytes, number: int) -> int:
        """Put the facts of lines where they belong; the first follows line `number`. Return the last's."""
        for raw in split_lines(block):
            number += 1
            self.take_line(raw, number)
        return number

    def take_line(self, raw: bytes, number: int) -> None:
        """Put the facts of a line where they belong, whatever is left of it."""
        if not raw or raw.isspace():
            return
        if self.begun is not None and self._goes_on(raw, number):
            return
        self.lines = number
        try:
            self.take_record(raw, number)
        except LineUnreadableError as error:
            self._repair(raw, number, str(error))

    def add_problem(self, reason: str, line: int | None, *, doubtful: bool = False) -> None:
        """Note what is wrong with a line, up to a bound."""
        if not doubtful and line is not None:
            self.bad_line = line
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self.path, reason, line, "warning" if doubtful else "error"))

    def note_time(self, when: datetime | None, value: Any, line: int) -> None:
        """Widen the span of times; report the first value that is no time of a run, or names no zone."""
        if when is not None:
            self.first = min(self.first or when, when)
            self.last = max(self.last or when, when)
        elif value is not None and not any(
            problem.reason.startswith((NO_TIME, NO_RUNS_TIME)) for problem in self.problems
        ):
            read = read_moment(value)
            why = NO_RUNS_TIME if read is not None and read.tzinfo else NO_TIME
            self.add_problem(f"{why}: {value!r:.60}", line, doubtful=True)

    def all_problems(self) -> list[Problem]:
        """Return what was wrong, and a record that was begun and never ended."""
        if self.begun is None or len(self.problems) >= MAX_PROBLEMS:
            return list(self.problems)
        return [*self.problems, Problem(self.path, f"unreadable line: {self.begun.reason}", self.begun.line)]

    def doubtful_results(
        self, results: Sequence[ResultLine] | None = None, *, spent: bool = False
    ) -> Iterator[Problem]:
        """Yield the results, its own unless given, that cannot be all; `spent`: messages show spending."""
        told = self.results if results is None else results
        for line, reason in doubts(told, spent=spent, at=self.first):
            yield Problem(self.path, reason, line, "warning")

    def missing_since(self) -> int:
        """Return the last line on which something is missing; 0: none."""
        return max(self.lost_line, self.begun.line if self.begun else 0)

    def _repair(self, raw: bytes, number: int, reason: str) -> None:
        """Take the whole records that stand on a line that is none."""
        if _TRUNCATED in reason and raw.lstrip().startswith(b"{") and b"\0" not in raw:
            self.begun = Begun(number, raw, reason)
            return
        records, lost = records_in(raw)
        reason = "zero bytes stand in place of text" if b"\0" in raw else reason
        if not records or records == [raw.strip()]:
            self.lost_line = number if lost or records else self.lost_line
            self.add_problem(f"unreadable line: {reason}", number)
            return
        for record in records:
            try:
                self.take_record(record, number)
            except LineUnreadableError as error:
                reason, lost = str(error), True
        if lost:
            self.lost_line = number
            self.add_problem(f"a part of the line cannot be read: {reason}", number)
        elif len(records) > 1:
            self.add_problem(f"{len(records)} records stand on one line", number, doubtful=True)

    def _goes_on(self, raw: bytes, number: int) -> bool:
        """Return whether the line belongs to the record that was begun before it, and take it in if so."""
        begun, self.begun = self.begun, None
        if begun is None:
            return False
        joined = begun.text + raw
        if not _is_whole(raw):
            if _is_whole(joined):
                self.lines = number
                self.take_line(joined, begun.line)
                self.lines = number
                return True
            if len(joined) < _LONGEST_SPLIT and not begins_a_record(raw):
                self.lines = number
                self.begun = Begun(begun.line, joined, begun.reason)
                return True
        self.lost_line = begun.line
        self.add_problem(f"unreadable line: {begun.reason}", begun.line)
        return False


LineT = TypeVar("LineT")


def decoded(raw: bytes, decoder: msgspec.json.Decoder[LineT]) -> LineT | None:
    """Return a line that is a JSON object; plain text between them is the program talking to a person.

    Raises LineUnreadableError if it is damaged, or holds an object beside text.
    """
    if not raw.lstrip().startswith(b"{"):
        if records_in(raw).records:
            raise LineUnreadableError("text stands before the record")
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LineUnreadableError(str(error)) from None


def _is_whole(raw: bytes) -> bool:
    """Return whether some text is one whole JSON object."""
    try:
        return isinstance(msgspec.json.decode(raw), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
