"""Base class of stream parsers: split blocks of lines into records and repair damaged lines."""

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

MAX_PROBLEMS = 20  # per file: of a million garbled lines, only the first ones are reported
_TRUNCATED = "truncated"  # word in msgspec's error for a record without its end
_LONGEST_SPLIT = 256 * 1024  # bytes of a record that is split over several lines


class Begun(msgspec.Struct, frozen=True):
    """An incomplete record that may continue on the next line."""

    line: int  # number of its first line, 1-based
    text: bytes
    reason: str  # why the first line cannot be read alone


@dataclass(slots=True)
class LineParser(ABC):
    """Base of the parsers of one stream, with the facts that all dialects share."""

    path: str
    problems: list[Problem] = field(default_factory=list)
    results: list[ResultLine] = field(default_factory=list)
    lines: int = 0
    bad_line: int = 0  # number of the last unreadable line
    lost_line: int = 0  # number of the last line with missing data
    begun: Begun | None = None
    first: datetime | None = None  # earliest time of a line
    last: datetime | None = None  # latest time of a line

    @abstractmethod
    def take_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts; raises LineUnreadableError if it cannot be used."""

    @abstractmethod
    def result(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""

    def feed(self, block: bytes, number: int) -> int:
        """Parse a block of lines, the first of which follows line `number`; return the last line's number."""
        for raw in split_lines(block):
            number += 1
            self.take_line(raw, number)
        return number

    def take_line(self, raw: bytes, number: int) -> None:
        """Parse a line and add its facts, as many as are left if it is damaged."""
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
        """Record a problem with a line, up to MAX_PROBLEMS; `doubtful` makes it a warning."""
        if not doubtful and line is not None:
            self.bad_line = line
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(self.path, reason, line, "warning" if doubtful else "error"))

    def note_time(self, when: datetime | None, value: Any, line: int) -> None:
        """Extend the time range to `when`; report the first value that is not a possible time with a zone."""
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
        """Return the problems so far, including an incomplete record that never continued."""
        if self.begun is None or len(self.problems) >= MAX_PROBLEMS:
            return list(self.problems)
        return [*self.problems, Problem(self.path, f"unreadable line: {self.begun.reason}", self.begun.line)]

    def doubtful_results(
        self, results: Sequence[ResultLine] | None = None, *, spent: bool = False
    ) -> Iterator[Problem]:
        """Yield a problem for each result that cannot be a full total; by default, of the parser's results.

        `spent` is whether messages show spending.
        """
        told = self.results if results is None else results
        for line, reason in doubts(told, spent=spent, at=self.first):
            yield Problem(self.path, reason, line, "warning")

    def missing_since(self) -> int:
        """Return the number of the last line with missing data, or 0."""
        return max(self.lost_line, self.begun.line if self.begun else 0)

    def _repair(self, raw: bytes, number: int, reason: str) -> None:
        """Parse the complete records on a damaged line, or keep it if it may continue on the next line."""
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
        """Return whether the line continues the incomplete record before it; add it to the record if so."""
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
    """Decode a line; return None for plain text, which is the CLI's output for the user.

    Raises LineUnreadableError if the line is damaged, or if text precedes an object on it.
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
    """Return whether a text is one complete JSON object."""
    try:
        return isinstance(msgspec.json.decode(raw), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
