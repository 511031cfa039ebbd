"""Base class of stream parsers: split blocks of lines into records and repair damaged lines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from ...common.models import Problem, ResultLine, Severity, StreamFacts
from ...common.plausible_dates import read_moment
from ...costs.accounting.reported_totals import find_doubtful_totals
from .block_reader import split_lines
from .claude_schema import TIME_IMPOSSIBLE, TIME_UNREADABLE, LineUnreadableError
from .repair import recover_records, starts_record

MAX_PROBLEMS = 20  # per file: of a million garbled lines, only the first ones are reported
_TRUNCATED = "truncated"  # word in msgspec's error for a record without its end
_TEXT_PROBLEM = "not JSON: a line of text, from another program"  # unquoted: it may be a line of a key
_MAX_SPLIT_RECORD = 256 * 1024  # bytes of a record that is split over several lines


class PartialRecord(msgspec.Struct, frozen=True):
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
    bad_line: int = 0  # number of the last line whose end is unreadable
    lost_line: int = 0  # number of the last line with missing data
    partial_record: PartialRecord | None = None
    first_time: datetime | None = None  # earliest time of a line
    last_time: datetime | None = None  # latest time of a line

    @abstractmethod
    def parse_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts; raises LineUnreadableError if it cannot be used."""

    @abstractmethod
    def build_facts(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""

    def feed(self, block: bytes, number: int) -> int:
        """Parse a block of lines, the first of which follows line `number`; return the last line's number."""
        for raw in split_lines(block):
            number += 1
            self.parse_line(raw, number)
        return number

    def parse_line(self, raw: bytes, number: int) -> None:
        """Parse a line and add its facts, as many as are left if it is damaged."""
        if not raw or raw.isspace():
            return
        if self.partial_record is not None and self._extend_partial_record(raw, number):
            return
        self.lines = number
        try:
            self.parse_record(raw, number)
        except LineUnreadableError as error:
            self._repair(raw, number, str(error))

    def add_problem(
        self, reason: str, line: int | None, *, warning: bool = False, keeps_end: bool = False
    ) -> None:
        """Record a problem with a line, up to MAX_PROBLEMS; `warning` makes it a warning.

        `keeps_end`: the line's end was read, so the stream may end with it.
        """
        if not warning and not keeps_end and line is not None:
            self.bad_line = line
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(
                Problem(self.path, reason, line, Severity.WARNING if warning else Severity.ERROR)
            )

    def record_time(self, when: datetime | None, value: Any, line: int) -> None:
        """Extend the time range to `when`; report the first value that is not a possible time with a zone."""
        if when is not None:
            self.first_time = min(self.first_time or when, when)
            self.last_time = max(self.last_time or when, when)
        elif value is not None and not any(
            problem.reason.startswith((TIME_UNREADABLE, TIME_IMPOSSIBLE)) for problem in self.problems
        ):
            parsed = read_moment(value)
            reason = TIME_IMPOSSIBLE if parsed is not None and parsed.tzinfo else TIME_UNREADABLE
            self.add_problem(f"{reason}: {value!r:.60}", line, warning=True)

    def all_problems(self) -> list[Problem]:
        """Return the problems so far, including an incomplete record that never continued."""
        if self.partial_record is None or len(self.problems) >= MAX_PROBLEMS:
            return list(self.problems)
        return [
            *self.problems,
            Problem(self.path, f"unreadable line: {self.partial_record.reason}", self.partial_record.line),
        ]

    def doubtful_results(
        self,
        results: Sequence[ResultLine] | None = None,
        *,
        model: str | None = None,
        has_spending: bool = False,
    ) -> Iterator[Problem]:
        """Yield a problem for each result that cannot be a full total; by default, of the parser's results.

        `model` is that of the main thread. `has_spending` is whether messages show spending.
        """
        checked = self.results if results is None else results
        for line, reason in find_doubtful_totals(
            checked, spent=has_spending, model=model, at=self.first_time
        ):
            yield Problem(self.path, reason, line, Severity.WARNING)

    def last_lost_line(self) -> int:
        """Return the number of the last line with missing data, or 0."""
        return max(self.lost_line, self.partial_record.line if self.partial_record else 0)

    def _repair(self, raw: bytes, number: int, reason: str) -> None:
        """Parse the complete records on a damaged line, or keep it if it may continue on the next line."""
        if _TRUNCATED in reason and raw.lstrip().startswith(b"{") and b"\0" not in raw:
            self.partial_record = PartialRecord(number, raw, reason)
            return
        records, lost, is_end_lost = recover_records(raw)
        reason = "zero bytes in place of text" if b"\0" in raw else reason
        if not records and not lost and not raw.lstrip().startswith(b"{"):
            self.add_problem(_TEXT_PROBLEM, number, keeps_end=True)
            return
        if not records or records == [raw.strip()]:
            self.lost_line = number if lost or records else self.lost_line
            self.add_problem(f"unreadable line: {reason}", number)
            return
        for record in records:
            try:
                self.parse_record(record, number)
            except LineUnreadableError as error:
                reason, lost = str(error), True
                is_end_lost = is_end_lost or record is records[-1]
        if lost:
            self.lost_line = number
            text = f"a part of the line cannot be read: {reason}"
            self.add_problem(text, number, keeps_end=not is_end_lost)
        elif len(records) > 1:
            self.add_problem(f"{len(records)} records stand on one line", number, warning=True)

    def _extend_partial_record(self, raw: bytes, number: int) -> bool:
        """Return whether the line continues the incomplete record before it; add it to the record if so."""
        partial, self.partial_record = self.partial_record, None
        if partial is None:
            return False
        joined = partial.text + raw
        if not _is_complete_object(raw):
            if _is_complete_object(joined):
                self.lines = number
                self.parse_line(joined, partial.line)
                self.lines = number
                return True
            if len(joined) < _MAX_SPLIT_RECORD and not starts_record(raw):
                self.lines = number
                self.partial_record = PartialRecord(partial.line, joined, partial.reason)
                return True
        self.lost_line = partial.line
        self.add_problem(f"unreadable line: {partial.reason}", partial.line)
        return False


LineT = TypeVar("LineT")


def decode_record(raw: bytes, decoder: msgspec.json.Decoder[LineT]) -> LineT | None:
    """Decode a line; return None for plain text, which is the CLI's output for the user.

    Raises LineUnreadableError if the line is damaged, or if text precedes an object on it.
    """
    if not raw.lstrip().startswith(b"{"):
        if recover_records(raw).records:
            raise LineUnreadableError("text stands before the record")
        return None
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise LineUnreadableError(str(error)) from None


def _is_complete_object(raw: bytes) -> bool:
    """Return whether a text is one complete JSON object."""
    try:
        return isinstance(msgspec.json.decode(raw), dict)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
