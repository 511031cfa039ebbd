"""The sign beside each state and outcome: a word in, one character out; no colour says it alone. Pure."""

from __future__ import annotations

from typing import Any, Final

STATUS_SIGNS: Final = {
    "completed": "✓",
    "failed": "✗",
    "stopped": "■",
    "running": "●",
    "incomplete": "◐",
    "unknown": "?",
}
OUTCOME_SIGNS: Final = {
    "success": "✓",
    "error": "✗",
    "false_success": "✗",
    "stopped": "■",
    "incomplete": "◐",
    "empty": "○",
    "unreadable": "○",
}
OTHER_SIGN: Final = "·"


def status_sign(word: Any) -> str:
    """Return the sign of how a run stands.

    >>> status_sign("failed"), status_sign("paused"), status_sign(None)
    ('✗', '·', '?')
    """
    return STATUS_SIGNS.get(word or "unknown", OTHER_SIGN)


def outcome_sign(word: Any) -> str:
    """Return the sign of how an agent's work ended."""
    return OUTCOME_SIGNS.get(word, OTHER_SIGN)
