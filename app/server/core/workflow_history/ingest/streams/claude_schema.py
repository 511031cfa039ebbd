"""Schema of Claude Code's stream lines, and functions that decode their fields. Unused fields are skipped.

Two formats share the schema: Claude Code's `--output-format stream-json`, and its native transcripts, whose
lines have `sessionId`, a timestamp and final usage.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from ...common.plausible_dates import is_possible, read_moment

TIME_UNREADABLE = "timestamp cannot be read as a time with its zone"
TIME_IMPOSSIBLE = "timestamp is before 2000 or after 2099"
"""First words of problems with a line's timestamp."""


class LineUnreadableError(ValueError):
    """A line cannot be used; the message is the reason."""


class CacheCreation(msgspec.Struct):
    """Cache write tokens by cache lifetime."""

    ephemeral_5m_input_tokens: int | float | None = None
    ephemeral_1h_input_tokens: int | float | None = None


class ServerToolUse(msgspec.Struct):
    """Number of requests to server-side tools."""

    web_search_requests: int | float | None = None


class Usage(msgspec.Struct):
    """Token counts as reported by Anthropic's API; input tokens exclude cache tokens."""

    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    cache_read_input_tokens: int | float | None = None
    cache_creation_input_tokens: int | float | None = None
    cache_creation: CacheCreation | None = None
    server_tool_use: ServerToolUse | None = None
    speed: Any = None
    inference_geo: Any = None
    service_tier: Any = None
    iterations: Any = None  # API requests of one message


class ModelEntry(msgspec.Struct):
    """Usage and cost of one model in a result's modelUsage."""

    inputTokens: int | float | None = None  # noqa: N815 - the stream's own spelling
    outputTokens: int | float | None = None  # noqa: N815
    cacheReadInputTokens: int | float | None = None  # noqa: N815
    cacheCreationInputTokens: int | float | None = None  # noqa: N815
    webSearchRequests: int | float | None = None  # noqa: N815
    costUSD: int | float | None = None  # noqa: N815


class Block(msgspec.Struct):
    """One block of a message's content; fields that may be long stay raw until they are needed."""

    type: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    tool_use_id: str | None = None
    is_error: bool | None = None
    text: msgspec.Raw = msgspec.Raw()
    content: msgspec.Raw = msgspec.Raw()


class Message(msgspec.Struct):
    """An assistant's or user's message."""

    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_details: Any = None
    usage: Usage | None = None
    content: list[Block | str] | str | None = None


class Line(msgspec.Struct):
    """One line of a stream, of any type."""

    type: str | None = None
    subtype: str | None = None
    session_id: str | None = None
    sessionId: str | None = None  # noqa: N815 - the transcript's own spelling
    uuid: str | None = None
    timestamp: Any = None
    model: str | None = None
    message: Message | str | None = None
    total_cost_usd: int | float | None = None
    usage: Usage | None = None
    modelUsage: dict[str, ModelEntry] | None = None  # noqa: N815
    duration_ms: int | float | None = None
    duration_api_ms: int | float | None = None
    num_turns: int | float | None = None
    is_error: bool | None = None
    result: Any = None
    structured_output: Any = None
    stop_reason: Any = None
    errors: Any = None
    permission_denials: list[msgspec.Raw] | None = None
    agentId: Any = None  # noqa: N815 - the transcript's own spelling
    isSidechain: Any = None  # noqa: N815 - true on a subagent's lines of a transcript
    forkedFrom: Any = None  # noqa: N815 - set on lines copied from the parent session's transcript
    sessionKind: Any = None  # noqa: N815 - bg on all lines of a background session, also on replayed ones
    isMeta: Any = None  # noqa: N815 - true if the program wrote the line, not the user
    isCompactSummary: Any = None  # noqa: N815
    isApiErrorMessage: Any = None  # noqa: N815
    error: Any = None
    toolUseResult: msgspec.Raw = msgspec.Raw()  # noqa: N815
    cwd: Any = None
    gitBranch: Any = None  # noqa: N815
    entrypoint: Any = None  # the program that started the session: cli, sdk-py, claude-vscode ...
    aiTitle: Any = None  # noqa: N815
    customTitle: Any = None  # noqa: N815
    summary: Any = None
    prNumber: Any = None  # noqa: N815
    prUrl: Any = None  # noqa: N815
    prRepository: Any = None  # noqa: N815


class SubagentResult(msgspec.Struct):
    """Metadata of a subagent's answer in a transcript."""

    agentId: str | None = None  # noqa: N815
    totalTokens: int | None = None  # noqa: N815
    usage: Any = None


class TypeOnly(msgspec.Struct):
    """The type field of a line, without its other fields."""

    type: Any = None


class ToolInput(msgspec.Struct):
    """Fields of a tool call's input that describe the call."""

    command: Any = None
    file_path: Any = None
    filePath: Any = None  # noqa: N815 - as opencode has it
    absolute_path: Any = None
    path: Any = None
    notebook_path: Any = None
    pattern: Any = None
    skill: Any = None
    url: Any = None
    query: Any = None


_LINE_DECODER = msgspec.json.Decoder(Line)
_TYPE_DECODER = msgspec.json.Decoder(TypeOnly)
_INPUT_DECODER = msgspec.json.Decoder(ToolInput)
_INPUT_FIELDS = (
    "command", "file_path", "filePath", "absolute_path", "notebook_path", "skill", "path", "pattern", "url",
    "query",
)  # fmt: skip


def decode_line(raw: bytes, types: frozenset[str]) -> Line | None:
    """Decode a line; return None if it is valid but its type is not in `types`.

    Raises LineUnreadableError with the reason if the line is damaged.
    """
    try:
        line = _LINE_DECODER.decode(raw)
    except msgspec.ValidationError as error:
        if _has_type_in(raw, types):
            raise LineUnreadableError(str(error)) from None
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if raw.isascii() and b"\\u" not in raw:  # the standard library couldn't decode it either
            raise LineUnreadableError(str(error)) from None
        line = _decode_tolerantly(raw, str(error))
    return line if line.type in types else None


def _has_type_in(raw: bytes, types: frozenset[str]) -> bool:
    """Return whether an invalid field matters: not if the line's type is not in `types`."""
    try:
        kind = _TYPE_DECODER.decode(raw).type
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True
    return not isinstance(kind, str) or kind in types


def _decode_tolerantly(raw: bytes, reason: str) -> Line:
    """Decode with the standard library: cut tool outputs contain lone surrogates or invalid UTF-8."""
    try:
        return _LINE_DECODER.decode(normalize_json(raw))
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise LineUnreadableError(reason) from None


def normalize_json(raw: bytes) -> bytes:
    """Convert JSON that only the standard library's tolerant decoder accepts into strict JSON.

    Raises ValueError or RecursionError if it is not JSON.
    """
    value = json.loads(raw.decode("utf-8", "replace"))
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def tool_detail(raw: msgspec.Raw, limit: int = 4000) -> str | None:
    """Return the main argument of a tool call (command, path, skill, pattern, URL or query), or None."""
    try:
        fields = _INPUT_DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    for name in _INPUT_FIELDS:
        value = getattr(fields, name)
        if isinstance(value, str) and value:
            return value[:limit]
    return None


def parse_timestamp(value: Any) -> datetime | None:
    """Parse a line's timestamp into an aware UTC time; None if it is invalid or has no time zone.

    A time at which no run can have been made (before 2000 or after 2099) is also invalid.
    """
    when = read_moment(value)
    return when.astimezone(UTC) if when is not None and when.tzinfo and is_possible(when) else None


def parse_duration(value: float | None) -> float | None:
    """Return a duration as a float, in its own unit; None if it is 0, negative or absurdly long.

    >>> parse_duration(1500), parse_duration(0), parse_duration(2**63)
    (1500.0, None, None)
    """
    return float(value) if value is not None and 0 < value < 1e12 else None


def error_text(error: Any, depth: int = 4) -> str | None:
    """Return the message of an error given as text, object, JSON in text, or a list of these; None if empty.

    >>> error_text({"type": "Error", "message": "quota exhausted"})
    'quota exhausted'
    >>> error_text(["a", {"error": {"message": "b"}}])
    'a; b'
    """
    if isinstance(error, str):
        message = error.strip()
        inner = _parse_json(message) if depth and message[:1] in ("{", "[") else None
        return (error_text(inner, depth - 1) if inner else None) or message or None
    if isinstance(error, list):
        messages = [text for part in error[:20] if depth and (text := error_text(part, depth - 1))]
        return "; ".join(messages) or None
    if not isinstance(error, dict):
        return None if error is None or isinstance(error, bool) else str(error)
    for key in ("message", "error", "detail", "errors", "data", "reason", "type", "name", "code"):
        if depth and (text := error_text(error.get(key), depth - 1)):
            return text
    return None


def answer_text(answer: Any) -> str:
    """Return an answer as text: a string unchanged, None and empty values as "", other values as JSON.

    >>> answer_text({"a": 1}), answer_text(0), answer_text([]), answer_text(None)
    ('{"a":1}', '0', '', '')
    """
    if isinstance(answer, str):
        return answer
    is_empty = answer is None or answer in ({}, [])
    return "" if is_empty else json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def parse_usd(value: float | None) -> Decimal | None:
    """Return US dollars as a Decimal with the line's own digits; None stays None (unknown).

    Raises LineUnreadableError for a negative, non-finite or absurdly high amount.

    >>> parse_usd(0.1)
    Decimal('0.1')
    """
    if value is None:
        return None
    if not 0 <= value < 1e9:
        raise LineUnreadableError(f"a cost is {value}")
    return Decimal(str(value))


def time_from_ms(value: float | None) -> datetime | None:
    """Convert milliseconds since 1970 to an aware UTC time; None if that is not a possible time of a run."""
    try:
        when = datetime.fromtimestamp(value / 1000, UTC) if value is not None and value > 0 else None
    except (OverflowError, OSError, ValueError):
        return None
    return when if when is not None and is_possible(when) else None


def parse_count(value: float | None) -> int:
    """Return a token count as an int; null and missing count as 0.

    Raises LineUnreadableError for a number that is negative, non-finite or 2**53 and above.

    >>> parse_count(None), parse_count(12.0)
    (0, 12)
    """
    if not value:
        return 0
    if not 0 <= value < 2**53:
        raise LineUnreadableError(f"a token count is {value}")
    return int(value)
