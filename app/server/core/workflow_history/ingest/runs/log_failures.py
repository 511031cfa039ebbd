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
    rf"[\[(<]?(?P<level>{_LEVELS})\b(?::(?![\w.]*(?:Error|Exception)\b)[a-z_][\w.]*+:(?![\s/\d])|[\])>]?[\s:|-]*)"
    r"(?P<message>.*)"
)
"""A line of a log: time, logger's name, level, message. Without a time, punctuation follows the level.

Python's default format is `LEVEL:logger:message`, without blanks.
"""

_AFTER_TIME: Final = re.compile(r"\A[\s\]|:,-]+")
_ERRORS: Final = frozenset({"ERROR", "CRITICAL", "FATAL"})
_TRACEBACK_LEVELS: Final = frozenset({None, "INFO", "NOTICE", "SUCCESS", *_ERRORS})
"""Levels at which a traceback is an error; at other levels it is harmless or quoted from an agent."""

_REPORT_LEVELS: Final = frozenset({None, "INFO", "NOTICE", "WARN", "WARNING"})
"""Levels at which the last record of a log may report a failure by its words."""

_EXIT_WORDS: Final = re.compile(
    r"\b(?:exit(?:ing|ed)?|abort(?:ing|ed)?|terminat(?:ing|ed)|shutting down)\b", re.IGNORECASE
)
"""Words that a script may still log after the error that ends it."""

_TRACEBACK: Final = "Traceback (most recent call last):"
_INTERRUPTED: Final = "KeyboardInterrupt"

_HEDGE: Final = (
    r"(?!(?:whether|if|when|where|unless|in case|no|not|never|none|any|previous|last|earlier|zero|0|check\w*"
    r"|handl\w*|since|why|that|retr\w*)\b)"
)
_WORKFLOW_PART: Final = (
    r"(?:adw\w*|workflow|sdlc|pipeline|run|build|script|process|job|execution|phase|stage|step|task|plan(?:ning)?"
    r"|implementation|deploy(?:ment)?)"
)
_RECOVERY: Final = (
    r"(?!(?:\W*(?:but|and|will|was|is|now|then))*\W*"
    r"(?:retr\w+|again|fixed|recover\w*|resolv\w*|continu\w*|anyway|fall\w*|try\w*|using|ignor\w*|skipp\w*|earlier|before|previously"
    r"|0|\d+ times?)\b)"
)
_FAILURE_REPORT: Final = re.compile(
    rf"[^\w\n]*+(?:{_HEDGE}[\w./\]-]++:?\s++){{0,4}}?{_WORKFLOW_PART}\b(?:\s++{_HEDGE}[\w.-]++:?){{0,2}}?"
    r"(?::?\s+(?:has\s+|have\s+|was\s+)?(?:failed|aborted|crashed)|\s+did\s+not\s+(?:complete|finish|succeed)"
    rf"|\s+(?:completed|finished|ended)\s+unsuccessfully)\b{_RECOVERY}"
    r"|[^\w\n]*+abort(?:ing|ed)\b(?=[^\w\n]*$|\s*[^\w\s]|\s+(?:the|this|adw\w*|workflow|run|pipeline|build|execution"
    r"|process|due|because|after|since|as|with|on|now)\b)"
    r"|.{0,200}?\b(?:(?:exit(?:s|ed|ing)?|terminat(?:es|ed|ing))\s+(?:with\s+)?(?:an?\s+)?(?:non-?zero\s+)?(?:exit\s+)?"
    r"(?:code|status)|fail(?:s|ed|ing)?\s+with\s+(?:an?\s+)?(?:non-?zero\s+)?(?:exit\s+(?:code|status)|code))"
    rf"\b[\s:=]*-?[1-9]\d*\b{_RECOVERY}",
    re.IGNORECASE,
)
"""Beginning of a message which reports that the workflow, or a part of it, failed."""

_REPORT_CHARS: Final = 400  # characters of a message that are searched for that

_FAILURE_HINT: Final = re.compile(r"fail|abort|crash|did not|unsuccess|code|status", re.IGNORECASE)
_TAIL_CHARS: Final = 20_000  # characters at the end of a log that contain its last record

_MAX_MESSAGE: Final = 500  # characters kept of a message
_MAX_REDACTED: Final = 20_000  # characters of a traceback that are searched for secrets


@dataclass(slots=True)
class _Record:
    """One record of a log."""

    level: str | None  # None: the line has no level
    message: str
    continuation: list[str] = field(default_factory=list)  # continuation lines, without blank ones

    @property
    def exception(self) -> list[str]:
        """Lines of its last traceback from the exception on; empty if no traceback is an error."""
        lines = [self.message, *self.continuation]
        begins = [number for number, line in enumerate(lines) if line.strip().startswith(_TRACEBACK)]
        if not begins or self.level not in _TRACEBACK_LEVELS:
            return []
        rest = lines[begins[-1] + 1 :]
        first = next((number for number, line in enumerate(rest) if not line.startswith((" ", "\t"))), None)
        return [] if first is None or rest[first].startswith(_INTERRUPTED) else rest[first:]

    @property
    def shows_progress(self) -> bool:
        """Whether it shows that the script continued: it is not a debug record and mentions no exit."""
        return (
            self.level != "DEBUG"
            and not _EXIT_WORDS.search(self.message)
            and bool(re.search(r"\w", self.message))
        )

    @property
    def reports_failure(self) -> bool:
        """Whether its words alone report that the workflow failed."""
        return (
            self.level in _REPORT_LEVELS and _FAILURE_REPORT.match(self.message[:_REPORT_CHARS]) is not None
        )


def last_error(text: str, *, if_continued: bool = True) -> str | None:
    r"""Return the message of the last error in a log, without its time and level; None if there is none.

    Without `if_continued`, an error counts only if the log ends with it: any record of another level shows
    that the script continued, except debug records and those that report an exit. Consecutive error records
    form one error; of the lines below them (a traceback), only the last one counts. A record that reports a
    failure only by its words must be the end of the log in any case. Secrets are redacted.

    >>> last_error("2026-01-01 10:00:00 - INFO - Start\n2026-01-01 10:00:01 - ERROR - No plan")
    'No plan'
    >>> last_error("2026-01-01 10:00:00 - INFO - Workflow failed: no plan")
    'Workflow failed: no plan'
    >>> last_error("2026-01-01 10:00:00 - WARNING - ERROR budget: 3") is None
    True
    """
    if not (
        any(level in text for level in _ERRORS)
        or _TRACEBACK in text
        or _FAILURE_HINT.search(text[-_TAIL_CHARS:])
    ):
        return None
    error: list[_Record] = []
    last_report: _Record | None = None
    in_error = has_continued = False
    for record in _records(text):
        if record.level in _ERRORS or record.exception:
            if not in_error:
                error = []
            error.append(record)
            in_error, has_continued, last_report = True, False, None
            continue
        in_error = False
        if record.reports_failure:
            last_report = record
        elif record.shows_progress:
            has_continued, last_report = True, None
    if error and not has_continued and (message := _error_message(error)):
        return message
    if last_report is not None:
        return redact_text(last_report.message.strip())[:_MAX_MESSAGE]
    return _error_message(error) if if_continued else None


def _records(text: str) -> Iterator[_Record]:
    """Yield the records of a log; if no line has a time or a level, each line is a record."""
    record: _Record | None = None
    unstamped_lines: list[str] = []  # lines before the first record
    for line in text.splitlines():
        if (match := _LEVEL.match(line)) is not None:
            following = _Record(match["level"], match["message"].strip())
        elif (stamp := LOG_TIME.match(line)) is not None:
            following = _Record(None, _AFTER_TIME.sub("", line[stamp.end() :], count=1).strip())
        else:
            if line.strip():
                (unstamped_lines if record is None else record.continuation).append(line)
            continue
        if record is not None:
            yield record
        record = following
    if record is not None:
        yield record
    else:
        yield from _untimed_records(unstamped_lines)


def _untimed_records(lines: list[str]) -> Iterator[_Record]:
    """Yield the records of a log without times and levels: each line, and each whole traceback."""
    record: _Record | None = None
    is_traced = is_open = False  # whether the record is a traceback; whether its exception is still to come
    for line in lines:
        continues = is_traced and not line.startswith(_TRACEBACK) and (is_open or line[:1].isspace())
        if record is not None and continues:
            record.continuation.append(line)
            is_open = is_open and line[:1].isspace()
            continue
        if record is not None:
            yield record
        record = _Record(None, line.strip())
        is_traced = is_open = line.startswith(_TRACEBACK)
    if record is not None:
        yield record


def _error_message(records: list[_Record]) -> str | None:
    """Return the messages of one error's records and the last line below them, redacted; None if empty."""
    messages = [record.message for record in records if record.level in _ERRORS and record.message]
    details = [
        line.strip()
        for record in records
        for line in (record.continuation if record.level in _ERRORS else record.exception[:1])
    ]
    if not messages and not details:
        return None
    # Redact before dropping lines: the last one alone may be a part of a key.
    lines = redact_text("\n".join([*messages, "\n".join(details)[-_MAX_REDACTED:]])).strip().splitlines()
    last_detail = lines[-1:] if details and len(lines) > len(messages) else []
    return "\n".join([*lines[: len(messages)], *last_detail])[:_MAX_MESSAGE]
