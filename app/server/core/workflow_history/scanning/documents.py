"""Read the small files of a run: state, summaries, prompts, logs. Trouble is noted, never raised."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..models import Problem
from ..places import opened
from ..scrubbing import scrub, scrub_json
from .walk import FoundFile

MAX_BYTES = 8 * 1024 * 1024  # a state file, prompt or log beyond this is none that a workflow wrote
DEEPEST = 90  # levels: the history stores 100, some of which are its own

_LOG_TIME = re.compile(r"^\[?(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)", re.MULTILINE)
_COMPLETION = re.compile(
    r"\b(?:adw\w*|workflow|sdlc|pipeline|all phases)\b[^\n]{0,80}\b(?:completed|finished)\b(?! with errors)"
    r"|\bcompleted successfully\b[^\n]{0,40}\b(?:workflow|adw\w*|sdlc)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"\b(?:not|never|failed|error|before|until|when)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Log:
    """One execution.log: what a workflow script wrote down while it ran."""

    workflow: str  # the folder that holds it: the workflow's name
    text: str = field(repr=False, default="")
    first: datetime | None = None  # as written: naive, the machine's local time
    last: datetime | None = None

    @property
    def completed(self) -> str | None:
        """The line that says the workflow is completed, where one of its last lines does."""
        for line in reversed(self.text.splitlines()[-40:]):
            if _COMPLETION.search(line) and not _NEGATED.search(line):
                return scrub(line.strip())[:200]
        return None


def read_text(found: FoundFile, problems: list[Problem]) -> str | None:
    """Return a file's text, or None with a problem noted; bytes that are no UTF-8 are replaced and noted."""
    try:
        raw = _read_regular(found)
    except OSError as error:
        problems.append(Problem(found.shown, f"cannot be read: {error.strerror or error}", refused=True))
        return None
    if raw is None:
        problems.append(Problem(found.shown, f"larger than {MAX_BYTES // 2**20} MiB: left unread"))
        return None
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.append(Problem(found.shown, f"not UTF-8 at byte {error.start}", severity="warning"))
        return raw.decode("utf-8-sig", "replace")


def _read_regular(found: FoundFile) -> bytes | None:
    handle, status = opened(found.file, found)
    with handle:
        raw = handle.read(min(status.st_size, MAX_BYTES) + 1)
    return raw if len(raw) <= MAX_BYTES else None


def read_object(found: FoundFile, problems: list[Problem]) -> dict[str, Any] | None:
    """Return a file's JSON object without secrets, or None with the reason noted."""
    text = read_text(found, problems)
    if text is None:
        return None
    if not text.strip():
        problems.append(Problem(found.shown, "the file is empty"))
        return None
    try:
        value = json.loads(text, parse_constant=lambda _name: None)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        problems.append(Problem(found.shown, f"no valid JSON: {getattr(error, 'msg', error)}", line))
        return None
    if not isinstance(value, dict):
        problems.append(Problem(found.shown, f"a JSON {type(value).__name__}, not an object"))
        return None
    if _is_deeper(value, DEEPEST):
        problems.append(Problem(found.shown, f"nested more than {DEEPEST} levels deep"))
        return None
    clean: dict[str, Any] = scrub_json(value)  # before anything is made of it: words of a branch, a reason
    return clean


def _is_deeper(value: dict[str, Any], levels: int) -> bool:
    """Tell whether objects and lists stand in each other more than `levels` deep."""
    held: list[Any] = [value]
    for _ in range(levels):
        inside = (each.values() if isinstance(each, dict) else each for each in held)
        held = [item for items in inside for item in items if isinstance(item, dict | list)]
    return bool(held)


def embedded_objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects that stand inside a text, outermost ones, in order.

    >>> list(embedded_objects('/classify_issue {"title": "Add x", "body": "y"} abc'))
    [{'title': 'Add x', 'body': 'y'}]
    """
    decoder = json.JSONDecoder(parse_constant=lambda _name: None)
    at = text.find("{")
    tries = 0
    while at >= 0 and tries < 50:
        tries += 1
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            if isinstance(value, dict):
                yield value
        at = text.find("{", end)


def read_log(found: FoundFile, problems: list[Problem]) -> Log:
    """Return one execution.log with the times of its first and last stamped lines."""
    text = read_text(found, problems) or ""
    parts = found.path.split("/")
    stamps = _LOG_TIME.findall(text)
    return Log(
        workflow=parts[-2] if len(parts) > 1 else "",
        text=text,
        first=_time(stamps[0]) if stamps else None,
        last=_time(stamps[-1]) if stamps else None,
    )


def _time(stamp: str) -> datetime | None:
    try:
        return datetime.fromisoformat(stamp)
    except ValueError:
        return None
