"""Derive how a Claude Code stream ends from its last line. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from ...common.models import Ending
from .claude_schema import Block, Line, Message

StreamEnding = tuple[Ending, str]
"""Ending of a stream, and the error text; "" if it did not end with an error."""

ANSWERED: Final[StreamEnding] = (Ending.ANSWERED, "")
UNANSWERED: Final[StreamEnding] = (Ending.UNANSWERED, "")
STOPPED: Final[StreamEnding] = (Ending.STOPPED, "")

_INTERRUPTED: Final = "[Request interrupted"
_INTERRUPTED_RAW: Final = b'"' + _INTERRUPTED.encode()
SYNTHETIC: Final = "<synthetic>"
"""Model name of messages that Claude Code writes itself."""

_NO_ANSWER_REQUESTED: Final = "No response requested"
_FINAL_STOP_REASONS: Final = frozenset({None, "end_turn", "stop_sequence"})
"""Stop reasons of a complete answer; older versions wrote none.

With other stop reasons, an answer is incomplete (`max_tokens`, `model_context_window_exceeded`) or continues
(`pause_turn`).
"""

REFUSAL: Final = "refusal"
"""Stop reason of a model that refused to answer."""

_PROGRAM_TEXT: Final = re.compile(r"\s*(?:<(?:command|local-command|bash|user-memory|system)-|Caveat: )")
"""Texts that Claude Code writes as the user: its own commands and their output."""

_MAX_ERROR_CHARS: Final = 2_000  # characters kept of an error


def ending_of(line: Line) -> StreamEnding | None:
    """Return how a stream ends if this is its last line; None if the line before it decides."""
    if line.type == "system":
        return (Ending.ERROR, _innermost_message(line.error)) if line.subtype == "api_error" else None
    if not isinstance(line.message, Message) or line.isMeta or line.isCompactSummary:
        return None
    return _assistant_ending(line, line.message) if line.type == "assistant" else _user_ending(line.message)


def _assistant_ending(line: Line, message: Message) -> StreamEnding | None:
    if message.model == SYNTHETIC or line.isApiErrorMessage:
        text = _joined_text(message)
        is_error = line.isApiErrorMessage or not text.startswith(_NO_ANSWER_REQUESTED)
        return (Ending.ERROR, text[:_MAX_ERROR_CHARS]) if is_error else None
    if message.stop_reason == REFUSAL:
        details = message.stop_details if isinstance(message.stop_details, dict) else {}
        explanation = details.get("explanation")
        reason = explanation.strip() if isinstance(explanation, str) else ""
        return Ending.ERROR, refusal_text(_joined_text(message) or reason)
    blocks = message.content
    if isinstance(blocks, list):
        last = blocks[-1] if blocks else None
        has_text = isinstance(last, str) or (isinstance(last, Block) and last.type == "text")
    else:
        has_text = bool(blocks)
    return ANSWERED if has_text and message.stop_reason in _FINAL_STOP_REASONS else UNANSWERED


def refusal_text(answer: str) -> str:
    """Format the error text of a refusal.

    >>> refusal_text(""), refusal_text("I can't help with that.")
    ('the model refused to answer', "the model refused to answer: I can't help with that.")
    """
    return (
        f"the model refused to answer: {answer}"[:_MAX_ERROR_CHARS]
        if answer
        else "the model refused to answer"
    )


def _user_ending(message: Message) -> StreamEnding | None:
    content = message.content
    if isinstance(content, str):
        if content.startswith(_INTERRUPTED):
            return STOPPED
        return None if _PROGRAM_TEXT.match(content) else UNANSWERED
    blocks = [block for block in content or () if isinstance(block, Block)]
    contents = (block.text if block.type == "text" else block.content for block in blocks)
    if any(bytes(memoryview(raw)[: len(_INTERRUPTED_RAW)]) == _INTERRUPTED_RAW for raw in contents):
        return STOPPED
    texts = [block for block in blocks if block.type == "text"]
    if (
        texts
        and len(texts) == len(blocks)
        and all(_PROGRAM_TEXT.match(_decode_text(block)) for block in texts)
    ):
        return None
    return UNANSWERED


def _joined_text(message: Message) -> str:
    if not isinstance(message.content, list):
        return (message.content or "").strip()
    return " ".join(
        block if isinstance(block, str) else _decode_text(block) for block in message.content or ()
    ).strip()


def _decode_text(block: Block) -> str:
    try:
        return msgspec.json.decode(block.text, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _innermost_message(error: Any) -> str:
    """Return the innermost message of an error given as text or as nested objects.

    >>> _innermost_message({"error": {"type": "error", "error": {"message": "Overloaded"}}})
    'Overloaded'
    """
    while isinstance(error, dict):
        error = next(
            (error[key] for key in ("error", "message", "formatted", "status") if error.get(key)), ""
        )
    return str(error).strip()[:_MAX_ERROR_CHARS]
