"""Parse a request: split the raw text into weighted passages. Pure.

Issue forms, slash commands, code, tracebacks and ids show how a task was filed, not the task itself.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

MAX_TEXT = 20_000  # maximum characters read; a request that long is a log or a dump
_MAX_PASSAGES = 200
_MAX_JSON = 1_000_000  # maximum characters of a JSON issue, before its body is cut


class WeightedPassage(NamedTuple):
    """A line or sentence of a request, and its weight."""

    text: str
    weight: int


TITLE_WEIGHT = 12
BODY_WEIGHT = 6
ASIDE_WEIGHT = 1

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1`*~*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_TRACEBACK = re.compile(r"^[ \t]*(?:Traceback \(most recent|File \"|at \S+ ?\(|\^+[ \t]*$).*$", re.MULTILINE)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://\S+", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>\n]{0,200}>", re.IGNORECASE)
_COMMAND = re.compile(r"(?<![\w/.])/[a-z][\w:-]*(?=\s*(?:\n|\Z))|^\s*/[a-z][\w:-]*(?=\s)", re.IGNORECASE)
_ADW = re.compile(r"\b(?:using\s+)?adws?[_-]\w[\w-]*(?:\.py)?", re.IGNORECASE)
_HEX = re.compile(
    r"\b(?=[0-9a-f]{7})(?=[0-9a-f-]{0,99}\d)(?=[0-9a-f-]{0,99}[a-f])[0-9a-f]{7,}(?:-[0-9a-f]{4,}){0,4}\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<!\w)#\d+\b")
_CLUTTER = (
    (_COMMENT, ("<!--",)),
    (_FENCE, ("```", "~~~")),
    (_TRACEBACK, ("Traceback (most recent", 'File "', "at ", "^")),
    (_URL, ("://",)),
    (_TAG, ("<",)),
    (_COMMAND, ("/",)),
)
"""Patterns in their order, each with substrings that a match contains: a fast check before the search."""
_DIGIT = re.compile(r"\d")
_CHECKBOX = re.compile(r"^\s*(?:[-*+]|\d+[.)])?\s*\[[ xX]?\]")
_HEADING = re.compile(
    r"^\s*#{1,6}\s+(.*?)\s*#*\s*$|^\s*\*\*([^*\n]{1,100})\*\*:?\s*$|^\s*([A-Z][\w /'-]{2,40}):\s*$"
)
_LABELLED_LINE = re.compile(
    r"^[\s*_-]*(?:title|task|request|feature|bug|chore|issue|summary|description|goal|problem)[*_]*:[*_]*\s+(\S.*)$",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+")

_MAIN_HEADING_LIST = """
bug chore description feature goal issue like objective problem proposal proposed request solution story
summary task title
"""
_MAIN_HEADINGS = frozenset(_MAIN_HEADING_LIST.split())
_FORM_HEADING_LIST = """
acceptance actual additional agreement alternatives affected assets attachments background behavior
behaviour browser build checklist checks code commands conduct context conventions comments configuration
criteria definition deliverables dependencies deployment details device documentation done environment
expected files guidelines impact implementation info information instructions labels links logs metadata
misc motivation notes os other output platform plan prerequisites priority process quality references
related relevant release reminders reproduce reproduction requirements reviewers rules screenshots setup
severity stack standards steps system testing tests tooling trace traceback validation verification
version versions videos workflow
"""
_FORM_HEADINGS = frozenset(_FORM_HEADING_LIST.split())
_FILLER_LIST = """
a an and any be d describe for have how i if in is it of on or please report s should that the this to we
what would you your user
"""
_FILLERS = frozenset(_FILLER_LIST.split())


class _SectionWeights(NamedTuple):
    first: int  # weight of the first passage
    rest: int


_PLAIN_SECTION = _SectionWeights(BODY_WEIGHT, BODY_WEIGHT)
_MAIN_SECTION = _SectionWeights(TITLE_WEIGHT, BODY_WEIGHT)
_ASIDE_SECTION = _SectionWeights(ASIDE_WEIGHT, ASIDE_WEIGHT)


def parse_request(raw: str) -> list[WeightedPassage]:
    r"""Return the passages of a request, in order, with their weights.

    >>> parse_request("## Description\nFix the login.\n## Environment\n- OS: Linux\n- [x] I searched")
    [WeightedPassage(text='Fix the login.', weight=12), WeightedPassage(text='- OS: Linux', weight=1)]
    """
    title, body = _split_json_issue(raw[:_MAX_JSON])
    passages = [WeightedPassage(title, TITLE_WEIGHT)] if title else []
    section = _PLAIN_SECTION
    for line in _remove_clutter(body[:MAX_TEXT]).splitlines():
        heading = _HEADING.match(line)
        if heading:
            words = next(part for part in heading.groups() if part is not None)
            section = _section_of(words)
            if section is _PLAIN_SECTION:
                passages.append(WeightedPassage(words, ASIDE_WEIGHT if passages else TITLE_WEIGHT))
        elif any(map(str.isalnum, line)) and not _CHECKBOX.match(line):
            passages += _split_passages(line, section)
            section = section._replace(first=section.rest)
        if len(passages) >= _MAX_PASSAGES:
            break
    return passages[:_MAX_PASSAGES]


def _split_passages(line: str, section: _SectionWeights) -> list[WeightedPassage]:
    """Split `line` into sentences; the first gets the section's first weight or, after a label, a title's."""
    labelled = _LABELLED_LINE.match(line)
    first, *rest = _SENTENCE.split((labelled[1] if labelled else line).strip())
    weight = TITLE_WEIGHT if labelled else section.first
    return [WeightedPassage(first, weight), *(WeightedPassage(part, section.rest) for part in rest)]


def _section_of(heading: str) -> _SectionWeights:
    """Return the weights of the lines below `heading`.

    >>> [_section_of(heading).first for heading in ("Steps to reproduce", "Feature Request", "Order book")]
    [1, 12, 6]
    """
    words = set(re.findall(r"[a-z]+", heading.lower())) - _FILLERS
    if words & _FORM_HEADINGS:
        return _ASIDE_SECTION
    return _MAIN_SECTION if words <= _MAIN_HEADINGS else _PLAIN_SECTION


def _remove_clutter(body: str) -> str:
    """Remove parts without a request: comments, code, tracebacks, tags, links, ids, slash commands."""
    for pattern, needles in _CLUTTER:
        if any(needle in body for needle in needles):
            body = pattern.sub(" ", body)
    if "adw" in body.lower():
        body = _ADW.sub(" ", body)
    if _DIGIT.search(body):
        body = _HEX.sub(" ", body)
    return _NUMBER.sub(" ", body) if "#" in body else body


def _split_json_issue(raw: str) -> tuple[str, str]:
    """Return title and body of a JSON issue, with or without a slash command before it; else ("", raw)."""
    start = raw.find("{")
    if start < 0 or '"title"' not in raw:
        return "", raw
    try:
        issue, _ = json.JSONDecoder().raw_decode(raw, start)
    except (ValueError, RecursionError):
        return "", raw
    if not isinstance(issue, dict):
        return "", raw
    title, body = issue.get("title"), issue.get("body")
    clean_title = _remove_clutter(title[:MAX_TEXT]).strip() if isinstance(title, str) else ""
    return clean_title, (body if isinstance(body, str) else "")
