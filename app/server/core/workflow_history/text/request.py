"""Find the request in what was typed: raw text in, weighted passages out. No meaning, no words, no file.

Issue forms, slash commands, code, tracebacks and ids say how a task was filed, not what it is.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

LONGEST_TEXT = 20_000  # characters that are read; a request that long is a log or a dump
MOST_PASSAGES = 200
_LONGEST_JSON = 1_000_000  # characters of an issue as JSON, before its body is cut


class Passage(NamedTuple):
    """A line or sentence of a request, and how much it counts: TITLE_WEIGHT, or 1 to BODY_WEIGHT."""

    text: str
    weight: int


TITLE_WEIGHT = 12
BODY_WEIGHT = 6
_ASIDE_WEIGHT = 2

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1`*~*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_TRACEBACK = re.compile(r"^[ \t]*(?:Traceback \(most recent|File \"|at \S+ ?\(|\^+[ \t]*$).*$", re.MULTILINE)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://\S+", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>\n]{0,200}>", re.IGNORECASE)
_COMMAND = re.compile(r"(?<![\w/.])/[a-z][\w:-]*(?=\s*(?:\n|\Z))|^\s*/[a-z][\w:-]*(?=\s)", re.IGNORECASE)
_ADW = re.compile(r"\b(?:using\s+)?adws?[_-]\w[\w-]*(?:\.py)?", re.IGNORECASE)
_HEX = re.compile(r"\b(?=[0-9a-f-]*\d)(?=[0-9a-f-]*[a-f])[0-9a-f]{7,}(?:-[0-9a-f]{4,}){0,4}\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<!\w)#\d+\b")
_CHECKBOX = re.compile(r"^\s*(?:[-*+]|\d+[.)])?\s*\[[ xX]?\]")
_HEADING = re.compile(
    r"^\s*(#{1,6})\s+(.*?)\s*#*\s*$|^\s*\*\*([^*\n]{1,60})\*\*:?\s*$|^\s*([A-Z][\w /'-]{2,40}):\s*$"
)
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s+")

_MAIN = frozenset(
    "summary description task request goal objective problem bug feature chore issue title story what".split()
)
_HALF = frozenset(
    "actual expected behavior behaviour why motivation solution proposal proposed background details".split()
)
_FORM = frozenset(
    """acceptance additional agreement alternatives affected assets attachments browser build checklist checks code
    commands conduct conventions comments configuration context criteria definition deliverables dependencies deployment device
    documentation done environment guidelines impact implementation info information instructions labels links logs
    metadata misc notes os other output platform plan priority process prerequisites quality references
    related relevant release reminders reproduce reproduction requirements reviewers rules screenshots setup severity
    stack standards steps system testing tests tooling trace traceback validation verification version versions
    videos workflow""".split()
)


def read_request(raw: str) -> list[Passage]:
    """Return the passages of a request that say what is wanted, the title first and heaviest.

    >>> read_request("/bug\\n\\nFix the login\\n\\n## Environment\\n- OS: Linux\\n- [x] I have searched")
    [Passage(text='Fix the login', weight=12), Passage(text='- OS: Linux', weight=2)]
    """
    title, body = _issue(raw[:_LONGEST_JSON])
    passages = [Passage(title, TITLE_WEIGHT)] if title else []
    weight = BODY_WEIGHT
    for line in _clean(body[:LONGEST_TEXT]).splitlines():
        heading = _HEADING.match(line)
        if heading:
            words = next(part for part in heading.groups()[1:] if part is not None)
            named = _section_weight(words)
            if named is None and not passages:
                passages.append(Passage(words, TITLE_WEIGHT))
            elif named is None:
                passages.append(Passage(words, _ASIDE_WEIGHT))
            weight = BODY_WEIGHT if named is None else named
        elif any(map(str.isalnum, line)) and not _CHECKBOX.match(line):
            passages.extend(Passage(part.strip(), weight) for part in _SENTENCE.split(line))
        if len(passages) >= MOST_PASSAGES:
            break
    return _with_title(passages[:MOST_PASSAGES])


def _with_title(passages: list[Passage]) -> list[Passage]:
    """Let the first passage of full weight be the title, where none was marked as such."""
    if any(passage.weight == TITLE_WEIGHT for passage in passages):
        return passages
    first = next((at for at, passage in enumerate(passages) if passage.weight == BODY_WEIGHT), None)
    if first is None:
        return passages
    title = Passage(passages[first].text, TITLE_WEIGHT)
    return [*passages[:first], title, *passages[first + 1 :]]


def _section_weight(heading: str) -> int | None:
    """Return what lines below `heading` count, or None where it is no heading of a form.

    >>> _section_weight("Steps to reproduce"), _section_weight("Feature Request"), _section_weight("Order book")
    (2, 6, None)
    """
    words = set(re.findall(r"[a-z]+", heading.lower())) - _FILLERS
    if not words or words <= _MAIN:
        return BODY_WEIGHT
    if words & _FORM:
        return _ASIDE_WEIGHT
    return BODY_WEIGHT // 2 if words & _HALF else None


_FILLERS = frozenset(
    "a an and any be for have how i if in is it of on or report s should the this to we you your user".split()
)


def _clean(body: str) -> str:
    """Take out what carries no request: comments, code, tracebacks, tags, links, ids, slash commands."""
    for pattern in (_COMMENT, _FENCE, _TRACEBACK, _URL, _TAG, _COMMAND, _ADW, _HEX, _NUMBER):
        body = pattern.sub(" ", body)
    return body


def _issue(raw: str) -> tuple[str, str]:
    """Return title and body where `raw` is an issue as JSON, after a slash command or bare; else ("", raw)."""
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
    head = _clean(title[:LONGEST_TEXT]).strip() if isinstance(title, str) else ""
    return head, (body if isinstance(body, str) else "")
