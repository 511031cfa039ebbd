"""Read one stream file: a path in, StreamFacts out, whichever CLI wrote it. Never writes, never prices."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from ..models import Problem, StreamFacts
from .claude import read_claude
from .others import read_codex, read_gemini
from .sniff import LOOK_AT, sniff

Reader = Callable[[str, str, Iterable[tuple[int, bytes]]], StreamFacts]

READERS: dict[str, Reader] = {
    "claude": read_claude,
    "gemini": read_gemini,
    "codex": read_codex,
}

_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def read_stream(file: Path, path: str, agent: str) -> StreamFacts | None:
    """Return what the stream says, or None where the file is whole JSON but no agent's stream.

    `path` is the name that problems and records carry; `agent` is the agent that the layout tells.
    A file that cannot be opened or holds no JSON comes back with format "unreadable" and a problem.
    """
    try:
        with os.fdopen(_open_regular(file), "rb") as handle:
            status = os.fstat(handle.fileno())
            facts = _read(handle, path, agent)
    except OSError as error:
        problem = Problem(path, f"cannot be read: {error.strerror or error}")
        return StreamFacts(path, "unreadable", agent, problems=(problem,))
    if facts is None:
        return None
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return replace(facts, size=status.st_size, modified_at=modified)


def _open_regular(file: Path) -> int:
    """Open without following a link at the end and without waiting for a pipe's other side."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(file, flags | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(0, "it is no regular file")
    return handle


def _read(handle: BinaryIO, path: str, agent: str) -> StreamFacts | None:
    kind = sniff(islice(_lines(handle), LOOK_AT))
    if kind == "no stream":
        return None
    if kind == "empty":
        return StreamFacts(path, "empty", agent)
    tail = _Tail()
    if kind == "no json":
        lines = sum(1 for _ in tail.follow(_lines(handle)))
        reason = "the first line is cut off" if lines == 1 and not tail.whole else "no line of it is JSON"
        problem = Problem(path, reason, 1)
        return StreamFacts(path, "unreadable", agent, lines=lines, cut=not tail.whole, problems=(problem,))
    facts = READERS[kind](path, agent, tail.follow(_lines(handle)))
    return _with_tail(facts, tail)


def _with_tail(facts: StreamFacts, tail: _Tail) -> StreamFacts:
    """Tell a last line that is half-written from a bad one."""
    cut = not tail.whole and any(p.line == tail.number and p.severity == "error" for p in facts.problems)
    problems = facts.problems
    if cut:
        kept = tuple(p for p in problems if p.line != tail.number)
        problems = (*kept, Problem(facts.path, "the last line is cut off", tail.number, "warning"))
    return replace(facts, cut=cut, identity=tail.identity, problems=problems)


class _Tail:
    """Follows the lines of a stream: its first whole line is its identity, its last may be half-written."""

    def __init__(self) -> None:
        self.identity: str | None = None
        self.whole = True
        self.number = 0

    def follow(self, lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        """Yield (number, line) for each line that is not blank."""
        for number, raw in enumerate(lines, 1):
            self.number = number
            self.whole = raw.endswith(b"\n")
            if self.identity is None and self.whole:
                self.identity = hashlib.blake2b(raw, digest_size=16).hexdigest()
            if not raw.isspace():
                yield number, raw


def _lines(handle: BinaryIO) -> Iterator[bytes]:
    """Yield a file's lines as UTF-8 bytes from its start; Windows shells redirect as UTF-16."""
    handle.seek(0)
    start = handle.read(3)
    if start[:2] in _UTF16_BOMS:
        yield from _utf16_lines(handle)
        return
    handle.seek(len(_UTF8_BOM) if start == _UTF8_BOM else 0)
    # Not "yield from handle": closing this generator would close the file with it.
    yield from iter(handle.readline, b"")


def _utf16_lines(handle: BinaryIO) -> Iterator[bytes]:
    handle.seek(0)
    text = handle.read().decode("utf-16", errors="replace")
    for line in text.splitlines(keepends=True):
        yield line.encode("utf-8", errors="replace")
