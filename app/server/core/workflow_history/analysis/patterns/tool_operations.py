"""Normalize a tool call to its operations, without paths, flags, messages and ids.

Two calls have the same operation if one script could do both: `uv run pytest -q tests/x.py` and
`python -m pytest` are both `pytest`. Any text is accepted; nothing raises.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ...common.models import ToolCall
from ...common.redaction import redact_text
from .known_programs import (
    IGNORED_PROGRAMS,
    INTERPRETERS,
    PIPE_FILTERS,
    SHELL_KEYWORDS,
    SHELL_PREFIXES,
    SHELLS,
    TOOLS,
    WRAPPERS,
    Interpreter,
    Tool,
    Wrapper,
)
from .shell_parser import Command, Word, simple_commands

SHELL_TOOLS = frozenset({"Bash", "run_shell_command"})
SKILL_TOOLS = frozenset({"Skill", "SlashCommand"})
MAX_OPERATION_CHARS = 200  # characters
MAX_NESTING = 4  # levels of `bash -c "bash -c ..."`

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^\]]*\])?\+?=", re.ASCII)
_PROGRAM_NAME = re.compile(r"(@[A-Za-z0-9._-]{1,40}/)?[A-Za-z0-9_*][A-Za-z0-9_.+*-]{0,59}")
_SUBCOMMAND = re.compile(r"[A-Za-z*][A-Za-z0-9:_.*-]{0,39}")
_SCRIPT_FILE = re.compile(r"\.([cm]?[jt]sx?|py|sh|rb|pl|php)$")
_ID = re.compile(r"(?=[0-9a-f]*[0-9])[0-9a-f]{7,}|[0-9]{5,}")
_VERSIONED_PROGRAM = re.compile(r"(python|pypy|pip|node|ruby|perl|php)[0-9.]+")
_SKILL_NAME = re.compile(r"[\w:.-]{1,150}")
_EXECUTABLE = re.compile(r"(\.exe)+$", re.IGNORECASE)


def operations_of(call: ToolCall) -> tuple[str, ...]:
    """Return the operations of a call, in order; empty if it has none, such as a mere `cd`.

    >>> operations_of(ToolCall("Bash", "cd app && FORCE=1 uv run pytest -q tests/x.py | tail -5", 1))
    ('pytest',)
    >>> operations_of(ToolCall("Read", "README.md", 2)), operations_of(ToolCall("Skill", "commit -m x", 3))
    (('Read',), ('/commit',))
    """
    return classify_call(call)[0]


def classify_call(call: ToolCall) -> tuple[tuple[str, ...], bool]:
    """Return a call's operations, and whether they are commands (shell, MCP tool, skill) or file work."""
    tool = call.tool
    if tool in SHELL_TOOLS:
        return shell_operations(call.detail or ""), True
    if tool in SKILL_TOOLS:
        return (_skill_name(call.detail) or tool,), True
    return _classify_tool(tool)


@lru_cache(maxsize=512)  # few tools, thousands of calls
def _classify_tool(tool: str) -> tuple[tuple[str, ...], bool]:
    name = " ".join(redact_text(tool).split())[:MAX_OPERATION_CHARS]
    return (name,) if name else (), tool.startswith("mcp__")


@lru_cache(maxsize=2048)
def shell_operations(text: str) -> tuple[str, ...]:
    """Return the operations of a shell command line.

    >>> shell_operations('git add -A && git commit -m "fix: a | b"')
    ('git add', 'git commit')
    """
    return _text_operations(redact_text(text), 0)  # first, as a truncated secret would not be recognized


def _text_operations(text: str, nesting: int) -> tuple[str, ...]:
    return tuple(
        operation for command in simple_commands(text) for operation in _command_operations(command, nesting)
    )


def _command_operations(command: Command, nesting: int) -> tuple[str, ...]:
    """Return the operations of one simple command, without programs that only wrap it."""
    words = _strip_prefixes(command)
    while words:
        name = program_name(words[0])
        if name is None or name in IGNORED_PROGRAMS or name in SHELL_PREFIXES or name in SHELL_KEYWORDS:
            return ()
        if name in PIPE_FILTERS and command[0].piped:
            return ()
        if name in SHELLS:
            return _shell_script_operations(name, words[1:], nesting)
        rest = _inner_command(name, words[1:])
        if rest is None:
            return (_operation_name(name, words[1:]),)
        words = _strip_prefixes(rest)
    return _assignment_operations(command, nesting)


def _strip_prefixes(words: Command) -> Command:
    """Drop shell words and assignments before a command.

    The parts of a condition `[[ ... ]]` between its `&&` are not commands.
    """
    start = 0
    while start < len(words) and not words[start].quoted and words[start].text in SHELL_PREFIXES:
        start += 1
    while start < len(words) and _ASSIGNMENT.match(words[start].text):
        start += 1
    closes_condition = bool(words) and words[-1].text == "]]" and not words[-1].quoted
    return () if closes_condition else words[start:]


def _assignment_operations(command: Command, nesting: int) -> tuple[str, ...]:
    """Return the operations of `name=$(...)`: the substitution is the command that ran."""
    if nesting >= MAX_NESTING:
        return ()
    inner = [part for word in command if _ASSIGNMENT.match(word.text) for part in word.substitutions]
    return tuple(operation for part in inner for operation in _command_operations(part, nesting + 1))


def program_name(word: Word) -> str | None:
    """Return a program's name without directory, version and ids, or None if the word cannot be one.

    >>> [program_name(Word(text)) for text in ("/usr/bin/python3.11", "$TOOL", "run_8f3a2b1c.sh")]
    ['python', None, 'run_*.sh']
    """
    text = word.text if word.text.startswith("@") else re.split(r"[/\\]", word.text)[-1]
    text = _EXECUTABLE.sub("", text[:1] + text[1:].partition("@")[0])
    if not _PROGRAM_NAME.fullmatch(text):
        return None
    if versioned := _VERSIONED_PROGRAM.fullmatch(text):
        return versioned[1]
    name = "node" if text == "nodejs" else _ID.sub("*", text)
    return name if any(char.isalpha() for char in name) else None


def _inner_command(name: str, rest: Command) -> Command | None:
    """Return the command, script or module that a program runs.

    None if it is neither wrapper nor interpreter, runs inline code, or no script is named.
    """
    if (wrapper := WRAPPERS.get(name)) and (inner := _wrapped_command(wrapper, rest)) is not None:
        return inner
    if (interpreter := INTERPRETERS.get(name)) and not _is_inline(interpreter, rest):
        return _skip_options(rest, interpreter.options) or None
    return None


def _wrapped_command(wrapper: Wrapper, rest: Command) -> Command | None:
    rest = _skip_options(rest, wrapper.options)
    if wrapper.run_subcommands:
        if not rest or rest[0].text not in wrapper.run_subcommands:
            return None
        rest = _skip_options(rest[1:], wrapper.options)
    rest = _skip_options(rest[wrapper.skip :], wrapper.options)
    if wrapper.scripts_only and not (rest and _SCRIPT_FILE.search(rest[0].text)):
        return None
    return rest


def _skip_options(words: Command, with_value: frozenset[str]) -> Command:
    """Drop leading options with their values."""
    start = 0
    while start < len(words) and words[start].text.startswith("-"):
        start += 2 if words[start].text in with_value else 1
    return words[start:]


def _is_inline(interpreter: Interpreter, rest: Command) -> bool:
    """Return whether an option for inline code is among the leading options."""
    position = 0
    while position < len(rest) and (text := rest[position].text).startswith("-"):
        short = not text.startswith("--") and text[1:].isalpha() and interpreter.inline in text
        if text == "-" or short or text.partition("=")[0] in interpreter.long_inline:
            return True
        if interpreter.modules and text == "-m":
            return False
        position += 2 if text in interpreter.options else 1
    return False


def _shell_script_operations(name: str, rest: Command, nesting: int) -> tuple[str, ...]:
    """Return the operations of `bash -c text`, or of the script that a shell runs."""
    start = 0
    while start < len(rest) and rest[start].text.startswith("-"):
        start += 1
    if start >= len(rest):
        return (name,)
    if any("c" in word.text and not word.text.startswith("--") for word in rest[:start]):
        return _text_operations(rest[start].text, nesting + 1) if nesting < MAX_NESTING else ()
    return _command_operations(rest[start:], nesting)


def _operation_name(name: str, rest: Command) -> str:
    """Return the operation of a program that is not a wrapper: its name, and its subcommand if it has one."""
    if (interpreter := INTERPRETERS.get(name)) and _is_inline(interpreter, rest):
        return f"{name} -{interpreter.inline}"
    if tool := TOOLS.get(name):
        return " ".join([name, *_subcommands(tool, rest)])
    return name


def _subcommands(tool: Tool, rest: Command) -> list[str]:
    """Return the subcommand, and its own subcommand if the tool has nested ones."""
    names: list[str] = []
    while len(names) < 2:
        rest = _skip_options(rest, tool.options)
        while rest and _ASSIGNMENT.match(rest[0].text):
            rest = rest[1:]
        if not rest or rest[0].quoted or not _SUBCOMMAND.fullmatch(rest[0].text):
            break
        names.append(_ID.sub("*", rest[0].text))
        if not tool.nested_subcommands & {"*", rest[0].text}:
            break
        rest = rest[1:]
    return names


def _skill_name(detail: str | None) -> str | None:
    """Return a skill's name with a slash, without arguments."""
    words = (detail or "").split(maxsplit=1)
    name = words[0].lstrip("/") if words else ""
    return f"/{name}" if _SKILL_NAME.fullmatch(name) else None
