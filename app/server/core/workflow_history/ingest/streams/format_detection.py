"""Detect which CLI wrote a stream, from the first line or object that identifies its dialect."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from .claude_schema import normalize_json

Dialect = Literal["claude", "gemini", "codex", "cursor", "opencode"]

_KINDS = (
    "system", "assistant", "user", "result", "init", "message", "tool_use", "tool_result", "tool_call",
    "thinking", "step_start", "step_finish", "text", "reasoning",
)  # fmt: skip
_KINDS_OF_CODEX = ("thread.", "turn.", "item.")  # prefixes of Codex's types
_TELLING = re.compile(
    rb'"type"\s*+:\s*+"(?:(?:%s)"|%s)'
    % ("|".join(_KINDS).encode(), "|".join(map(re.escape, _KINDS_OF_CODEX)).encode())
)
"""Matches every line that can identify a dialect, and lines that quote one."""

_SOMETHING = re.compile(rb"\S")
_OBJECT = re.compile(rb"^[ \t\r]*+\{", re.MULTILINE)
_BEGIN = re.compile(rb'\s*+(?:\[\s*+)?+\{\s*+"type"\s*+:\s*+"(?:system|result)"\s*+,\s*+"subtype"')
_TRIES = 200  # lines parsed only to check whether the file is JSON


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


_BOOKKEEPING = frozenset({
    "summary", "progress", "attachment", "queue-operation", "file-history-snapshot", "ai-title", "tag",
    "last-prompt", "pr-link", "mode", "permission-mode", "custom-title", "agent-name",
})  # fmt: skip
"""Types of lines in a native Claude transcript that record nothing of an agent's work."""

_TRAITS = msgspec.json.Decoder(_Traits)


class Sniffer:
    r"""Detector of a file's dialect, fed block by block until a line identifies it.

    Any number of other lines may come first. Only lines that may identify a dialect are parsed.

    >>> Sniffer().look(b'Loaded cached credentials.\n{"type": "init", "session_id": "s", "model": "m"}\n')
    'gemini'
    >>> Sniffer().look(b'{"operation": "read", "file_path": "x"}\n') is None
    True
    """

    def __init__(self) -> None:
        self.lines = 0
        self.is_cut = False  # the last line has no line feed
        self.is_begun = False  # an object begins in the last line
        self.is_empty = True
        self.is_json = False  # at least one line is a JSON object
        self.is_alike = False  # a line has the shape of Claude Code's lines, and no mark of another CLI
        self.is_agents = False  # a line is an event of some agent's session, of a known dialect or not
        self._tries = 0

    def look(self, block: bytes) -> Dialect | None:
        """Return the dialect that a line of this block identifies, or None; attributes cover all blocks."""
        self.is_cut = bool(block) and not block.endswith(b"\n")
        self.is_begun = b"{" in block[block.rfind(b"\n") + 1 :]
        self.lines += block.count(b"\n") + self.is_cut
        if self.is_empty and _SOMETHING.search(block):
            self.is_empty = False
        at = 0
        while found := _TELLING.search(block, at):
            start = block.rfind(b"\n", at, found.start()) + 1 or at
            at = _line_end(block, found.end())
            if (traits := _traits(block[start:at])) is not None:
                self.is_json = True
                if dialect := _dialect(traits):
                    return dialect
                self.is_alike = self.is_alike or _is_like_claude(traits)
                self.is_agents = self.is_agents or _is_agents(traits)
        self._look_for_json(block)
        return None

    def _look_for_json(self, block: bytes) -> None:
        at = 0
        while not self.is_agents and self._tries < _TRIES and (found := _OBJECT.search(block, at)):
            self._tries += 1
            at = _line_end(block, found.end())
            if (traits := _traits(block[found.start() : at])) is not None:
                self.is_json = True
                self.is_agents = _is_agents(traits)


def told_by_element(element: bytes) -> Dialect | None:
    """Return the dialect that one object of a `.json` file identifies, or None.

    Many `.json` files are not streams, so this takes more evidence than in a JSONL file: other programs'
    conversations also have elements of the types user and message.

    >>> told_by_element(b'{"type": "user", "message": "Hello"}') is None
    True
    """
    traits = _traits(element)
    dialect = _dialect(traits) if traits else None
    if traits is None or dialect is None:
        return None
    if dialect == "claude":
        has_session = traits.session_id or traits.sessionId or isinstance(traits.message, dict)
        return dialect if has_session or traits.type == "result" else None
    return dialect if dialect == "codex" or traits.type in ("init", "result") else None


def is_result(element: bytes) -> bool:
    """Return whether an object of a `.json` file is the result that ends a stream."""
    traits = _traits(element)
    return traits is not None and traits.type == "result" and _dialect(traits) is not None


def may_tell(begin: bytes) -> bool:
    """Return whether the first bytes of a `.json` file may contain an object of a stream."""
    return begin.lstrip()[:1] in (b"[", b"{") and _TELLING.search(begin) is not None


def shows_stream(begin: bytes) -> bool:
    r"""Return whether the first bytes of a file contain a line of an agent CLI, of a known dialect or not.

    >>> shows_stream(b'{"type": "thread.started", "thread_id": "t"}\n'), shows_stream(b'{"level": "INFO"}\n')
    (True, False)
    """
    if b"\n" not in begin.strip():  # one line, which may be incomplete
        return _TELLING.search(begin) is not None and begin.lstrip()[:1] == b"{"
    sniffer = Sniffer()
    return sniffer.look(begin) is not None or sniffer.is_alike or sniffer.is_agents


def is_begun_stream(begin: bytes) -> bool:
    """Return whether a `.json` file begins as Claude Code's `.json` output does, even if it is cut off."""
    return _BEGIN.match(begin) is not None


def _line_end(block: bytes, at: int) -> int:
    end = block.find(b"\n", at)
    return end if end >= 0 else len(block)


def _traits(raw: bytes) -> _Traits | None:
    """Decode the distinguishing fields of a line; None if it is not a JSON object."""
    try:
        try:
            return _TRAITS.decode(raw)
        except msgspec.ValidationError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):  # a lone surrogate, or invalid UTF-8
            return _TRAITS.decode(normalize_json(raw))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None


def _dialect(line: _Traits) -> Dialect | None:
    if not isinstance(line.type, str):
        return None
    return next((name for name, is_its in _MARKS if is_its(line)), None)


def _is_opencodes(line: _Traits) -> bool:
    return bool(line.sessionID) and isinstance(line.part, dict)


def _is_cursors(line: _Traits) -> bool:
    """Return whether a line differs from Claude's as Cursor's do: in tool calls, thoughts, init or usage."""
    if line.type in ("tool_call", "thinking"):
        return bool(line.session_id) and (line.call_id is not None or line.timestamp_ms is not None)
    if line.type == "system":
        return line.subtype == "init" and bool(line.apiKeySource) and line.tools is None and line.uuid is None
    if line.type == "result":
        return isinstance(line.usage, dict) and "inputTokens" in line.usage and line.total_cost_usd is None
    return line.type == "assistant" and line.timestamp_ms is not None and line.uuid is None


def _is_claudes(line: _Traits) -> bool:
    """Return whether a line has a mark of Claude Code and not just the shape of its lines."""
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


_MARKS: tuple[tuple[Dialect, Callable[[_Traits], bool]], ...] = (
    ("opencode", _is_opencodes),
    ("cursor", _is_cursors),
    ("claude", _is_claudes),
    ("gemini", _is_geminis),
    ("codex", _is_codex),
)
"""Predicates that identify each dialect's lines; the first that matches decides."""


def _is_agents(line: _Traits) -> bool:
    """Return whether an agent CLI may have written the line: it is an event of some session."""
    sessions = (line.session_id, line.sessionId, line.sessionID, line.thread_id, line.conversation_id)
    return isinstance(line.type, str) and line.type not in _BOOKKEEPING and any(sessions)
