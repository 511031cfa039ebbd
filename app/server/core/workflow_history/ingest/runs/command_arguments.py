"""Separate the arguments of a slash command, such as ids, paths and options, from the task. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from ...common.phases import classify_phase, split_name

_MAX_TEXT: Final = 1_000  # characters of a text that are compared with a path's shape

_DOCUMENT: Final = r"\.(?:md|mdx|markdown|txt|json|jsonl|ya?ml|toml|rst|adoc|html?)"
_PATH: Final = re.compile(
    rf"@?(?:[\w~.-]*[/\\])*[\w@~+.-]+{_DOCUMENT}"
    r"|@?(?:\.{0,2}|~|[\w.-]+)/(?:[\w@~+.-]+/)*[\w@~+.-]*"
    r"|@?[a-z]:[/\\][^\s\"'`]*|file:/\S+",
    re.IGNORECASE,
)
_SPACED_PATH: Final = re.compile(
    rf"@?(?:file:/+)?(?:\.{{0,2}}/|~/|[a-z]:[/\\]|[\w.-]+[/\\])(?![^\s]*\.\w+\s)[^\n\"'`]*{_DOCUMENT}",
    re.IGNORECASE,
)
"""A path with blanks in it; a text whose first word is a complete path is no such path."""

_DOCUMENT_END: Final = re.compile(rf"{_DOCUMENT}[\"'`,]*$", re.IGNORECASE)
_QUOTED: Final = re.compile(r"([\"'`])(?P<text>[^\n]*?)\1(?=\s|$)")
_OPTION: Final = re.compile(r"--?[a-z][\w-]*(?:=(?:\"[^\"\n]*\"|'[^'\n]*'|\S*))?(?=\s|$)", re.IGNORECASE)
_ID: Final = re.compile(r"adw[_-][\w-]+|[0-9a-f]{8}|#?\d+|agents/\S+", re.IGNORECASE)
_AGENT_ENDINGS: Final = ("er", "or")


def is_path(text: str) -> bool:
    """Return whether a text consists only of file paths.

    >>> is_path("specs/plan-7.md"), is_path("Update docs/README.md"), is_path("./specs/plan")
    (True, False, True)
    >>> is_path('"./specs/my plan.md"'), is_path("file:///srv/plan.md")
    (True, True)
    """
    text = text[:_MAX_TEXT].strip()
    unquoted = text.strip("\"'`,")
    if unquoted != text and _SPACED_PATH.fullmatch(unquoted):
        return True
    words = text.split()
    return bool(words) and all(_PATH.fullmatch(word.strip("\"'`,")) for word in words)


def is_path_argument(argument: str) -> bool:
    """Return whether one argument, which may have blanks, is a path.

    >>> is_path_argument("specs/my plan.md"), is_path_argument("Update docs/README.md")
    (True, False)
    """
    return is_path(argument) or _SPACED_PATH.fullmatch(argument[:_MAX_TEXT].strip()) is not None


def without_arguments(text: str, run_ids: Collection[str] = ()) -> str:
    """Return the text after a slash command's ids, paths and options; "" if nothing else is left.

    `run_ids` are the ids of the run, which may have any form. One word after a path or an option is another
    argument, such as an agent's name.

    >>> without_arguments("7 fix-login Make it red", ["fix-login"]), without_arguments("--plan=specs/a.md")
    ('Make it red', '')
    >>> without_arguments("a0000005 specs/plan.md reviewer"), without_arguments("Add --verbose to ls")
    ('', 'Add --verbose to ls')
    """
    ids = frozenset(run_id for run_id in run_ids if not run_id.isalpha())
    rest, had_argument = text.strip(), False
    while rest:
        end, is_id = _leading_argument(rest, ids)
        if not end:
            break
        had_argument = had_argument or not is_id
        rest = rest[end:].lstrip()
    is_one_word = len(rest.split(maxsplit=1)) == 1
    return "" if is_one_word and (had_argument or _is_agent(rest)) else rest


def _leading_argument(text: str, ids: Collection[str]) -> tuple[int, bool]:
    """Return the length of the argument that a text begins with (0: none), and whether it is an id."""
    word = text[:_MAX_TEXT].split(maxsplit=1)[0]
    if word in ids or _ID.fullmatch(word):
        return len(word), True
    if (quoted := _QUOTED.match(text)) and is_path_argument(quoted["text"]):
        return quoted.end(), False
    if _PATH.fullmatch(word.strip("\"'`,")) and (word == text or _DOCUMENT_END.search(word)):
        return len(word), False
    option = _OPTION.match(text)
    if option is None:
        return 0, False
    following = text[option.end() :].lstrip()
    # A task may begin with an option's name: "--verbose is ignored".
    is_argument = "=" in option[0] or not following or not following[0].islower() or " " not in following
    return (option.end() if is_argument or _leading_argument(following, ids)[0] else 0), False


def _is_agent(word: str) -> bool:
    words = split_name(word)
    return bool(words) and classify_phase(word) != "other" and words[-1].endswith(_AGENT_ENDINGS)
