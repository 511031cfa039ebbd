"""Parse the title, text and number of an issue from a tracker's JSON. Pure.

GitHub, GitLab, Gitea, Jira, Linear, Azure DevOps, Bitbucket, YouTrack, Redmine, Shortcut, ClickUp, Asana and
Trello use different names for these three fields, some of them one or two objects deeper.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

_TITLE_KEYS: Final = ("title", "summary", "subject", "System.Title", "name")
_TEXT_KEYS: Final = (
    "body", "description", "text", "content", "System.Description", "notes", "desc", "details",
    "text_content", "description_stripped",
)  # fmt: skip
_NUMBER_KEYS: Final = (
    "identifier", "idReadable", "number", "iid", "key", "issue_number", "sequence_id", "idShort", "id", "gid",
)  # fmt: skip
_WRAPPER_KEYS: Final = (
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
_GENERIC_TITLE_KEYS: Final = ("name", "summary", "subject")
"""Title fields of other objects too: an issue also has a number, and a text or an object around it."""


class Issue(NamedTuple):
    """One issue of a tracker."""

    title: str
    text: str | None
    number: str | None  # number or key, such as "SHOP-7"


def issue_in(data: dict[str, Any]) -> Issue | None:
    """Return the issue that an object is or contains; None if there is none.

    >>> issue_in({"iid": 7, "title": "Add x", "description": "So that y"})
    Issue(title='Add x', text='So that y', number='7')
    >>> issue_in({"key": "SHOP-7", "fields": {"summary": "Add x"}}).number
    'SHOP-7'
    """
    for outer, inner in _candidates(data, 3):
        title, key = _first_text(inner, _TITLE_KEYS)
        if title is None:
            continue
        text = next((prose for name in _TEXT_KEYS if (prose := _plain_text(inner.get(name)))), None)
        number = _number(inner) or _number(outer)
        if key not in _GENERIC_TITLE_KEYS or (number and (text or inner is not data)):
            return Issue(title, text, number)
    return None


def _candidates(data: dict[str, Any], depth: int) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (outer, inner) pairs of an object and its nested objects that may be an issue."""
    yield data, data
    for name in _WRAPPER_KEYS if depth else ():
        if isinstance(inner := data.get(name), dict):
            yield from (
                (data if outer is nested else outer, nested)
                for outer, nested in _candidates(inner, depth - 1)
            )


def _first_text(data: dict[str, Any], names: Iterable[str]) -> tuple[str | None, str | None]:
    for name in names:
        value = data.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip(), name
    return None, None


def _number(data: dict[str, Any]) -> str | None:
    for name in _NUMBER_KEYS:
        value = data.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and 0 < len(value.strip()) <= 100:
            return value.strip()
    return None


def _plain_text(value: Any) -> str | None:
    """Return the text of a string, an object with a text field, or Jira's nested paragraphs; else None."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, dict):
        inner = value.get("raw") or value.get("text") or value.get("markdown")
        return inner.strip() or None if isinstance(inner, str) else _plain_text(value.get("content"))
    if isinstance(value, list):
        blocks = [text for item in value if (text := _plain_text(item))]
        inline = all(
            isinstance(item, dict) and item.get("type") in ("text", "mention", "emoji") for item in value
        )
        return ("" if inline else "\n").join(blocks) or None
    return None
