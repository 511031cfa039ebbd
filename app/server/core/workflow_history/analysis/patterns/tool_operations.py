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
_NAME = re.compile(r"(@[A-Za-z0-9._-]{1,40}/)?[A-Za-z0-9_*][A-Za-z0-9_.+*-]{0,59}")
_SUBCOMMAND = re.compile(r"[A-Za-z*][A-Za-z0-9:_.*-]{0,39}")
_SCRIPT = re.compile(r"\.([cm]?[jt]sx?|py|sh|rb|pl|php)$")
_ID = re.compile(r"(?=[0-9a-f]*[0-9])[0-9a-f]{7,}|[0-9]{5,}")
_VERSIONED = re.compile(r"(python|pypy|pip|node|ruby|perl|php)[0-9.]+")
_SKILL = re.compile(r"[\w:.-]{1,150}")
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
        return (_skill(call.detail) or tool,), True
    return _of_tool(tool)


@lru_cache(maxsize=512)  # few tools, thousands of calls
def _of_tool(tool: str) -> tuple[tuple[str, ...], bool]:
    name = " ".join(redact_text(tool).split())[:MAX_OPERATION_CHARS]
    return (name,) if name else (), tool.startswith("mcp__")


@lru_cache(maxsize=2048)
def shell_operations(text: str) -> tuple[str, ...]:
    """Return the operations of a shell command line.

    >>> shell_operations('git add -A && git commit -m "fix: a | b"')
    ('git add', 'git commit')
    """
    return _of_text(redact_text(text), 0)  # first, as a truncated secret would not be recognized


def _of_text(text: str, nesting: int) -> tuple[str, ...]:
    found = [_of_command(command, nesting) for command in simple_commands(text)]
    return tuple(operation for operations in found for operation in operations)


def _of_command(command: Command, nesting: int) -> tuple[str, ...]:
    """Return the operations of one simple command, without programs that only wrap it."""
    words = _bare(command)
    while words:
        name = program_name(words[0])
        if name is None or name in IGNORED_PROGRAMS or name in SHELL_PREFIXES or name in SHELL_KEYWORDS:
            return ()
        if name in PIPE_FILTERS and command[0].piped:
            return ()
        if name in SHELLS:
            return _of_shell(name, words[1:], nesting)
        rest = _unwrapped(name, words[1:])
        if rest is None:
            return (_named(name, words[1:]),)
        words = _bare(rest)
    return _of_assignments(command, nesting)


def _bare(words: Command) -> Command:
    """Drop shell words and assignments before a command.

    The parts of a condition `[[ ... ]]` between its `&&` are not commands.
    """
    at = 0
    while at < len(words) and not words[at].quoted and words[at].text in SHELL_PREFIXES:
        at += 1
    while at < len(words) and _ASSIGNMENT.match(words[at].text):
        at += 1
    closes_condition = bool(words) and words[-1].text == "]]" and not words[-1].quoted
    return () if closes_condition else words[at:]


def _of_assignments(command: Command, nesting: int) -> tuple[str, ...]:
    """Return the operations of `name=$(...)`: the substitution is the command that ran."""
    inner = [part for word in command if _ASSIGNMENT.match(word.text) for part in word.substitutions]
    if nesting >= MAX_NESTING:
        return ()
    return tuple(operation for part in inner for operation in _of_command(part, nesting + 1))


def program_name(word: Word) -> str | None:
    """Return a program's name without directory, version and ids, or None if the word cannot be one.

    >>> [program_name(Word(text)) for text in ("/usr/bin/python3.11", "$TOOL", "run_8f3a2b1c.sh")]
    ['python', None, 'run_*.sh']
    """
    text = word.text if word.text.startswith("@") else re.split(r"[/\\]", word.text)[-1]
    text = _EXECUTABLE.sub("", text[:1] + text[1:].partition("@")[0])
    if not _NAME.fullmatch(text):
        return None
    if versioned := _VERSIONED.fullmatch(text):
        return versioned[1]
    name = "node" if text == "nodejs" else _ID.sub("*", text)
    return name if any(char.isalpha() for char in name) else None


def _unwrapped(name: str, rest: Command) -> Command | None:
    """Return the command that a wrapper or interpreter runs, or None if the program does its own work."""
    if (wrapper := WRAPPERS.get(name)) and (inner := _wrapped(wrapper, rest)) is not None:
        return inner
    if interpreter := INTERPRETERS.get(name):
        return _interpreted(interpreter, rest)
    return None


def _wrapped(wrapper: Wrapper, rest: Command) -> Command | None:
    rest = _without_options(rest, wrapper.options)
    if wrapper.run_subcommands:
        if not rest or rest[0].text not in wrapper.run_subcommands:
            return None
        rest = _without_options(rest[1:], wrapper.options)
    rest = _without_options(rest[wrapper.skip :], wrapper.options)
    if wrapper.scripts_only and not (rest and _SCRIPT.search(rest[0].text)):
        return None
    return rest


def _without_options(words: Command, with_value: frozenset[str]) -> Command:
    """Drop leading options with their values."""
    at = 0
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in with_value else 1
    return words[at:]


def _interpreted(interpreter: Interpreter, rest: Command) -> Command | None:
    """Return the script or module that an interpreter runs; None: inline code, or no script named."""
    if _is_inline(interpreter, rest):
        return None
    return _without_options(rest, interpreter.options) or None


def _is_inline(interpreter: Interpreter, rest: Command) -> bool:
    """Return whether an option for inline code is among the leading options."""
    at = 0
    while at < len(rest) and (text := rest[at].text).startswith("-"):
        short = not text.startswith("--") and text[1:].isalpha() and interpreter.inline in text
        if text == "-" or short or text.partition("=")[0] in interpreter.long_inline:
            return True
        if interpreter.modules and text == "-m":
            return False
        at += 2 if text in interpreter.options else 1
    return False


def _of_shell(name: str, rest: Command, nesting: int) -> tuple[str, ...]:
    """Return the operations of `bash -c text`, or of the script that a shell runs."""
    at = 0
    while at < len(rest) and rest[at].text.startswith("-"):
        at += 1
    if at >= len(rest):
        return (name,)
    if any("c" in word.text and not word.text.startswith("--") for word in rest[:at]):
        return _of_text(rest[at].text, nesting + 1) if nesting < MAX_NESTING else ()
    return _of_command(rest[at:], nesting)


def _named(name: str, rest: Command) -> str:
    """Return the operation of a program that is not a wrapper: its name, and its subcommand if it has one."""
    if (interpreter := INTERPRETERS.get(name)) and _is_inline(interpreter, rest):
        return f"{name} -{interpreter.inline}"
    if tool := TOOLS.get(name):
        return " ".join([name, *_subcommands(tool, rest)])
    return name


def _subcommands(tool: Tool, rest: Command) -> list[str]:
    """Return the subcommand, and its own subcommand if the tool has nested ones."""
    found: list[str] = []
    while len(found) < 2:
        rest = _without_options(rest, tool.options)
        while rest and _ASSIGNMENT.match(rest[0].text):
            rest = rest[1:]
        if not rest or rest[0].quoted or not _SUBCOMMAND.fullmatch(rest[0].text):
            break
        found.append(_ID.sub("*", rest[0].text))
        if not tool.nested_subcommands & {"*", rest[0].text}:
            break
        rest = rest[1:]
    return found


def _skill(detail: str | None) -> str | None:
    """Return a skill's name with a slash, without arguments."""
    words = (detail or "").split(maxsplit=1)
    name = words[0].lstrip("/") if words else ""
    return f"/{name}" if _SKILL.fullmatch(name) else None
