"""Find the error message in a log. Pure.

A record's level decides. Below the level of an error, only two things count as one: a traceback, and a last
record that reports that the workflow failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ...common.redaction import redact_text

LOG_TIME: Final = re.compile(
    r"^\[?(\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d)(?:[.,]\d+)?(?: ?(Z|UTC|GMT|[+-]\d\d:?\d\d)\b)?",
    re.MULTILINE | re.IGNORECASE,
)
_LEVELS: Final = "DEBUG|INFO|NOTICE|SUCCESS|WARN(?:ING)?|ERROR|CRITICAL|FATAL"
_LEVEL: Final = re.compile(
    r"(?:\[?\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d[\d.,:+Z-]*+[\]\s|:-]*+"
    rf"(?:(?!(?:{_LEVELS})\b)[\w.-]++\s++[-|:]\s++)?"
    r"|(?=\W?[A-Z]+\]?\s?[:|\]-]))"
    rf"[\[(<]?(?P<level>{_LEVELS})\b[\])>]?[\s:|-]*"
    r"(?P<message>.*)"
)
"""A line of a log: time, logger's name, level, message. Without a time, punctuation follows the level."""

_AFTER_TIME: Final = re.compile(r"[\s\]|:,-]*")
_ERRORS: Final = frozenset({"ERROR", "CRITICAL", "FATAL"})
_TRACED: Final = frozenset({None, "INFO", "NOTICE", "SUCCESS", *_ERRORS})
"""Levels at which a traceback is an error; at other levels it is harmless or quoted from an agent."""

_TOLD: Final = frozenset({None, "INFO", "NOTICE", "WARN", "WARNING"})
"""Levels at which the last record of a log may report a failure by its words."""

_LEAVES: Final = re.compile(
    r"\b(?:exit(?:ing|ed)?|abort(?:ing|ed)?|terminat(?:ing|ed)|shutting down)\b", re.IGNORECASE
)
"""Words that a script may still log after the error that ends it."""

_TRACEBACK: Final = "Traceback (most recent call last):"
_INTERRUPTED: Final = "KeyboardInterrupt"

_IN_DOUBT: Final = (
    r"(?!(?:whether|if|when|where|unless|in case|no|not|never|none|any|previous|last|earlier|zero|0|check\w*"
    r"|handl\w*|since|why|that|retr\w*)\b)"
)
_PART: Final = (
    r"(?:adw\w*|workflow|sdlc|pipeline|run|build|script|process|job|execution|phase|stage|step|task|plan(?:ning)?"
    r"|implementation|deploy(?:ment)?)"
)
_OVERCOME: Final = (
    r"(?!(?:\W*(?:but|and|will|was|is|now|then))*\W*"
    r"(?:retr\w+|again|fixed|recover\w*|resolv\w*|continu\w*|anyway|fall\w*|try\w*|using|ignor\w*|skipp\w*|earlier|before|previously"
    r"|0|\d+ times?)\b)"
)
_SAYS_FAILED: Final = re.compile(
    rf"[^\w\n]*+(?:{_IN_DOUBT}[\w./\]-]++:?\s++){{0,4}}?{_PART}\b(?:\s++{_IN_DOUBT}[\w.-]++:?){{0,2}}?"
    r"(?::?\s+(?:has\s+|have\s+|was\s+)?(?:failed|aborted|crashed)|\s+did\s+not\s+(?:complete|finish|succeed)"
    rf"|\s+(?:completed|finished|ended)\s+unsuccessfully)\b{_OVERCOME}"
    r"|[^\w\n]*+abort(?:ing|ed)\b(?=[^\w\n]*$|\s*[^\w\s]|\s+(?:the|this|adw\w*|workflow|run|pipeline|build|execution"
    r"|process|due|because|after|since|as|with|on|now)\b)"
    r"|.{0,200}?\b(?:(?:exit(?:s|ed|ing)?|terminat(?:es|ed|ing))\s+(?:with\s+)?(?:an?\s+)?(?:non-?zero\s+)?(?:exit\s+)?"
    r"(?:code|status)|fail(?:s|ed|ing)?\s+with\s+(?:an?\s+)?(?:non-?zero\s+)?(?:exit\s+(?:code|status)|code))"
    rf"\b[\s:=]*-?[1-9]\d*\b{_OVERCOME}",
    re.IGNORECASE,
)
"""Beginning of a message which reports that the workflow, or a part of it, failed."""

_SAID: Final = 400  # characters of a message that are searched for that

_HINT: Final = re.compile(r"fail|abort|crash|did not|unsuccess|code|status", re.IGNORECASE)
_AT_END: Final = 20_000  # characters at the end of a log that contain its last record

_LONGEST: Final = 500  # characters kept of a message
_UNDERSTOOD: Final = 20_000  # characters of a traceback that are searched for secrets


@dataclass(slots=True)
class _Record:
    """One record of a log."""

    level: str | None  # None: the line has no level
    message: str
    below: list[str] = field(default_factory=list)  # continuation lines, without blank ones

    @property
    def exception(self) -> list[str]:
        """Lines of its last traceback from the exception on; empty if no traceback is an error."""
        lines = [self.message, *self.below]
        begins = [number for number, line in enumerate(lines) if line.strip().startswith(_TRACEBACK)]
        if not begins or self.level not in _TRACED:
            return []
        rest = lines[begins[-1] + 1 :]
        first = next((number for number, line in enumerate(rest) if not line.startswith((" ", "\t"))), None)
        return [] if first is None or rest[first].startswith(_INTERRUPTED) else rest[first:]

    @property
    def goes_on(self) -> bool:
        """Whether it shows that the script continued: it is not a debug record and mentions no exit."""
        return (
            self.level != "DEBUG"
            and not _LEAVES.search(self.message)
            and bool(re.search(r"\w", self.message))
        )

    @property
    def says_failed(self) -> bool:
        """Whether its words alone report that the workflow failed."""
        return self.level in _TOLD and _SAYS_FAILED.match(self.message[:_SAID]) is not None


def last_error(text: str, *, survived: bool = True) -> str | None:
    r"""Return the message of the last error in a log, without its time and level; None if there is none.

    Without `survived`, an error counts only if the log ends with it: any record of another level shows that
    the script continued, except debug records and those that report an exit. Consecutive error records form
    one error; of the lines below them (a traceback), only the last one counts. A record that reports a
    failure only by its words must be the end of the log in any case. Secrets are redacted.

    >>> last_error("2026-01-01 10:00:00 - INFO - Start\n2026-01-01 10:00:01 - ERROR - No plan")
    'No plan'
    >>> last_error("2026-01-01 10:00:00 - INFO - Workflow failed: no plan")
    'Workflow failed: no plan'
    >>> last_error("2026-01-01 10:00:00 - WARNING - ERROR budget: 3") is None
    True
    """
    if not (any(level in text for level in _ERRORS) or _TRACEBACK in text or _HINT.search(text[-_AT_END:])):
        return None
    error: list[_Record] = []
    last_words: _Record | None = None
    inside = went_on = False
    for record in _records(text):
        if record.level in _ERRORS or record.exception:
            if not inside:
                error = []
            error.append(record)
            inside, went_on, last_words = True, False, None
            continue
        inside = False
        if record.says_failed:
            last_words = record
        elif record.goes_on:
            went_on, last_words = True, None
    if error and not went_on and (said := _message(error)):
        return said
    if last_words is not None:
        return redact_text(last_words.message.strip())[:_LONGEST]
    return _message(error) if survived else None


def _records(text: str) -> Iterator[_Record]:
    """Yield the records of a log; if no line has a time or a level, each line is a record."""
    record: _Record | None = None
    before: list[str] = []  # lines before the first record
    for line in text.splitlines():
        if (found := _LEVEL.match(line)) is not None:
            following = _Record(found["level"], found["message"].strip())
        elif (stamp := LOG_TIME.match(line)) is not None:
            following = _Record(None, line[_end_of(line, stamp.end()) :].strip())
        else:
            if line.strip():
                (before if record is None else record.below).append(line)
            continue
        if record is not None:
            yield record
        record = following
    if record is not None:
        yield record
    else:
        yield from _plain(before)


def _end_of(line: str, at: int) -> int:
    found = _AFTER_TIME.match(line, at)
    return found.end() if found else at


def _plain(lines: list[str]) -> Iterator[_Record]:
    """Yield the records of a log without times and levels: each line, and each whole traceback."""
    record: _Record | None = None
    is_traced = is_open = False  # whether the record is a traceback; whether its exception is still to come
    for line in lines:
        is_inside = is_traced and not line.startswith(_TRACEBACK) and (is_open or line[:1].isspace())
        if record is not None and is_inside:
            record.below.append(line)
            is_open = is_open and line[:1].isspace()
            continue
        if record is not None:
            yield record
        record = _Record(None, line.strip())
        is_traced = is_open = line.startswith(_TRACEBACK)
    if record is not None:
        yield record


def _message(error: list[_Record]) -> str | None:
    """Return the messages of one error's records and the last line below them, redacted; None if empty."""
    told = [record.message for record in error if record.level in _ERRORS and record.message]
    traced = [line.strip() for record in error for line in _below(record)]
    if not told and not traced:
        return None
    # Redact before dropping lines: the last one alone may be a part of a key.
    lines = redact_text("\n".join([*told, "\n".join(traced)[-_UNDERSTOOD:]])).strip().splitlines()
    below = lines[-1:] if traced and len(lines) > len(told) else []
    return "\n".join([*lines[: len(told)], *below])[:_LONGEST]


def _below(record: _Record) -> list[str]:
    return record.below if record.level in _ERRORS else record.exception[:1]
