"""Clean and validate the names, texts and status of a state file. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from unicodedata import category

from ...common.coercion import coerce_number

REQUEST_KEYS: Final = ("nl_input", "task_description", "prompt", "task", "user_request")
"""Keys of the request in a state file, the best one first."""

MAX_REQUEST: Final = 200_000  # characters; a longer request is cut
_LONGEST_WORD: Final = 10_000  # characters; a longer name, branch or path is cut
_LONGEST_STATUS: Final = 100  # characters; a longer status is cut
_SHOWN: Final = 200  # characters of a value quoted in a problem
_NAMES: Final = (
    "issue_number", "issue_class", "workflow_template", "model_used", "branch_name", "plan_file",
    "current_phase",
)  # fmt: skip
_STATED: Final = {
    "completed": "completed", "complete": "completed", "success": "completed", "succeeded": "completed",
    "successful": "completed", "done": "completed", "finished": "completed", "passed": "completed",
    "ok": "completed", "approved": "completed", "accepted": "completed", "merged": "completed",
    "shipped": "completed", "deployed": "completed", "released": "completed", "delivered": "completed",
    "resolved": "completed",
    "failed": "failed", "failure": "failed", "error": "failed", "errored": "failed", "aborted": "failed",
    "crashed": "failed", "killed": "failed", "timeout": "failed", "timed_out": "failed", "fail": "failed",
    "rejected": "failed", "unsuccessful": "failed",
    "running": "running", "in_progress": "running", "started": "running", "active": "running",
    "working": "running", "processing": "running", "ongoing": "running", "planning": "running",
    "building": "running", "implementing": "running", "testing": "running", "reviewing": "running",
    "patching": "running", "documenting": "running", "shipping": "running", "deploying": "running",
    "stopped": "stopped", "interrupted": "stopped", "cancelled": "stopped", "canceled": "stopped",
    "abandoned": "stopped",
    "incomplete": "incomplete",
}  # fmt: skip
"""Status of a run by the words that files use for it."""

_NO_END: Final = frozenset({
    "blocked", "built", "created", "documented", "draft", "implemented", "in_review", "initialized", "new",
    "on_hold", "open", "paused", "planned", "queued", "ready", "ready_for_review", "review", "reviewed",
    "scheduled", "tested", "todo", "waiting",
})  # fmt: skip
"""Common words for a run that has not ended: they are kept unchanged and not reported as problems."""

_UNKNOWN: Final = frozenset({
    "-", "n/a", "nan", "nil", "none", "null", "pending", "tbd", "undefined", "unknown", "\u2013",
})  # fmt: skip
"""Words that programs write for a missing value."""

_NO_QUOTES: Final = str.maketrans({"'": "`", '"': "`"})
_BREAK = re.compile(r"[^\S ]+")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs"})
_BLANKS: Final = "\u034f\u115f\u1160\u2800\u3164\uffa0"  # invisible letters and symbols


def visible(text: str) -> str:
    r"""Return a text on one line without invisible characters: control, zero-width and lone surrogates.

    >>> visible("  done\u200b\n"), visible("\x1b[31mfailed")
    ('done', '[31mfailed')
    """
    if not text.isprintable():
        text = "".join(letter for letter in _BREAK.sub(" ", text) if category(letter) not in _UNSEEN)
    return (text if text.isascii() else "".join(each for each in text if each not in _BLANKS)).strip()


def shows(text: str) -> bool:
    """Return whether a text has any visible character."""
    return any(not each.isspace() and category(each) not in _UNSEEN and each not in _BLANKS for each in text)


def word(value: Any) -> str | None:
    """Return a string or an integer as visible text; None for any other or an empty value."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    return visible(value[:_LONGEST_WORD]) or None if isinstance(value, str) else None


def status_word(state: dict[str, Any]) -> str | None:
    """Return a state file's own word for the status, at most 100 characters; None if it has none.

    >>> status_word({"status": " In progress\u200b "}), status_word({"status": 7})
    ('In progress', None)
    """
    given = state.get("status")
    said = visible(given[:_LONGEST_WORD]) if isinstance(given, str) else ""
    return said[:_LONGEST_STATUS].strip() or None


def stated_status(state: dict[str, Any]) -> str | None:
    """Return a state file's status, normalized if the word is recognized, else unchanged; None if missing.

    >>> stated_status({"status": "In progress"}), stated_status({"status": "on hold"})
    ('running', 'on hold')
    """
    given = status_word(state)
    return None if given is None else _STATED.get(_plain(given), given)


def _plain(status: str) -> str:
    return status.lower().replace(" ", "_").replace("-", "_")


def without_unknown(given: dict[str, Any]) -> dict[str, Any]:
    """Return a file's object with None for words that mean a missing value, also in its phases.

    >>> without_unknown({"branch_name": " None ", "phase_results": [{"phase": "plan", "error": "null"}]})
    {'branch_name': None, 'phase_results': [{'phase': 'plan', 'error': None}]}
    """
    known = {key: None if _is_unknown(value) else value for key, value in given.items()}
    if isinstance(phases := known.get("phase_results"), list):
        known["phase_results"] = [
            without_unknown(phase) if isinstance(phase, dict) and "phase_results" not in phase else phase
            for phase in phases
        ]
    return known


def _is_unknown(value: Any) -> bool:
    return isinstance(value, str) and len(value) < _SHOWN and visible(value).lower() in _UNKNOWN


def quoted(value: Any) -> str:
    """Return a value in quotes, with no other quotes inside, at most 200 characters; a number without quotes.

    >>> quoted(["a", 1])
    "'[`a`, 1]'"
    """
    if isinstance(value, int | float):
        return repr(value)
    shown = repr(value[: _SHOWN + 1])[1:-1] if isinstance(value, str) else repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    return "'" + shown.translate(_NO_QUOTES) + "'"


def odd_words(state: dict[str, Any]) -> Iterator[str]:
    """Yield a message for each value of a state that is not text, is too long or has invisible characters."""
    if (length := state.get("duration_seconds")) is not None and coerce_number(length) is None:
        yield f"duration_seconds is no length of time: {quoted(length)}"
    for key in ("status", *REQUEST_KEYS, *_NAMES):
        value = state.get(key)
        if value is None or value is False or (key in _NAMES and type(value) is int):
            continue
        if not isinstance(value, str):
            yield f"{key} is no text: {quoted(value)}"
        elif key in REQUEST_KEYS:
            if value.strip() and not shows(value):
                yield f"{key} shows nothing: {quoted(value)}"
            elif len(value) > MAX_REQUEST:
                yield f"{key} has {len(value):,} characters: the first {MAX_REQUEST:,} are taken"
        elif (read := word(value) if key in _NAMES else status_word(state)) != (
            value[:_LONGEST_WORD].strip() or None
        ):
            length = f" ({len(value):,} characters)" if len(value) > _SHOWN else ""
            yield f"{key} is read as {quoted(read or '')}: the state says {quoted(value)}{length}"
        elif key == "status" and read and not {_plain(read)} & (_STATED.keys() | _NO_END):
            yield f"status is no known word: {quoted(read)}; the run counts as neither completed nor failed"
