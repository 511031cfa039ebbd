"""Parse sessions that Gemini CLI keeps itself (`~/.gemini/tmp/<project>/chats`) into StreamFacts.

A session is a `.json` object with a list of messages, or newer a `.jsonl` file: a line of metadata, a line
for each version of a message, `$set` for changed metadata and `$rewindTo` for messages taken back. Cached
tokens are part of the input tokens. Thinking tokens are separate from output tokens, and billed as output.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from ...common.models import (
    Ending,
    MessageUsage,
    SessionInfo,
    StreamFacts,
    StreamFormat,
    TokenUsage,
    ToolCall,
)
from ..files import open_file
from .active_time import sum_active_seconds
from .claude_schema import parse_count, parse_timestamp, tool_detail
from .elements import Elements
from .endings import StreamEnding
from .line_parser import LineParser, decode_record

_SUBAGENT = "subagent"
_TOOL_NAMES = {"run_shell_command": "Bash"}  # tools that other agent CLIs have under another name
_FAILED = {"success": False, "error": True}  # other states have no result: the user refused, or it still runs
_CANCELLED = "Request cancelled"
"""Beginning of the note that Gemini CLI writes if the user stops it."""

_MAX_ERROR_CHARS = 2_000
_MAX_PATH = 4_096  # bytes of a path
_MESSAGES = re.compile(rb'"messages"\s*+:\s*+(?=\[)')


class ChatTokens(msgspec.Struct):
    """Token counts of one message."""

    input: int | float | None = None  # includes cached tokens
    output: int | float | None = None
    cached: int | float | None = None
    thoughts: int | float | None = None
    tool: int | float | None = None  # results of tools that ran at Google, as input
    total: int | float | None = None


class ChatToolCall(msgspec.Struct):
    """One tool call of a message, with its outcome."""

    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = msgspec.Raw()
    status: str | None = None
    timestamp: Any = None


class ChatRecord(msgspec.Struct):
    """A message, the session's metadata, or a change of either."""

    id: str | None = None
    type: str | None = None
    timestamp: Any = None
    content: Any = None
    model: str | None = None
    tokens: ChatTokens | None = None
    toolCalls: list[ChatToolCall] | None = None  # noqa: N815 - the file's own spelling
    sessionId: str | None = None  # noqa: N815
    projectHash: str | None = None  # noqa: N815
    startTime: Any = None  # noqa: N815
    lastUpdated: Any = None  # noqa: N815
    kind: str | None = None
    summary: str | None = None
    directories: list[str] | None = None
    messages: list[ChatRecord] | None = None
    changes: ChatRecord | None = msgspec.field(default=None, name="$set")
    rewind_to: str | None = msgspec.field(default=None, name="$rewindTo")


_DECODER = msgspec.json.Decoder(ChatRecord)


@dataclass(slots=True)
class GeminiChatParser(LineParser):
    """Parser of one session of Gemini CLI and the facts collected so far."""

    messages: dict[str, MessageUsage] = field(default_factory=dict)  # also those that were taken back
    tools: dict[str, ToolCall] = field(default_factory=dict)
    sessions: dict[str, None] = field(default_factory=dict)
    endings: dict[str, StreamEnding | None] = field(default_factory=dict)
    """Ending of the session if this is its last message, by message id; None if an earlier one decides."""

    times: list[datetime] = field(default_factory=list)
    session: str | None = None
    project_hash: str | None = None
    kind: str | None = None
    title: str | None = None
    folder: str | None = None

    def parse_record(self, raw: bytes, number: int) -> None:
        """Parse one record and add its facts."""
        record = decode_record(raw, _DECODER)
        if record is None:
            return
        if record.rewind_to is not None:
            self._rewind(record.rewind_to)
        elif record.id is not None:
            self._add_message(record, record.id, number)
        else:
            self._add_metadata(record.changes or record, number)

    def _rewind(self, message_id: str) -> None:
        """Take back a message and all after it, or all if it is unknown, as Gemini CLI does."""
        ids = list(self.endings)
        for taken_back in ids[ids.index(message_id) if message_id in self.endings else 0 :]:
            del self.endings[taken_back]

    def _add_metadata(self, record: ChatRecord, number: int) -> None:
        self._add_time(record.startTime, number)
        self._add_time(record.lastUpdated, number)
        if record.sessionId:
            self.session = record.sessionId
            self.sessions[record.sessionId] = None
        self.project_hash = record.projectHash or self.project_hash
        self.kind = record.kind or self.kind
        self.title = record.summary or self.title
        self.folder = project_folder(self.project_hash, record.directories or ()) or self.folder
        if record.messages:  # the whole conversation, rewritten
            self.endings.clear()
            for message in record.messages:
                self._add_message(message, message.id or f"line {number}", number)

    def _add_time(self, value: Any, number: int) -> datetime | None:
        when = parse_timestamp(value) if value is not None else None
        self.record_time(when, value, number)
        if when is not None:
            self.times.append(when)
        return when

    def _add_message(self, record: ChatRecord, record_id: str, number: int) -> None:
        when = self._add_time(record.timestamp, number)
        self.endings[record_id] = _ending_of(record)
        if record.type != "gemini":
            return
        message_id = f"{self.session}/{record_id}" if self.session else record_id
        known = self.messages.get(message_id)
        if record.tokens is not None or (known is None and record.model):
            self.messages[message_id] = MessageUsage(
                message_id,
                record.model or (known.model if known else None),
                _token_usage(record.tokens or ChatTokens()),
                known.line if known else number,
                is_final=record.tokens is not None,  # without tokens, its usage is unknown
                timestamp=when or (known.timestamp if known else None),
                session=self.session,
            )
        for position, call in enumerate(record.toolCalls or ()):
            self._add_tool_call(call, call.id or f"{message_id} {position}", message_id, number)

    def _add_tool_call(self, call: ChatToolCall, key: str, message_id: str, number: int) -> None:
        self._add_time(call.timestamp, number)
        known = self.tools.get(key)
        self.tools[key] = ToolCall(
            _TOOL_NAMES.get(call.name or "", call.name or "tool"),
            tool_detail(call.args),
            known.line if known else number,
            message_id,
            _FAILED.get(call.status or ""),
        )

    def build_facts(self, agent: str) -> StreamFacts:
        """Build the facts of the lines read so far."""
        messages = tuple(self.messages.values())
        ending, ending_text = self._ending()
        return StreamFacts(
            path=self.path,
            format=StreamFormat.GEMINI_CHAT,
            agent=agent,
            session_ids=tuple(self.sessions),
            model=next((message.model for message in messages if message.model), None),
            messages=messages,
            tools=tuple(self.tools.values()),
            started_at=self.first_time,
            ended_at=self.last_time,
            lines=self.lines,
            problems=tuple(self.all_problems()),
            lost_line=self.last_lost_line(),
            ending=ending,
            ending_text=ending_text,
            session=SessionInfo(
                id=self.session,
                parent=_parent_session(self.path) if self.kind == _SUBAGENT else None,
                role=_SUBAGENT if self.kind == _SUBAGENT else None,
                folder=self.folder,
                title=self.title,
                active_seconds=sum_active_seconds(self.times),
            ),
        )

    def _ending(self) -> tuple[Ending | None, str]:
        """Return how the session ends; unknown if the last line is unreadable."""
        if self.partial_record is not None or (self.bad_line and self.bad_line == self.lines):
            return None, ""
        return next((ending for ending in reversed(self.endings.values()) if ending), None) or (None, "")


def _parent_session(path: str) -> str | None:
    """Return the session that a subagent's file is filed under: `<parent id>/<id>.jsonl`."""
    return path.rpartition("/")[0].rpartition("/")[2] or None


def project_folder(project_hash: str | None, candidates: list[str] | tuple[str, ...]) -> str | None:
    """Return the candidate that is the project's directory, whose hash Gemini CLI stores; None if none is.

    >>> project_folder("8a5edab282632443219e051e4ade2d1d5bbc671c781051bf1437897cbdfea0f1", ["/home", "/"])
    '/'
    """
    return next(
        (folder for folder in candidates if hashlib.sha256(folder.encode()).hexdigest() == project_hash), None
    )


def read_project_root(file: Path) -> str | None:
    """Return the project's directory, which newer versions note beside the directory `chats`, or None."""
    chats = next((folder for folder in file.parents if folder.name == "chats"), None)
    if chats is None:
        return None
    try:
        handle, _ = open_file(chats.parent / ".project_root")
        with handle:
            return handle.read(_MAX_PATH).decode("utf-8", "replace").strip() or None
    except OSError:
        return None


def _token_usage(tokens: ChatTokens) -> TokenUsage:
    cached, input_tokens = parse_count(tokens.cached), parse_count(tokens.input)
    output = parse_count(tokens.output) + parse_count(tokens.thoughts)
    tool = parse_count(tokens.tool)
    is_extra = parse_count(tokens.total) >= input_tokens + output + tool  # else the input includes it
    return TokenUsage(
        input=max(input_tokens - cached, 0) + (tool if is_extra else 0), output=output, cache_read=cached
    )


def _ending_of(record: ChatRecord) -> StreamEnding | None:
    """Return how a session ends with this message; None if the message before it decides."""
    text = _text_of(record.content)
    if record.type == "gemini":
        return (Ending.ANSWERED if text and not record.toolCalls else Ending.UNANSWERED), ""
    if record.type == "user":
        return Ending.UNANSWERED, ""
    if record.type == "error":
        return Ending.ERROR, text[:_MAX_ERROR_CHARS]
    return (Ending.STOPPED, "") if record.type == "info" and text.startswith(_CANCELLED) else None


def _text_of(content: Any) -> str:
    parts = content if isinstance(content, list) else [content]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    return "\n".join(text for text in texts if isinstance(text, str)).strip()


class ChatHead(NamedTuple):
    """Metadata at the beginning of a session's file."""

    session: str
    project_hash: str
    is_subagent: bool
    started_at: datetime | None


def read_chat_head(start: bytes) -> ChatHead | None:
    r"""Return the metadata in the first bytes of a session's file; None if they are not such a file's.

    >>> read_chat_head(b'{"sessionId": "s", "projectHash": "h", "kind": "subagent"}\n')
    ChatHead(session='s', project_hash='h', is_subagent=True, started_at=None)
    >>> read_chat_head(b'{\n  "sessionId": "s",\n  "projectHash": "h",\n  "messages": [\n    {')
    ChatHead(session='s', project_hash='h', is_subagent=False, started_at=None)
    """
    document = split_document(start)
    raw = document.metadata if document else start.lstrip().partition(b"\n")[0]
    record = _decode_metadata(raw)
    if record is None or not record.sessionId or not record.projectHash:
        return None
    return ChatHead(
        record.sessionId, record.projectHash, record.kind == _SUBAGENT, parse_timestamp(record.startTime)
    )


class ChatDocument(NamedTuple):
    """A session's `.json` file, split where its list of messages begins."""

    metadata: bytes  # fields before the messages, as an object
    rest: bytes  # the first bytes from the messages on, after as many line feeds as there are before them


def split_document(start: bytes) -> ChatDocument | None:
    """Split the first bytes of a session's `.json` file; None if they are not such a file's."""
    match = _MESSAGES.search(start)
    if match is None:
        return None
    before = start[: match.start()].decode("utf-8", "replace").encode()
    metadata = before.strip().removesuffix(b",") + b"}"
    record = _decode_metadata(metadata)
    if record is None or not record.sessionId or not record.projectHash:
        return None
    return ChatDocument(metadata, b"\n" * start.count(b"\n", 0, match.end()) + start[match.end() :])


def document_records(document: ChatDocument, elements: Elements) -> Iterator[tuple[int, bytes]]:
    """Yield a `.json` session's records as its `.jsonl` form has them, each with the line where it begins.

    The first one identifies the session, so it has no time of the last change. `elements` are the objects
    in the document from the messages on.
    """
    fields = msgspec.json.decode(document.metadata, type=dict[str, msgspec.Raw])
    changes = {name: fields.pop(name) for name in ("lastUpdated",) if name in fields}
    yield 1, msgspec.json.encode(fields)
    last = 1
    for line, raw in elements:
        last = line
        yield line, raw if raw.startswith(b"{") else b'{"$set":{%s}' % raw  # the fields after the messages
    if changes:
        yield last, msgspec.json.encode({"$set": changes})


def _decode_metadata(raw: bytes) -> ChatRecord | None:
    try:
        return _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
