"""Tell what a JSONL file is by what its first objects say: lines in, a stream's format or None out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec

from .lines import strict

Sniffed = Literal[
    "claude", "gemini", "codex", "cursor", "opencode", "unknown", "no stream", "no json", "empty"
]
LOOK_AT = 200  # lines: a stream that starts with so many foreign ones is none


class _Traits(msgspec.Struct):
    """The fields by which the dialects differ."""

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


_BOOKKEEPING = frozenset({
    "summary", "progress", "attachment", "queue-operation", "file-history-snapshot", "ai-title", "tag",
    "last-prompt", "pr-link", "mode", "permission-mode", "custom-title", "agent-name",
})  # fmt: skip
"""Lines of a native Claude transcript that tell nothing of an agent's work."""

_TRAITS = msgspec.json.Decoder(_Traits)


def sniff(lines: Iterable[bytes]) -> Sniffed:
    """Return the format that the first telling object shows.

    >>> sniff([b"Loaded cached credentials.", b'{"type": "init", "session_id": "s", "model": "m"}'])
    'gemini'
    >>> sniff([b'{"operation": "read", "file_path": "x"}'])
    'no stream'
    >>> sniff([b'{"type": "turn", "conversation_id": "c1", "text": "hi"}'])
    'unknown'
    """
    seen_json = seen_text = is_alike = is_agents = False
    for number, raw in enumerate(lines):
        if number >= LOOK_AT:
            break
        if not raw.strip():
            continue
        traits = _traits(raw)
        if traits is None:
            seen_text = True
            continue
        seen_json = True
        if found := _dialect(traits):
            return found
        is_alike = is_alike or _is_like_claude(traits)
        is_agents = is_agents or _is_agents(traits)
    if is_alike:
        return "claude"  # without any mark of another
    if seen_json:
        return "unknown" if is_agents else "no stream"
    return "no json" if seen_text else "empty"


def _traits(raw: bytes) -> _Traits | None:
    """Return what a line shows, as far as it is read at all; None where it is no JSON object."""
    try:
        try:
            return _TRAITS.decode(raw)
        except msgspec.ValidationError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):  # half a pair, or bytes that are no UTF-8
            return _TRAITS.decode(strict(raw))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def _dialect(line: _Traits) -> Sniffed | None:
    if not isinstance(line.type, str):
        return None
    return next((name for name, is_its in _MARKS if is_its(line)), None)


def _is_opencodes(line: _Traits) -> bool:
    return bool(line.sessionID) and isinstance(line.part, dict)


def _is_cursors(line: _Traits) -> bool:
    """Cursor's lines are like Claude's: its tool calls, thoughts, first line and usage differ."""
    if line.type in ("tool_call", "thinking"):
        return bool(line.session_id) and (line.call_id is not None or line.timestamp_ms is not None)
    if line.type == "system":
        return line.subtype == "init" and bool(line.apiKeySource) and line.tools is None and line.uuid is None
    if line.type == "result":
        return isinstance(line.usage, dict) and "inputTokens" in line.usage and line.total_cost_usd is None
    return line.type == "assistant" and line.timestamp_ms is not None and line.uuid is None


def _is_claudes(line: _Traits) -> bool:
    """Tell whether a line has a mark of Claude Code, and not only its shape."""
    if line.type == "result":
        told = (line.total_cost_usd, line.modelUsage, line.usage)
        return told != (None, None, None) or (line.stats is None and bool(line.subtype and line.session_id))
    if line.type not in ("system", "assistant", "user"):
        return False
    if line.sessionId or line.uuid or line.parent_tool_use_id is not msgspec.UNSET:
        return True
    if line.type == "system":
        return line.subtype is not None
    return isinstance(line.message, dict) and bool(line.message.get("id") or line.message.get("model"))


def _is_like_claude(line: _Traits) -> bool:
    return line.type in ("system", "assistant", "user") and bool(line.session_id or line.message)


def _is_geminis(line: _Traits) -> bool:
    marks = {
        "init": line.session_id or line.model,
        "message": line.role,
        "tool_use": line.tool_name,
        "tool_result": line.tool_id,
        "result": line.stats,
    }
    return bool(marks.get(line.type))


def _is_codex(line: _Traits) -> bool:
    return str(line.type).startswith(("thread.", "turn.", "item."))


_MARKS: tuple[tuple[Sniffed, Callable[[_Traits], bool]], ...] = (
    ("opencode", _is_opencodes),
    ("cursor", _is_cursors),
    ("claude", _is_claudes),
    ("gemini", _is_geminis),
    ("codex", _is_codex),
)
"""By which marks each program's lines are told; those of the first one that fits count."""


def _is_agents(line: _Traits) -> bool:
    """Tell whether an agent's program may have written the line: an event of some session."""
    sessions = (line.session_id, line.sessionId, line.sessionID, line.thread_id, line.conversation_id)
    return isinstance(line.type, str) and line.type not in _BOOKKEEPING and any(sessions)
