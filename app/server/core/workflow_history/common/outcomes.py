"""Classify how an agent run ended, from the facts of its stream. Never guesses from the answer's words."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from typing import Final

from .models import SESSION_FORMATS, Ending, ResultLine, StreamFacts, StreamFormat


class Outcome(StrEnum):
    """How an agent run ended."""

    SUCCESS = "success"
    ERROR = "error"
    FALSE_SUCCESS = "false_success"  # reported success, but no model was used
    STOPPED = "stopped"  # interrupted by the user
    INCOMPLETE = "incomplete"  # neither a result nor an error
    EMPTY = "empty"  # the stream contains nothing
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"  # stream of an unsupported agent program


FAILED_OUTCOMES: Final = (Outcome.ERROR, Outcome.FALSE_SUCCESS)

DID_NOTHING: Final = frozenset({Outcome.EMPTY, Outcome.FALSE_SUCCESS})
"""Outcomes of agents that produced no work; nothing that other agents need was lost with them."""

_MAX_HELPER_COST = Decimal("0.01")  # USD
_UNKNOWN_COMMAND = re.compile(r"unknown (?:skill|slash command|command)\b", re.IGNORECASE)
_REFUSAL = re.compile(
    r"(?:[\w' -]{0,40}(?:limit|cap) reached|api error\b|invalid api key|credit balance is too low"
    r"|oauth token\b|you(?:['\u2019]ve| have) (?:hit|reached|exceeded) (?:your|the)\b[\w'\u2019 -]{0,40}"
    r"\b(?:limit|cap|quota)\b"
    r"|(?:you(?:['\u2019]re| are)|your \w+ is) out of\b[\w' -]{0,20}\b(?:usage|credits?|quota)\b"
    r"|[\w' -]{0,40}(?:limit|quota) (?:was |has been |is )?exceeded\b|not logged in\b|please run /login)",
    re.IGNORECASE,
)
"""Beginning of the answer of a CLI that reached no model; some versions do not mark it as an error."""

_SUBTYPE_MESSAGES: Final = {
    "error_max_turns": "the maximum number of turns was reached",
    "error_max_budget_usd": "the maximum budget was reached",
    "error_max_structured_output_retries": "the maximum number of retries for structured output was reached",
    "error_during_execution": "an error occurred during execution",
}
"""Messages for the subtypes of results with an error and no text."""

_OUTCOME_BY_ENDING: Final = {Ending.STOPPED: Outcome.STOPPED, Ending.ERROR: Outcome.ERROR}
_OUTCOME_BY_FORMAT: Final = {
    StreamFormat.UNREAD: Outcome.UNREADABLE,
    StreamFormat.UNREADABLE: Outcome.UNREADABLE,
    StreamFormat.EMPTY: Outcome.EMPTY,
    StreamFormat.UNKNOWN: Outcome.UNKNOWN,
}
"""Outcomes of streams without any data."""


def classify_outcome(facts: StreamFacts) -> Outcome:
    """Return how the agent run of a stream ended.

    The last result line decides. A native transcript has none: its last line decides instead. A false
    success reports success without any work: the CLI did not recognize the command or never reached a model.
    It may still report a fraction of a cent, because a helper model was called.

    >>> classify_outcome(StreamFacts("a/raw_output.jsonl", StreamFormat.CLAUDE, "a", lines=3))
    <Outcome.INCOMPLETE: 'incomplete'>
    """
    if facts.format in _OUTCOME_BY_FORMAT:
        return _OUTCOME_BY_FORMAT[facts.format]
    if not facts.results:
        return _outcome_of_last_line(facts)
    return outcome_of_result(facts.results[-1])


def outcome_of_result(result: ResultLine) -> Outcome:
    """Return how a process ended, from its last result line."""
    if result.is_error or (result.subtype or "").startswith("error"):
        return Outcome.ERROR
    if not result.ended:
        return Outcome.INCOMPLETE
    text = result.text.strip()
    if not _used_no_model(result):
        return Outcome.SUCCESS
    if _REFUSAL.match(text):
        return Outcome.ERROR
    return Outcome.FALSE_SUCCESS if not text or _UNKNOWN_COMMAND.match(text) else Outcome.SUCCESS


def subtype_message(subtype: str | None) -> str | None:
    """Return the message for a result's subtype that ended the agent by itself; None if it gives no reason.

    >>> subtype_message("error_max_turns"), subtype_message("error_max_retries"), subtype_message("error")
    ('the maximum number of turns was reached', 'max retries', None)
    """
    if subtype is None or not subtype.startswith("error_"):
        return None
    return _SUBTYPE_MESSAGES.get(subtype) or subtype.removeprefix("error_").replace("_", " ").strip() or None


def has_answer(facts: StreamFacts) -> bool:
    """Return whether a stream ends with an answer of the agent."""
    return bool(facts.results[-1].text.strip()) if facts.results else facts.ending == Ending.ANSWERED


def _outcome_of_last_line(facts: StreamFacts) -> Outcome:
    if facts.is_truncated or facts.ending is None:
        return Outcome.INCOMPLETE
    if facts.ending == Ending.ANSWERED and facts.format in SESSION_FORMATS:
        return Outcome.SUCCESS
    return _OUTCOME_BY_ENDING.get(facts.ending, Outcome.INCOMPLETE)


def _used_no_model(result: ResultLine) -> bool:
    """Return whether no model answered: no tokens of the main thread, and at most a helper model's cost."""
    if result.total_cost == 0 and not result.models:
        return True
    if result.total_cost is not None and result.process is None:
        return not result.main_usage.total and result.total_cost < _MAX_HELPER_COST
    return not result.main_usage.total and not any(model.usage.total for model in result.models)
