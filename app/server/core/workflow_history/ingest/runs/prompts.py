"""Find the first prompt that a user typed in a stream.

Only a stream's beginning is read, and only if no other file of the run contains the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise, takewhile
from typing import Any, Final, NamedTuple

from ...common.models import StreamFacts, StreamFormat
from ...costs.accounting.message_claims import NOTHING_ELSEWHERE, Attempt, Elsewhere, repeated_messages
from ..files import open_file
from ..streams.claude import is_copied
from ..streams.gemini_chat import split_document
from .records import ScannedFile

READ: Final = 8 << 20  # bytes that are searched for the user's first message

_PROGRAM_TAGS: Final = re.compile(
    r"<(system-reminder|ide_\w+|environment_context|session_context|user_instructions|local-command-\w+"
    r"|command-\w+|task-notification|bash-\w+|user-memory-input|user-prompt-submit-hook|teammate-message"
    r"|turn_aborted|subagent_notification|user_shell_command|hook_prompt)\b[^>]*>.*?</\1>",
    re.DOTALL,
)
"""Text that programs add to a user's message."""

_PROGRAM_MESSAGES: Final = (
    "Caveat:", "[Request interrupted", "This session is being continued from a previous conversation",
    "# AGENTS.md instructions", "<INSTRUCTIONS>", "API Error", "[Image: ",
    "This is the Gemini CLI. We are setting up the context",
)  # fmt: skip
"""Beginnings of messages that no user wrote."""

_EDITOR_REQUEST: Final = "## My request for Codex:"
"""Heading of the user's text, if an editor adds its open files before it."""

_COMMAND_NAME: Final = re.compile(r"<command-name>\s*/?([\w:.-]+)\s*</command-name>")
_COMMAND_ARGUMENTS: Final = re.compile(r"<command-args>(.*?)</command-args>", re.DOTALL)
COMMAND: Final = re.compile(r"/([\w:.-]+)(?!\S)")
"""A slash command at the beginning of a message."""

_COMMAND_OUTPUT: Final = ("<local-command-stdout>", "<local-command-stderr>")
"""Beginnings of the message after a command that the CLI ran itself, without a request to the agent."""

_CLI_COMMANDS: Final = frozenset({
    "add-dir", "agents", "clear", "compact", "config", "context", "cost", "doctor", "effort", "exit",
    "export", "fast", "help", "hooks", "ide", "login", "logout", "mcp", "memory", "model", "output-style",
    "permissions", "plugin", "quit", "rename", "resume", "rewind", "status", "statusline", "tasks", "theme",
    "usage", "vim",
})  # fmt: skip
"""Commands that control the session and request no work."""

FIRST: Final = "its first message"
FIRST_OWN: Final = "its first own message"
"""Place of the request in a stream; own: after messages that are another run's work."""

_FORMATS: Final = frozenset(
    {
        StreamFormat.CLAUDE,
        StreamFormat.CLAUDE_TRANSCRIPT,
        StreamFormat.GEMINI,
        StreamFormat.GEMINI_CHAT,
        StreamFormat.CODEX,
        StreamFormat.CURSOR,
        StreamFormat.OPENCODE_SESSION,
        StreamFormat.CODEX_SESSION,
        StreamFormat.COPILOT_SESSION,
    }
)
"""Formats that contain the user's messages; the output of `opencode run` does not."""


def first_prompt(
    files: Iterable[ScannedFile],
    streams: Sequence[StreamFacts],
    elsewhere: Mapping[Attempt, Elsewhere] = NOTHING_ELSEWHERE,
) -> tuple[str, str] | None:
    """Return the first prompt in a run's streams and its place; None if no stream has one.

    Subagents' streams are searched last. If a stream continues another run's messages, the first prompt after
    them is preferred. `elsewhere`: see `repeated_messages`.
    """
    files_by_path = {file.path: file for file in files}
    readable = [stream for stream in streams if stream.format in _FORMATS and stream.path in files_by_path]
    for stream in sorted(readable, key=_stream_order):
        inherited = _last_inherited_line(stream, elsewhere)
        file = files_by_path[stream.path]
        if prompt := (_find_prompt(file, inherited) if inherited else None) or _find_prompt(file, 0):
            return prompt.text, f"{stream.path}: {prompt.place}"
    return None


class _UserPrompt(NamedTuple):
    """A user's prompt and its place in the file."""

    text: str
    place: str


def _last_inherited_line(stream: StreamFacts, elsewhere: Mapping[Attempt, Elsewhere]) -> int:
    """Return the line (1-based) of the last message before a stream's own work; 0 if there is none."""
    repeated = repeated_messages(stream, elsewhere)
    inherited = takewhile(lambda message: message.message_id in repeated, stream.messages)
    return max((message.line for message in inherited), default=0)


def _stream_order(stream: StreamFacts) -> tuple[bool, bool, str, str]:
    started = stream.started_at.isoformat() if stream.started_at else ""
    return stream.is_subagent, not started, started, stream.path


def _find_prompt(file: ScannedFile, after_line: int) -> _UserPrompt | None:
    """Return the user's first message or slash command after a line that requests work, or None.

    Lines marked as another session's count only if no other line requests anything.
    """
    copied: _UserPrompt | None = None
    for (message, is_copied_line), (following, _) in pairwise(
        chain(_user_messages(file, after_line), (("", False),))
    ):
        text = typed_text(message)
        command = COMMAND.match(text or "")
        is_cli_command = command and (
            command[1] in _CLI_COMMANDS or following.lstrip().startswith(_COMMAND_OUTPUT)
        )
        if not text or is_cli_command:
            continue
        if not is_copied_line:
            return _UserPrompt(text, FIRST_OWN if after_line or copied else FIRST)
        copied = copied or _UserPrompt(text, FIRST)
    return copied


def typed_text(message: str) -> str | None:
    """Return the part of a message that the user typed; None if a program wrote it.

    >>> typed_text("<system-reminder>Mind the tests.</system-reminder>Add a logo")
    'Add a logo'
    >>> typed_text("Caveat: The messages") is None
    True
    >>> typed_text("<command-name>/implement</command-name><command-args>specs/x.md</command-args>")
    '/implement specs/x.md'
    """
    if name := _COMMAND_NAME.search(message):
        arguments = _COMMAND_ARGUMENTS.search(message)
        return f"/{name[1]} {arguments[1].strip() if arguments else ''}".strip()
    text = _PROGRAM_TAGS.sub("", message.rpartition(_EDITOR_REQUEST)[2]).strip()
    return None if not text or text.startswith(_PROGRAM_MESSAGES) else text


def _user_messages(file: ScannedFile, after_line: int) -> Iterator[tuple[str, bool]]:
    """Yield the user's texts in file order, and whether each is marked as another session's."""
    for record in _user_records(file, after_line):
        is_copied_line = is_copied(file.path, record.get("sessionId"), record.get("forkedFrom"))
        for text in _record_texts(record):
            if text.strip():
                yield text, is_copied_line


def _user_records(file: ScannedFile, after_line: int) -> Iterator[dict[str, Any]]:
    """Yield the user records after a line, from READ bytes; an array is read from the file's beginning."""
    try:
        handle, _ = open_file(file.file, file)
        with handle:
            for _ in range(0 if file.path.endswith(".json") else after_line):
                handle.readline()
            limit = handle.tell() + READ
            raw = b"".join(iter(lambda: handle.read(1 << 20) if handle.tell() < limit else b"", b""))
    except OSError:
        return  # reading the stream reported the reason
    if file.path.endswith(".json") and (document := split_document(raw)) is not None:
        raw = document.rest
    if raw.lstrip()[:1] == b"[":
        yield from _array_records(raw.decode("utf-8", "replace"), after_line)
        return
    for line in raw.splitlines():
        if b'"user' in line or b'"User' in line:
            start = line.find(b"{")
            try:
                record = json.loads(line[start:]) if start >= 0 else None
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                yield record


def _array_records(text: str, after_line: int) -> Iterator[dict[str, Any]]:
    """Yield the records of a stream saved as one array, from those that begin after a line."""
    decoder, position, line, counted_to = json.JSONDecoder(), text.find("{"), 1, 0
    while position >= 0:
        try:
            record, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return
        line, counted_to = line + text.count("\n", counted_to, position), position
        if line > after_line:
            yield record
        position = text.find("{", end)


def _record_texts(record: dict[str, Any]) -> Iterator[str]:
    """Yield the user's texts in a record of any format in _FORMATS.

    Gemini CLI keeps the typed text apart from the message, which includes the files that it names.
    """
    if record.get("isMeta") or record.get("isSidechain") or record.get("isCompactSummary"):
        return
    if record.get("parent_tool_use_id") or record.get("isSynthetic"):
        return
    kind, message = record.get("type"), record.get("message")
    if kind == "user":
        content = message.get("content") if isinstance(message, dict) else message
        yield from _content_texts(content or record.get("displayContent") or record.get("content"))
    elif kind == "message" and record.get("role") == "user":
        yield from _content_texts(record.get("content"))
    elif kind == "opencode.message" and record.get("role") == "user":
        yield from _content_texts(record.get("parts"))
    elif kind == "user.message" and isinstance(record.get("data"), dict):
        yield from _content_texts(record["data"].get("content"))
    payload = record.get("payload") if kind in ("event_msg", "response_item") else None
    yield from _codex_texts(payload if isinstance(payload, dict) else {"item": record.get("item")})


def _codex_texts(record: dict[str, Any]) -> Iterator[str]:
    """Yield the user's texts in an item of `codex exec --json`, or in the payload of a session's line."""
    item, content = record.get("item"), record.get("content")
    if record.get("type") == "user_message":
        yield from _content_texts(record.get("message"))
    elif record.get("type") == "message" and record.get("role") == "user" and isinstance(content, list):
        for block in content:  # Codex puts the user's text beside its own
            yield from _content_texts([block])
    elif isinstance(item, dict) and item.get("type") in ("user_message", "UserMessage"):
        yield from _content_texts(item.get("text") or item.get("content"))


def _content_texts(content: Any) -> Iterator[str]:
    """Yield a message's texts; a message with tool results has none."""
    if isinstance(content, str):
        yield content
    if not isinstance(content, list):
        return
    blocks = [block for block in content if isinstance(block, dict)]
    if not any(block.get("type") == "tool_result" for block in blocks):
        yield "\n\n".join(block["text"] for block in blocks if isinstance(block.get("text"), str))
