"""Derive how a Claude Code stream ends from its last line. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from ...common.models import Ending
from .claude_schema import Block, Line, Message

Ended = tuple[Ending, str]
"""Ending of a stream, and the error text; "" if it did not end with an error."""

ANSWERED: Final[Ended] = ("answered", "")
UNANSWERED: Final[Ended] = ("unanswered", "")
STOPPED: Final[Ended] = ("stopped", "")

_INTERRUPTED: Final = "[Request interrupted"
_INTERRUPTED_RAW: Final = b'"' + _INTERRUPTED.encode()
_SYNTHETIC: Final = "<synthetic>"
_NO_ANSWER_WANTED: Final = "No response requested"
_ENDS: Final = frozenset({None, "end_turn", "stop_sequence"})
"""Stop reasons of a complete answer; older versions wrote none.

With other stop reasons, an answer is incomplete (`max_tokens`, `model_context_window_exceeded`) or continues
(`pause_turn`).
"""

REFUSAL: Final = "refusal"
"""Stop reason of a model that refused to answer."""

_NOT_TYPED: Final = re.compile(r"\s*(?:<(?:command|local-command|bash|user-memory|system)-|Caveat: )")
"""Texts that Claude Code writes as the user: its own commands and their output."""

_LONGEST: Final = 2_000  # characters kept of an error


def ending_of(line: Line) -> Ended | None:
    """Return how a stream ends if this is its last line; None if the line before it decides."""
    if line.type == "system":
        return ("error", _message_of(line.error)) if line.subtype == "api_error" else None
    if not isinstance(line.message, Message) or line.isMeta or line.isCompactSummary:
        return None
    return _of_assistant(line, line.message) if line.type == "assistant" else _of_user(line.message)


def _of_assistant(line: Line, message: Message) -> Ended | None:
    if message.model == _SYNTHETIC or line.isApiErrorMessage:
        text = _texts(message)
        is_error = line.isApiErrorMessage or not text.startswith(_NO_ANSWER_WANTED)
        return ("error", text[:_LONGEST]) if is_error else None
    if message.stop_reason == REFUSAL:
        return "error", refused(_texts(message) or _explanation(message.stop_details))
    blocks = message.content
    if isinstance(blocks, list):
        last = blocks[-1] if blocks else None
        has_text = isinstance(last, str) or (isinstance(last, Block) and last.type == "text")
    else:
        has_text = bool(blocks)
    return ANSWERED if has_text and message.stop_reason in _ENDS else UNANSWERED


def refused(said: str) -> str:
    """Format the error text of a refusal.

    >>> refused(""), refused("I can't help with that.")
    ('the model refused to answer', "the model refused to answer: I can't help with that.")
    """
    return f"the model refused to answer: {said}"[:_LONGEST] if said else "the model refused to answer"


def _explanation(details: Any) -> str:
    said = details.get("explanation") if isinstance(details, dict) else None
    return said.strip() if isinstance(said, str) else ""


def _of_user(message: Message) -> Ended | None:
    content = message.content
    if isinstance(content, str):
        if content.startswith(_INTERRUPTED):
            return STOPPED
        return None if _NOT_TYPED.match(content) else UNANSWERED
    blocks = [block for block in content or () if isinstance(block, Block)]
    if any(_is_interrupted(block) for block in blocks):
        return STOPPED
    texts = [block for block in blocks if block.type == "text"]
    if texts and len(texts) == len(blocks) and all(_NOT_TYPED.match(_text(block)) for block in texts):
        return None
    return UNANSWERED


def _is_interrupted(block: Block) -> bool:
    said = block.text if block.type == "text" else block.content
    return bytes(memoryview(said)[: len(_INTERRUPTED_RAW)]) == _INTERRUPTED_RAW


def _texts(message: Message) -> str:
    if not isinstance(message.content, list):
        return (message.content or "").strip()
    return " ".join(
        block if isinstance(block, str) else _text(block) for block in message.content or ()
    ).strip()


def _text(block: Block) -> str:
    try:
        return msgspec.json.decode(block.text, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _message_of(error: Any) -> str:
    """Return the innermost message of an error given as text or as nested objects.

    >>> _message_of({"error": {"type": "error", "error": {"message": "Overloaded"}}})
    'Overloaded'
    """
    while isinstance(error, dict):
        error = next(
            (error[key] for key in ("error", "message", "formatted", "status") if error.get(key)), ""
        )
    return str(error).strip()[:_LONGEST]
