"""Find the kind of a file by its first telling object: blocks of lines in, a stream's dialect or none out."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from .lines import strict

Dialect = Literal["claude", "gemini", "codex"]

_KINDS = ("system", "assistant", "user", "result", "init", "message", "tool_use", "tool_result")
_KINDS_OF_CODEX = ("thread.", "turn.", "item.")  # each begins the names of several
_TELLING = re.compile(
    rb'"type"\s*+:\s*+"(?:(?:%s)"|%s)'
    % ("|".join(_KINDS).encode(), "|".join(map(re.escape, _KINDS_OF_CODEX)).encode())
)
"""Stands in every line that can tell a dialect, and in lines that quote one."""

_SOMETHING = re.compile(rb"\S")
_OBJECT = re.compile(rb"^[ \t\r]*+\{", re.MULTILINE)
_BEGIN = re.compile(rb'\s*+(?:\[\s*+)?+\{\s*+"type"\s*+:\s*+"(?:system|result)"\s*+,\s*+"subtype"')
_TRIES = 200  # lines that are parsed only to learn whether the file is JSON at all


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


_TRAITS = msgspec.json.Decoder(_Traits)


class Sniffer:
    r"""Looks through a file's blocks until a line tells a dialect, however many lines stand before it.

    Only lines that may tell one are parsed. Feed it block by block.

    >>> Sniffer().look(b'Loaded cached credentials.\n{"type": "init", "session_id": "s", "model": "m"}\n')
    'gemini'
    >>> Sniffer().look(b'{"operation": "read", "file_path": "x"}\n') is None
    True
    """

    def __init__(self) -> None:
        self.lines = 0
        self.is_cut = False  # the last line has no end
        self.is_empty = True
        self.is_json = False  # at least one line is a JSON object
        self._tries = 0

    def look(self, block: bytes) -> Dialect | None:
        """Return the dialect that a line of this block tells; the counts are of all blocks so far."""
        self.is_cut = bool(block) and not block.endswith(b"\n")
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
        self._look_for_json(block)
        return None

    def _look_for_json(self, block: bytes) -> None:
        at = 0
        while not self.is_json and self._tries < _TRIES and (found := _OBJECT.search(block, at)):
            self._tries += 1
            at = _line_end(block, found.end())
            self.is_json = _traits(block[found.start() : at]) is not None


def told_by_element(element: bytes) -> Dialect | None:
    """Return the dialect that one object of a `.json` file tells.

    Much that is no stream is kept in such files, so it takes more than in a JSONL file: conversations of
    other programs have elements of type user and message too.

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
    """Tell whether an object of a `.json` file is the result that ends a stream."""
    traits = _traits(element)
    return traits is not None and traits.type == "result" and _result_dialect(traits) is not None


def may_tell(begin: bytes) -> bool:
    """Tell whether anything in the first bytes of a `.json` file can be an object of a stream."""
    return begin.lstrip()[:1] in (b"[", b"{") and _TELLING.search(begin) is not None


def is_begun_stream(begin: bytes) -> bool:
    """Tell whether a `.json` file begins as those that Claude Code writes do, even if it is cut off."""
    return _BEGIN.match(begin) is not None


def _line_end(block: bytes, at: int) -> int:
    end = block.find(b"\n", at)
    return end if end >= 0 else len(block)


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


def _dialect(line: _Traits) -> Dialect | None:
    kind = line.type
    if not isinstance(kind, str):
        return None
    if kind == "result":
        return _result_dialect(line)
    if kind in ("system", "assistant", "user"):
        telling = line.session_id or line.sessionId or line.message
        return "claude" if telling or (kind == "system" and line.subtype is not None) else None
    if kind in ("init", "message", "tool_use", "tool_result"):
        return "gemini"
    return "codex" if kind.startswith(_KINDS_OF_CODEX) else None


def _result_dialect(line: _Traits) -> Dialect | None:
    if line.total_cost_usd is not None or line.modelUsage is not None or line.usage is not None:
        return "claude"
    if line.stats is not None:
        return "gemini"
    return "claude" if line.subtype is not None and line.session_id else None
