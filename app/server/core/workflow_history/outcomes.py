"""Tell how one agent's work ended: its stream's facts in, one word out. No guess from an answer's words."""

from __future__ import annotations

import re

from .models import StreamFacts

_UNKNOWN_COMMAND = re.compile(r"unknown (?:skill|slash command|command)\b", re.IGNORECASE)


def outcome_of(facts: StreamFacts) -> str:
    """Return success, error, false_success, incomplete, empty or unreadable; the last result decides.

    A false success says that all is well, costs nothing and did nothing: the CLI did not know the
    command, or never reached a model.

    >>> outcome_of(StreamFacts("a/raw_output.jsonl", "claude", "a", lines=3))
    'incomplete'
    """
    if facts.format == "unread":
        return "unreadable"
    if facts.format in ("empty", "unreadable"):
        return facts.format
    if not facts.results:
        # A native transcript has no result line; its last message says that the turn is over.
        ended = facts.format == "claude_transcript" and facts.messages and facts.messages[-1].final
        return "success" if ended else "incomplete"
    last = facts.results[-1]
    if last.is_error or (last.subtype or "").startswith("error"):
        return "error"
    text = last.text.strip()
    said_nothing = not text or _UNKNOWN_COMMAND.match(text)
    return "false_success" if last.total_cost == 0 and not last.models and said_nothing else "success"
