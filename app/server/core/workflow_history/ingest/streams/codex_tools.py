"""Build the tool calls of a Codex session, named as other agents' tools, with their outcomes. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ...common.models import ToolCall
from .claude_schema import tool_detail

SHELL = "Bash"
_SHELL_TOOLS = frozenset({"exec_command", "shell", "shell_command", "container.exec", "local_shell"})
_SHELL_OPTIONS = frozenset({"-c", "-lc", "-ic", "-Command", "/c"})
"""Options of a shell before the command that it runs."""

_MAX_DETAIL = 4000  # characters kept of a command
_EXIT_CODE = re.compile(rb'(?:exited with code|[Ee]xit code:|\\?"exit_code\\?":)\s*(-?\d+)')
_OUTPUT = re.compile(rb"\bOutput:")
_REFUSED = re.compile(rb'"(?:[\w.]+ failed\b|failed to |execution error|unsupported call|aborted by user)')
"""Beginning of the answer to a call that Codex did not carry out."""

_SUCCESS = re.compile(rb'"success":\s*(true|false)')
_SEARCHED_BYTES = 2000  # of the beginning of an output
_TRAILER_BYTES = 200  # of its end
_PATCHED_FILE = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)


class ToolItem(msgspec.Struct):
    """A tool call, its output or a completed step; large fields stay raw until they are needed."""

    type: Any = None
    id: Any = None
    call_id: Any = None
    name: Any = None
    arguments: msgspec.Raw = msgspec.Raw()  # JSON in a string
    input: msgspec.Raw = msgspec.Raw()
    output: msgspec.Raw = msgspec.Raw()
    action: Any = None
    command: Any = None
    exit_code: Any = None
    success: Any = None


class ShellInput(msgspec.Struct):
    """Command of a shell call, whose name differs between versions."""

    cmd: Any = None
    command: Any = None


_SHELL_DECODER = msgspec.json.Decoder(ShellInput)


def called_tool(item: ToolItem, line: int) -> ToolCall | None:
    """Return the tool call that an item begins, or None if it is something else."""
    action = item.action if isinstance(item.action, dict) else {}
    name = item.name if isinstance(item.name, str) and item.name else None
    if item.type == "local_shell_call":
        return ToolCall(SHELL, command_text(action.get("command")), line)
    if item.type == "web_search_call":
        query = action.get("query")
        return ToolCall(
            "WebSearch", query[:_MAX_DETAIL] if isinstance(query, str) else None, line, None, False
        )
    if name is None or item.type not in ("function_call", "custom_tool_call"):
        return None
    text = _string(item.arguments if item.type == "function_call" else item.input)
    if name in _SHELL_TOOLS:
        return ToolCall(SHELL, _shell_command(text), line)
    if name == "apply_patch":
        return ToolCall("Edit", _patched_file(text), line)
    return ToolCall(name, tool_detail(msgspec.Raw(text.encode("utf-8", "replace"))), line)


def completed_command(item: ToolItem, line: int, call: ToolCall | None) -> ToolCall:
    """Return the call of a command that was run, with its outcome."""
    failed = item.exit_code != 0 if isinstance(item.exit_code, int) else None
    if call is not None:
        return msgspec.structs.replace(call, failed=call.failed if failed is None else failed)
    return ToolCall(SHELL, command_text(item.command), line, None, failed)


def has_failed(item: ToolItem, call: ToolCall) -> bool | None:
    """Return whether the output of a tool call shows that it failed; None if it shows no end."""
    if isinstance(item.exit_code, int):
        return item.exit_code != 0
    if isinstance(item.success, bool):
        return not item.success
    output = bytes(memoryview(item.output)[:_SEARCHED_BYTES])
    end = bytes(memoryview(item.output)[-_TRAILER_BYTES:])
    if output.startswith(b"{") and (success := _SUCCESS.search(end) or _SUCCESS.search(output)):
        return success[1] == b"false"
    header = _OUTPUT.split(output, 1)[0] if call.tool == SHELL else output[:_TRAILER_BYTES]
    if (code := _EXIT_CODE.search(header) or _EXIT_CODE.search(end.rpartition(b"metadata")[2])) is not None:
        return int(code[1]) != 0
    if _REFUSED.match(output):
        return True
    return None if call.tool == SHELL or not output else False


def command_text(command: Any) -> str | None:
    """Return a command as text; of a shell's words, only the command that it runs.

    >>> command_text(["bash", "-lc", "npm test"]), command_text(["git", "status"]), command_text("ls")
    ('npm test', 'git status', 'ls')
    """
    if isinstance(command, list):
        words: Sequence[str] = [word for word in command if isinstance(word, str)]
        is_shell = len(words) == 3 and words[1] in _SHELL_OPTIONS
        command = words[2] if is_shell else " ".join(words)
    return command[:_MAX_DETAIL] if isinstance(command, str) and command else None


def _shell_command(text: str) -> str | None:
    try:
        arguments = _SHELL_DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return command_text(arguments.cmd or arguments.command)


def _patched_file(text: str) -> str | None:
    """Return the first file that a patch changes, given alone or in JSON."""
    match = _PATCHED_FILE.search(text if "\n" in text else text.replace("\\n", "\n"))
    return match[1].strip()[:_MAX_DETAIL] if match else None


def _string(raw: msgspec.Raw) -> str:
    """Return a string, or another value as its JSON."""
    try:
        return msgspec.json.decode(raw, type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return bytes(memoryview(raw)).decode("utf-8", "replace")
