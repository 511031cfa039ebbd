"""Parse the title, text and number of an issue from a tracker's JSON. Pure.

GitHub, GitLab, Gitea, Jira, Linear, Azure DevOps, Bitbucket, YouTrack, Redmine, Shortcut, ClickUp, Asana and
Trello use different names for these three fields, some of them one or two objects deeper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

_TITLES: Final = ("title", "summary", "subject", "System.Title", "name")
_TEXTS: Final = (
    "body", "description", "text", "content", "System.Description", "notes", "desc", "details",
    "text_content", "description_stripped",
)  # fmt: skip
_NUMBERS: Final = (
    "identifier", "idReadable", "number", "iid", "key", "issue_number", "sequence_id", "idShort", "id", "gid",
)  # fmt: skip
_AROUND: Final = (
    "issue",
    "fields",
    "data",
    "ticket",
    "task",
    "story",
    "work_item",
    "workItem",
    "object_attributes",
)
_NAMELESS: Final = ("name", "summary", "subject")
"""Title fields of other objects too: an issue also has a number, and a text or an object around it."""


class Issue(NamedTuple):
    """One issue of a tracker."""

    title: str
    text: str | None
    number: str | None  # number or key, such as "SHOP-7"


def issue_in(given: dict[str, Any]) -> Issue | None:
    """Return the issue that an object is or contains; None if there is none.

    >>> issue_in({"iid": 7, "title": "Add x", "description": "So that y"})
    Issue(title='Add x', text='So that y', number='7')
    >>> issue_in({"key": "SHOP-7", "fields": {"summary": "Add x"}}).number
    'SHOP-7'
    """
    for outer, inner in _layers(given, 3):
        title, key = _first(inner, _TITLES)
        if title is None:
            continue
        text = next((found for name in _TEXTS if (found := _prose(inner.get(name)))), None)
        number = _number(inner) or _number(outer)
        if key not in _NAMELESS or (number and (text or inner is not given)):
            return Issue(title, text, number)
    return None


def _layers(given: dict[str, Any], deep: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (outer, inner) pairs of an object and its nested objects that may be an issue."""
    yield given, given
    for name in _AROUND if deep else ():
        if isinstance(inner := given.get(name), dict):
            yield from (
                (given if outer is found else outer, found) for outer, found in _layers(inner, deep - 1)
            )


def _first(given: dict[str, Any], names: Iterable[str]) -> tuple[str | None, str | None]:
    for name in names:
        value = given.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip(), name
    return None, None


def _number(given: dict[str, Any]) -> str | None:
    for name in _NUMBERS:
        value = given.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and 0 < len(value.strip()) <= 100:
            return value.strip()
    return None


def _prose(value: Any) -> str | None:
    """Return the text of a string, an object with a text field, or Jira's nested paragraphs; else None."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, dict):
        inner = value.get("raw") or value.get("text") or value.get("markdown")
        return inner.strip() or None if isinstance(inner, str) else _prose(value.get("content"))
    if isinstance(value, list):
        blocks = [text for item in value if (text := _prose(item))]
        inline = all(
            isinstance(item, dict) and item.get("type") in ("text", "mention", "emoji") for item in value
        )
        return ("" if inline else "\n").join(blocks) or None
    return None
