"""Read the small files of a run: state, summaries, prompts, logs. Problems are recorded, never raised."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any

from ...common.models import Problem, Severity
from ...common.plausible_dates import is_possible, read_moment
from ...common.redaction import redact_json, redact_text
from ..files import open_file
from .json_logs import to_text_log
from .log_failures import LOG_TIME, last_error
from .records import LOG_FILES, ScannedFile

MAX_BYTES = 8 * 1024 * 1024  # no workflow writes a larger state file, prompt or log
_MAX_PROBLEMS = 20  # problems of a run after which non-finite numbers are no longer reported
MAX_DEPTH = 90  # nesting levels: the history stores 100, some of which it adds itself

_COMPLETION = re.compile(
    r"\b(?:adw\w*|workflow|sdlc|pipeline|all phases)\b[^\n]{0,80}\b(?:completed|finished)\b"
    r"|\b(?:phase|stage)\b[^\n]{0,40}\b(?:completed|finished)\b"
    r"|\bcompleted successfully\b[^\n]{0,40}\b(?:workflow|adw\w*|sdlc|phase|stage)\b",
    re.IGNORECASE,
)
_NEXT_STEP = re.compile(
    r"\b(?:starting|beginning|entering|launching|executing|running)\b[^\n]{0,60}"
    r"\b(?:phase|stage|workflow|agent|tests?|step \d+)\b",
    re.IGNORECASE,
)
"""Matches a line that begins the next part of a run."""

_UNSUCCESSFUL = re.compile(
    r"\b(?:completed|finished) (?:with (?:\w+ )?(?:errors?|failures?|problems?)|unsuccessfully)\b"
    r"|\bexit(?:ed|ing)?(?: with)?(?: exit)? (?:code|status)[ :=]{1,3}-?[1-9]",
    re.IGNORECASE,
)
_PHASE = re.compile(r"\b(?:phase|stage)\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not|never|failed|error|before|until|when)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Log:
    """One execution.log, the log of a workflow script."""

    workflow: str  # name of the workflow, from the log's directory; "" if it has none
    text: str = field(repr=False, default="")
    first: datetime | None = None  # first time as written: usually naive, in local time
    last: datetime | None = None  # last time as written
    path: str = LOG_FILES[0]  # relative to the run's directory

    @property
    def completed(self) -> str | None:
        """Redacted line near the log's end that reports the workflow or its phase as completed, or None."""
        line = self._completion_line
        return None if line is None else redact_text(line.strip())[:200]

    @property
    def completed_at(self) -> datetime | None:
        """Time of the completion line, else of the last line, as written; None if not completed."""
        line = self._completion_line
        if line is None:
            return None
        stamp = LOG_TIME.match(line)
        return (_parse_stamp(stamp) if stamp and self.last else None) or self.last

    @property
    def error(self) -> str | None:
        """Error that the script ended with; None if it has none, continued after it, or completed."""
        return last_error(self.text, if_continued=False) if self._completion_line is None else None

    @property
    def _completion_line(self) -> str | None:
        goes_on = False
        for line in reversed(self.text.splitlines()[-40:]):
            if _COMPLETION.search(line) and not _NEGATION.search(line) and not _UNSUCCESSFUL.search(line):
                # A phase may be completed before the error of the next one, or before the next one begins.
                is_phase = _PHASE.search(line) is not None
                return None if is_phase and (goes_on or last_error(self.text, if_continued=False)) else line
            goes_on = goes_on or _NEXT_STEP.search(line) is not None
        return None


def read_text(file: ScannedFile, problems: list[Problem]) -> str | None:
    """Read a file's text; on failure, add a problem and return None. Replace and report invalid UTF-8."""
    try:
        raw = _read_regular(file)
    except OSError as error:
        problems.append(Problem(file.shown, f"cannot be read: {error.strerror or error}", refused=True))
        return None
    if raw is None:
        problems.append(Problem(file.shown, f"larger than {MAX_BYTES // 2**20} MiB: left unread"))
        return None
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.append(Problem(file.shown, f"not UTF-8 at byte {error.start}", severity=Severity.WARNING))
        return raw.decode("utf-8-sig", "replace")


def _read_regular(file: ScannedFile) -> bytes | None:
    handle, status = open_file(file.file, file)
    with handle:
        raw = handle.read(min(status.st_size, MAX_BYTES) + 1)
    return raw if len(raw) <= MAX_BYTES else None


def read_object(file: ScannedFile, problems: list[Problem]) -> dict[str, Any] | None:
    """Read a file's JSON object and redact its secrets; return None and add a problem on failure."""
    text = read_text(file, problems)
    if text is None:
        return None
    if not text.strip():
        problems.append(Problem(file.shown, "the file is empty"))
        return None
    constants: list[float] = []

    def record_constant(name: str) -> float:
        constants.append(float(name))
        return constants[-1]

    try:
        value = json.loads(text, parse_constant=record_constant)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        message = getattr(error, "msg", str(error)).removesuffix(" starting at")
        problems.append(Problem(file.shown, f"invalid JSON: {message}", line))
        return None
    if not isinstance(value, dict):
        problems.append(Problem(file.shown, f"a JSON {type(value).__name__}, not an object"))
        return None
    if _is_nested_deeper(value, MAX_DEPTH):
        problems.append(Problem(file.shown, f"nested more than {MAX_DEPTH} levels deep"))
        return None
    redacted: dict[str, Any] = redact_json(value)  # before other texts are derived from it, such as reasons
    if constants:
        redacted = _replace_non_finite(redacted, file.shown, problems)
    return redacted


def _replace_non_finite(value: Any, path: str, problems: list[Problem], key: str = "") -> Any:
    """Return a JSON value with null for NaN and infinite numbers, and report where they are."""
    if isinstance(value, dict):
        paths = {item: f"{key}.{item}" if key else item for item in value}
        return {item: _replace_non_finite(value[item], path, problems, paths[item]) for item in value}
    if isinstance(value, list):
        return [
            _replace_non_finite(item, path, problems, f"{key}[{index}]") for index, item in enumerate(value)
        ]
    if not isinstance(value, float) or isfinite(value):
        return value
    if len(problems) < _MAX_PROBLEMS:
        problems.append(
            Problem(path, f"{key[:200]} is {value}, no number: it is unknown", None, Severity.WARNING)
        )
    return None


def _is_nested_deeper(value: dict[str, Any], levels: int) -> bool:
    """Return whether objects and lists are nested more than `levels` deep."""
    level: list[Any] = [value]
    for _ in range(levels):
        children = (container.values() if isinstance(container, dict) else container for container in level)
        level = [item for items in children for item in items if isinstance(item, dict | list)]
    return bool(level)


def extract_json_objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the outermost JSON objects in a text, in order.

    >>> list(extract_json_objects('/classify_issue {"title": "Add x", "body": "y"} abc'))
    [{'title': 'Add x', 'body': 'y'}]
    """
    decoder = json.JSONDecoder(parse_constant=lambda _name: None)
    start = text.find("{")
    tries = 0
    while start >= 0 and tries < 50:
        tries += 1
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if isinstance(value, dict):
                yield value
        start = text.find("{", end)


def read_log(file: ScannedFile, problems: list[Problem]) -> Log:
    """Read one execution.log and the times of its first and last lines with a timestamp."""
    text = to_text_log((read_text(file, problems) or "").replace("\r\n", "\n").replace("\r", "\n"))
    parts = file.path.split("/")
    first = last = None
    unparsable: list[re.Match[str]] = []
    for stamp in LOG_TIME.finditer(text):
        when = _parse_stamp(stamp)
        if when is None:
            unparsable.append(stamp)
        else:
            first, last = first or when, when
    if unparsable:
        line = text.count("\n", 0, unparsable[0].start()) + 1
        more = f" (and {len(unparsable) - 1} more)" if len(unparsable) > 1 else ""
        reason = f"the line's time cannot be read as one of a run: {unparsable[0][0]!r}{more}"
        problems.append(Problem(file.shown, reason, line, Severity.WARNING))
    return Log(parts[-2] if len(parts) > 1 else "", text, first, last, file.path)


def _parse_stamp(stamp: re.Match[str]) -> datetime | None:
    when = read_moment(f"{stamp[1]}{stamp[2] or ''}")
    return when if when is not None and is_possible(when) else None


def outermost_log(logs: Sequence[Log]) -> Log | None:
    """Return the log of the workflow that started the others; None if no log has a workflow's name.

    It is the least nested log that began first and ended last. If none did both, it is the one that began
    first.
    """
    named = [log for log in logs if log.workflow and log.workflow != "prompts"]
    timed = [log for log in named if log.first is not None and log.last is not None]
    first_start = min((_without_zone(log.first) for log in timed), default=None)
    last_end = max((_without_zone(log.last) for log in timed), default=None)

    def sort_key(log: Log) -> tuple[int, bool, datetime, str]:
        start, end = _without_zone(log.first), _without_zone(log.last)
        return log.path.count("/"), not (start == first_start and end == last_end), start, log.path

    return min(named, key=sort_key, default=None)


def last_log(logs: Sequence[Log]) -> Log | None:
    """Return the log that was written last, or None if there are no logs."""
    return max(logs, key=lambda log: log.last or datetime.min, default=None)  # noqa: DTZ901 - logs are naive


def _without_zone(when: datetime | None) -> datetime:
    """Return a log's time without zone, for comparison on one machine; an unknown time is the latest."""
    return when.replace(tzinfo=None) if when is not None else datetime.max  # noqa: DTZ901 - logs are naive
