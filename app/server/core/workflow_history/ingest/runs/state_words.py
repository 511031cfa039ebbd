"""Clean and validate the names, texts and status of a state file. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final
from unicodedata import category

from ...common.coercion import coerce_number
from ...common.models import RunStatus

REQUEST_KEYS: Final = ("nl_input", "task_description", "prompt", "task", "user_request")
"""Keys of the request in a state file, the best one first."""

MAX_REQUEST: Final = 200_000  # characters; a longer request is cut
_MAX_WORD: Final = 10_000  # characters; a longer name, branch or path is cut
_MAX_STATUS: Final = 100  # characters; a longer status is cut
MAX_QUOTED: Final = 200  # characters of a value quoted in a problem
_NAME_KEYS: Final = (
    "issue_number", "issue_class", "workflow_template", "model_used", "branch_name", "plan_file",
    "current_phase",
)  # fmt: skip
_STATUS_BY_WORD: Final = {
    word: status
    for status, words in {
        RunStatus.COMPLETED: (
            "completed complete success succeeded successful done finished passed ok approved accepted "
            "merged shipped deployed released delivered resolved"
        ),
        RunStatus.FAILED: (
            "failed failure error errored aborted crashed killed timeout timed_out fail rejected unsuccessful"
        ),
        RunStatus.RUNNING: (
            "running in_progress started active working processing ongoing planning building implementing "
            "testing reviewing patching documenting shipping deploying"
        ),
        RunStatus.STOPPED: "stopped interrupted cancelled canceled abandoned",
        RunStatus.INCOMPLETE: "incomplete",
    }.items()
    for word in words.split()
}
"""Status of a run by the words that files use for it."""

_UNFINISHED_WORDS: Final = frozenset({
    "blocked", "built", "created", "documented", "draft", "implemented", "in_review", "initialized", "new",
    "on_hold", "open", "paused", "planned", "queued", "ready", "ready_for_review", "review", "reviewed",
    "scheduled", "tested", "todo", "waiting",
})  # fmt: skip
"""Common words for a run that has not ended: they are kept unchanged and not reported as problems."""

_MISSING_WORDS: Final = frozenset({
    "-", "n/a", "nan", "nil", "none", "null", "pending", "tbd", "undefined", "unknown", "\u2013",
})  # fmt: skip
"""Words that programs write for a missing value."""

_NO_QUOTES: Final = str.maketrans({"'": "`", '"': "`"})
_BREAKS = re.compile(r"[^\S ]+")
_INVISIBLE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs"})
_INVISIBLE_LETTERS: Final = "\u034f\u115f\u1160\u2800\u3164\uffa0"  # invisible letters and symbols


def strip_invisible(text: str) -> str:
    r"""Return a text on one line without invisible characters: control, zero-width and lone surrogates.

    >>> strip_invisible("  done\u200b\n"), strip_invisible("\x1b[31mfailed")
    ('done', '[31mfailed')
    """
    if not text.isprintable():
        text = "".join(char for char in _BREAKS.sub(" ", text) if category(char) not in _INVISIBLE_CATEGORIES)
    if not text.isascii():
        text = "".join(char for char in text if char not in _INVISIBLE_LETTERS)
    return text.strip()


def has_visible_text(text: str) -> bool:
    """Return whether a text has any visible character."""
    return any(
        not char.isspace() and category(char) not in _INVISIBLE_CATEGORIES and char not in _INVISIBLE_LETTERS
        for char in text
    )


def clean_text(value: Any) -> str | None:
    """Return a string or an integer as visible text; None for any other or an empty value."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    return strip_invisible(value[:_MAX_WORD]) or None if isinstance(value, str) else None


def status_word(state: dict[str, Any]) -> str | None:
    """Return a state file's own word for the status, at most 100 characters; None if it has none.

    >>> status_word({"status": " In progress\u200b "}), status_word({"status": 7})
    ('In progress', None)
    """
    stated = state.get("status")
    text = strip_invisible(stated[:_MAX_WORD]) if isinstance(stated, str) else ""
    return text[:_MAX_STATUS].strip() or None


def stated_status(state: dict[str, Any]) -> RunStatus | str | None:
    """Return a state file's status, normalized if the word is recognized, else unchanged; None if missing.

    >>> stated_status({"status": "In progress"}), stated_status({"status": "on hold"})
    (<RunStatus.RUNNING: 'running'>, 'on hold')
    """
    stated = status_word(state)
    return None if stated is None else _STATUS_BY_WORD.get(_normalize_status(stated), stated)


def _normalize_status(status: str) -> str:
    return status.lower().replace(" ", "_").replace("-", "_")


def missing_to_none(data: dict[str, Any]) -> dict[str, Any]:
    """Return a file's object with None for words that mean a missing value, also in its phases.

    >>> missing_to_none({"branch_name": " None ", "phase_results": [{"phase": "plan", "error": "null"}]})
    {'branch_name': None, 'phase_results': [{'phase': 'plan', 'error': None}]}
    """
    cleaned = {key: None if _means_missing(value) else value for key, value in data.items()}
    if isinstance(phases := cleaned.get("phase_results"), list):
        cleaned["phase_results"] = [
            missing_to_none(phase) if isinstance(phase, dict) and "phase_results" not in phase else phase
            for phase in phases
        ]
    return cleaned


def _means_missing(value: Any) -> bool:
    return (
        isinstance(value, str)
        and len(value) < MAX_QUOTED
        and strip_invisible(value).lower() in _MISSING_WORDS
    )


def quote_value(value: Any) -> str:
    """Return a value in quotes, with no other quotes inside, at most 200 characters; a number without quotes.

    >>> quote_value(["a", 1])
    "'[`a`, 1]'"
    """
    if isinstance(value, int | float):
        return repr(value)
    text = repr(value[: MAX_QUOTED + 1])[1:-1] if isinstance(value, str) else repr(value)
    text = text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"
    return "'" + text.translate(_NO_QUOTES) + "'"


def field_problems(state: dict[str, Any]) -> Iterator[str]:
    """Yield a message for each value of a state that is not text, is too long or has invisible characters."""
    if (length := state.get("duration_seconds")) is not None and coerce_number(length) is None:
        yield f"duration_seconds is not a duration: {quote_value(length)}"
    for key in ("status", *REQUEST_KEYS, *_NAME_KEYS):
        value = state.get(key)
        if value is None or value is False or (key in _NAME_KEYS and type(value) is int):
            continue
        if not isinstance(value, str):
            yield f"{key} is not text: {quote_value(value)}"
        elif key in REQUEST_KEYS:
            if value.strip() and not has_visible_text(value):
                yield f"{key} shows nothing: {quote_value(value)}"
            elif len(value) > MAX_REQUEST:
                yield f"{key} has {len(value):,} characters: the first {MAX_REQUEST:,} are taken"
        elif (cleaned := clean_text(value) if key in _NAME_KEYS else status_word(state)) != (
            value[:_MAX_WORD].strip() or None
        ):
            length = f" ({len(value):,} characters)" if len(value) > MAX_QUOTED else ""
            text = quote_value(cleaned or "")
            yield f"{key} is read as {text}: the state says {quote_value(value)}{length}"
        elif key == "status" and cleaned and not _is_known_status(cleaned):
            text = quote_value(cleaned)
            yield f"status is not a known word: {text}; the run counts as neither completed nor failed"


def _is_known_status(status: str) -> bool:
    normalized = _normalize_status(status)
    return normalized in _STATUS_BY_WORD or normalized in _UNFINISHED_WORDS
