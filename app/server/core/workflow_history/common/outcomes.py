"""Classify how an agent run ended, from the facts of its stream. Never guesses from the answer's words."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from .models import ResultLine, StreamFacts

DID_NOTHING: Final = frozenset({"empty", "false_success"})
"""Outcomes of agents that produced no work; nothing that other agents need was lost with them."""

_MAX_HELPER_COST = Decimal("0.01")  # USD
_UNKNOWN_COMMAND = re.compile(r"unknown (?:skill|slash command|command)\b", re.IGNORECASE)
_REFUSAL = re.compile(
    r"(?:[\w' -]{0,40}limit reached|api error\b|invalid api key|credit balance is too low|oauth token\b)",
    re.IGNORECASE,
)
"""Beginning of the answer of a CLI that reached no model; some versions do not mark it as an error."""

_OUTCOME_BY_ENDING: Final = {"stopped": "stopped", "error": "error"}


def classify_outcome(facts: StreamFacts) -> str:
    """Return success, error, false_success, stopped, incomplete, empty, unreadable or unknown.

    The last result line decides. A native transcript has none: its last line decides instead. A false
    success reports success without any work: the CLI did not recognize the command or never reached a model.
    It may still report a fraction of a cent, because a helper model was called.

    >>> classify_outcome(StreamFacts("a/raw_output.jsonl", "claude", "a", lines=3))
    'incomplete'
    """
    if facts.format == "unread":
        return "unreadable"
    if facts.format in ("empty", "unreadable", "unknown"):
        return facts.format
    if not facts.results:
        return _outcome_of_last_line(facts)
    return _outcome_of_result(facts.results[-1])


def _outcome_of_result(result: ResultLine) -> str:
    if result.is_error or (result.subtype or "").startswith("error"):
        return "error"
    if not result.ended:
        return "incomplete"
    text = result.text.strip()
    if not _used_no_model(result):
        return "success"
    if _REFUSAL.match(text):
        return "error"
    return "false_success" if not text or _UNKNOWN_COMMAND.match(text) else "success"


def has_answer(facts: StreamFacts) -> bool:
    """Return whether a stream ends with an answer of the agent."""
    return bool(facts.results[-1].text.strip()) if facts.results else facts.ending == "answered"


def _outcome_of_last_line(facts: StreamFacts) -> str:
    if facts.is_truncated or facts.ending is None:
        return "incomplete"
    if facts.ending == "answered" and facts.format == "claude_transcript":
        return "success"
    return _OUTCOME_BY_ENDING.get(facts.ending, "incomplete")


def _used_no_model(result: ResultLine) -> bool:
    """Return whether no model answered: no tokens of the main thread, and at most a helper model's cost."""
    if result.total_cost == 0 and not result.models:
        return True
    if result.total_cost is not None and result.process is None:
        return not result.main_usage.total and result.total_cost < _MAX_HELPER_COST
    return not result.main_usage.total and not any(model.usage.total for model in result.models)
