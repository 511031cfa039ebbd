"""Detect which CLI wrote a stream, from the first line or object that identifies its dialect."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from .claude_schema import normalize_json

Dialect = Literal[
    "claude", "gemini", "gemini_chat", "codex", "codex_session", "cursor", "opencode", "opencode_session",
    "copilot_session",
]  # fmt: skip

_TYPES = (
    "system", "assistant", "user", "result", "init", "message", "tool_use", "tool_result", "tool_call",
    "thinking", "step_start", "step_finish", "text", "reasoning", "gemini",
    "session_meta", "turn_context", "event_msg", "response_item", "session.start", "session.shutdown",
)  # fmt: skip
_CODEX_TYPE_PREFIXES = ("thread.", "turn.", "item.")  # prefixes of Codex's types
_STORE_TYPE_PREFIX = "opencode."  # prefix of the types of a session in opencode's store
_DIALECT_TYPE = re.compile(
    rb'"type"\s*+:\s*+"(?:(?:%s)"|%s)|"projectHash"\s*+:\s*+"'
    % (
        "|".join(map(re.escape, _TYPES)).encode(),
        "|".join(map(re.escape, (*_CODEX_TYPE_PREFIXES, _STORE_TYPE_PREFIX))).encode(),
    )
)
"""Matches every line that can identify a dialect, and lines that quote one."""

_NON_BLANK = re.compile(rb"\S")
_OBJECT_LINE = re.compile(rb"^[ \t\r]*+\{", re.MULTILINE)
_CLAUDE_JSON_START = re.compile(
    rb'\s*+(?:\[\s*+)?+\{\s*+"type"\s*+:\s*+"(?:system|result)"\s*+,\s*+"subtype"'
)
_MAX_JSON_CHECKS = 200  # lines parsed only to check whether the file is JSON


class _Traits(msgspec.Struct):
    """Fields that distinguish the dialects."""

    type: Any = None
    subtype: Any = None
    session_id: Any = None
    sessionId: Any = None  # noqa: N815 - the transcript's own spelling
    message: Any = None
    stats: Any = None
    usage: Any = None
    modelUsage: Any = None  # noqa: N815
    total_cost_usd: Any = None
    uuid: Any = None
    parent_tool_use_id: Any = msgspec.UNSET
    tools: Any = None
    apiKeySource: Any = None  # noqa: N815
    call_id: Any = None
    timestamp_ms: Any = None
    sessionID: Any = None  # noqa: N815
    part: Any = None
    model: Any = None
    role: Any = None
    tool_name: Any = None
    tool_id: Any = None
    thread_id: Any = None
    conversation_id: Any = None
    projectHash: Any = None  # noqa: N815
    tokens: Any = None
    timestamp: Any = None
    payload: Any = None
    data: Any = None


_BOOKKEEPING_TYPES = frozenset({
    "summary", "progress", "attachment", "queue-operation", "file-history-snapshot", "ai-title", "tag",
    "last-prompt", "pr-link", "mode", "permission-mode", "custom-title", "agent-name",
})  # fmt: skip
"""Types of lines in a native Claude transcript that record nothing of an agent's work."""

_TRAITS_DECODER = msgspec.json.Decoder(_Traits)


class Sniffer:
    r"""Detector of a file's dialect, fed block by block until a line identifies it.

    Any number of other lines may come first. Only lines that may identify a dialect are parsed.

    >>> Sniffer().detect(b'Loaded cached credentials.\n{"type": "init", "session_id": "s", "model": "m"}\n')
    'gemini'
    >>> Sniffer().detect(b'{"operation": "read", "file_path": "x"}\n') is None
    True
    """

    def __init__(self) -> None:
        self.lines = 0
        self.is_cut = False  # the last line has no line feed
        self.is_object_cut = False  # an object begins in the last line
        self.is_empty = True
        self.is_json = False  # at least one line is a JSON object
        self.is_like_claude = False  # a line has the shape of Claude Code's lines, and no mark of another CLI
        self.has_session_event = False  # a line is an event of any agent's session, of a known dialect or not
        self._json_checks = 0

    def detect(self, block: bytes) -> Dialect | None:
        """Return the dialect that a line of this block identifies, or None; attributes cover all blocks."""
        self.is_cut = bool(block) and not block.endswith(b"\n")
        self.is_object_cut = b"{" in block[block.rfind(b"\n") + 1 :]
        self.lines += block.count(b"\n") + self.is_cut
        if self.is_empty and _NON_BLANK.search(block):
            self.is_empty = False
        position = 0
        while match := _DIALECT_TYPE.search(block, position):
            start = block.rfind(b"\n", position, match.start()) + 1 or position
            position = _line_end(block, match.end())
            if (traits := _decode_traits(block[start:position])) is not None:
                self.is_json = True
                if dialect := _dialect_of(traits):
                    return dialect
                self.is_like_claude = self.is_like_claude or _is_like_claude(traits)
                self.has_session_event = self.has_session_event or _is_session_event(traits)
        self._check_json(block)
        return None

    def _check_json(self, block: bytes) -> None:
        position = 0
        while (
            not self.has_session_event
            and self._json_checks < _MAX_JSON_CHECKS
            and (match := _OBJECT_LINE.search(block, position))
        ):
            self._json_checks += 1
            position = _line_end(block, match.end())
            if (traits := _decode_traits(block[match.start() : position])) is not None:
                self.is_json = True
                self.has_session_event = _is_session_event(traits)


def record_dialect(record: bytes) -> Dialect | None:
    """Return the dialect that one record of a stream identifies, or None."""
    traits = _decode_traits(record)
    return _dialect_of(traits) if traits else None


def element_dialect(element: bytes) -> Dialect | None:
    """Return the dialect that one object of a `.json` file identifies, or None.

    Many `.json` files are not streams, so this takes more evidence than in a JSONL file: other programs'
    conversations also have elements of the types user and message.

    >>> element_dialect(b'{"type": "user", "message": "Hello"}') is None
    True
    """
    traits = _decode_traits(element)
    dialect = _dialect_of(traits) if traits else None
    if traits is None or dialect is None:
        return None
    if dialect == "claude":
        has_session = traits.session_id or traits.sessionId or isinstance(traits.message, dict)
        return dialect if has_session or traits.type == "result" else None
    return dialect if dialect == "codex" or traits.type in ("init", "result") else None


def is_result(element: bytes) -> bool:
    """Return whether an object of a `.json` file is the result that ends a stream."""
    traits = _decode_traits(element)
    return traits is not None and traits.type == "result" and _dialect_of(traits) is not None


def may_contain_stream(start: bytes) -> bool:
    """Return whether the first bytes of a `.json` file may contain an object of a stream."""
    return start.lstrip()[:1] in (b"[", b"{") and _DIALECT_TYPE.search(start) is not None


def contains_stream(start: bytes) -> bool:
    r"""Return whether the first bytes of a file contain a line of an agent CLI, of a known dialect or not.

    >>> contains_stream(b'{"type": "thread.started", "thread_id": "t"}\n')
    True
    >>> contains_stream(b'{"level": "INFO"}\n')
    False
    """
    if b"\n" not in start.strip():  # one line, which may be incomplete
        return _DIALECT_TYPE.search(start) is not None and start.lstrip()[:1] == b"{"
    sniffer = Sniffer()
    return sniffer.detect(start) is not None or sniffer.is_like_claude or sniffer.has_session_event


def begins_like_claude_json(start: bytes) -> bool:
    """Return whether a `.json` file begins as Claude Code's `.json` output does, even if it is cut off."""
    return _CLAUDE_JSON_START.match(start) is not None


def _line_end(block: bytes, position: int) -> int:
    end = block.find(b"\n", position)
    return end if end >= 0 else len(block)


def _decode_traits(raw: bytes) -> _Traits | None:
    """Decode the distinguishing fields of a line; None if it is not a JSON object."""
    try:
        try:
            return _TRAITS_DECODER.decode(raw)
        except msgspec.ValidationError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):  # a lone surrogate, or invalid UTF-8
            return _TRAITS_DECODER.decode(normalize_json(raw))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def _dialect_of(line: _Traits) -> Dialect | None:
    if not isinstance(line.type, str):
        return "gemini_chat" if _is_gemini_chat(line) else None
    return next((name for name, is_dialect in _DIALECT_PREDICATES if is_dialect(line)), None)


def _is_opencode(line: _Traits) -> bool:
    return bool(line.sessionID) and isinstance(line.part, dict)


def _is_cursor(line: _Traits) -> bool:
    """Return whether a line differs from Claude's as Cursor's do: in tool calls, thoughts, init or usage."""
    if line.type in ("tool_call", "thinking"):
        return bool(line.session_id) and (line.call_id is not None or line.timestamp_ms is not None)
    if line.type == "system":
        return line.subtype == "init" and bool(line.apiKeySource) and line.tools is None and line.uuid is None
    if line.type == "result":
        return isinstance(line.usage, dict) and "inputTokens" in line.usage and line.total_cost_usd is None
    return line.type == "assistant" and line.timestamp_ms is not None and line.uuid is None


def _is_claude(line: _Traits) -> bool:
    """Return whether a line has a mark of Claude Code and not just the shape of its lines."""
    if line.type == "result":
        reported = (line.total_cost_usd, line.modelUsage, line.usage)
        return reported != (None, None, None) or (
            line.stats is None and bool(line.subtype and line.session_id)
        )
    if line.type not in ("system", "assistant", "user"):
        return False
    if line.sessionId or line.uuid or line.parent_tool_use_id is not msgspec.UNSET:
        return True
    if line.type == "system":
        return line.subtype is not None
    return isinstance(line.message, dict) and bool(line.message.get("id") or line.message.get("model"))


def _is_like_claude(line: _Traits) -> bool:
    return line.type in ("system", "assistant", "user") and bool(line.session_id or line.message)


def _is_gemini(line: _Traits) -> bool:
    marks = {
        "init": line.session_id or line.model,
        "message": line.role,
        "tool_use": line.tool_name,
        "tool_result": line.tool_id,
        "result": line.stats,
    }
    return bool(marks.get(line.type))


def _is_gemini_chat(line: _Traits) -> bool:
    if line.type is None:
        return bool(line.projectHash and line.sessionId)
    return line.type == "gemini" and isinstance(line.tokens, dict)


def _is_opencode_session(line: _Traits) -> bool:
    return str(line.type).startswith(_STORE_TYPE_PREFIX)


def _is_codex(line: _Traits) -> bool:
    return str(line.type).startswith(_CODEX_TYPE_PREFIXES)


def _is_codex_session(line: _Traits) -> bool:
    """Return whether a line is one of a session that Codex stores; in other output they have no time."""
    types = ("session_meta", "turn_context", "event_msg", "response_item")
    return line.type in types and isinstance(line.payload, dict) and bool(line.timestamp)


def _is_copilot_session(line: _Traits) -> bool:
    types = ("session.start", "session.shutdown")
    return line.type in types and isinstance(line.data, dict) and bool(line.timestamp)


_DIALECT_PREDICATES: tuple[tuple[Dialect, Callable[[_Traits], bool]], ...] = (
    ("opencode", _is_opencode),
    ("opencode_session", _is_opencode_session),
    ("cursor", _is_cursor),
    ("claude", _is_claude),
    ("gemini", _is_gemini),
    ("gemini_chat", _is_gemini_chat),
    ("codex", _is_codex),
    ("codex_session", _is_codex_session),
    ("copilot_session", _is_copilot_session),
)
"""Predicates that identify each dialect's lines; the first that matches decides."""


def _is_session_event(line: _Traits) -> bool:
    """Return whether an agent CLI may have written the line: it is an event of some session."""
    sessions = (line.session_id, line.sessionId, line.sessionID, line.thread_id, line.conversation_id)
    return isinstance(line.type, str) and line.type not in _BOOKKEEPING_TYPES and any(sessions)
