"""Read one stream file: a path in, StreamFacts out, whichever CLI wrote it. Never writes, never prices."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec.structs import replace

from ..models import Problem, StreamFacts
from ..places import Stamp, Status, opened
from .blocks import Blocks, lines_of
from .bookmark import FROM, READINGS, Bookmark, Reading, ends_of, packed
from .results import results_of
from .sniff import LOOK_AT, sniff

__all__ = ["Bookmark", "StreamRead", "read_on", "read_results", "read_stream"]


UNKNOWN_KIND = "a stream of an unknown kind: nothing of it is counted"


class StreamRead(NamedTuple):
    """What came of reading one stream."""

    facts: StreamFacts | None  # None: the file is whole JSON, but no agent's stream
    mark: Bookmark | None  # from where to read on, where one was wanted and the stream is long enough


def read_stream(file: Path | str, path: str, agent: str) -> StreamFacts | None:
    """Return what the stream says, or None where the file is whole JSON but no agent's stream.

    `path` is the name that problems and records carry; `agent` is the agent that the layout tells.
    A file that holds no JSON comes back with format "unreadable", one that cannot be opened with "unread",
    each with a problem.
    """
    return read_on(file, path, agent, None, wanted=False).facts


def read_results(file: Path | str, path: str, agent: str, stamp: Stamp | None = None) -> StreamFacts | None:
    """Return what a stream cost, without its messages and tools; None where it is to be read whole."""
    try:
        handle, status = opened(file, stamp)
        with handle:
            return results_of(Blocks(handle, status.st_size), path, agent, status)
    except OSError:
        return None  # reading it whole says why


def read_on(
    file: Path | str,
    path: str,
    agent: str,
    mark: Bookmark | None = None,
    *,
    wanted: bool = True,
    stamp: Stamp | None = None,
) -> StreamRead:
    """Return the same, read on from `mark` where the file only grew since, else from its start.

    `stamp` is what a listing told of it: a file that lies elsewhere is then not asked for it again.
    """
    try:
        handle, status = opened(file, stamp)
        with handle:
            asked = _Opened(handle, status, path, agent, wanted)
            found = _read_on(asked, mark) if mark and mark.fits(handle, status) else _read(asked)
    except OSError as error:
        problem = Problem(path, f"cannot be read: {error.strerror or error}", refused=True)
        return StreamRead(StreamFacts(path, "unread", agent, problems=(problem,)), None)
    if found.facts is None:
        return found
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return found._replace(facts=replace(found.facts, size=status.st_size, modified_at=modified))


class _Opened(NamedTuple):
    """An open file, and what is asked of it."""

    handle: BinaryIO
    status: Status
    path: str
    agent: str
    wanted: bool  # a bookmark


def _read_on(opened: _Opened, mark: Bookmark) -> StreamRead:
    source = Blocks(opened.handle, opened.status.st_size, mark.offset)
    return _Pass(opened, source, mark.kind, mark.reading(), mark.lines, mark.identity).through(source)


def _read(opened: _Opened) -> StreamRead:
    handle, size = opened.handle, opened.status.st_size
    source = Blocks(handle, size)
    blocks = iter(source)
    first = next(blocks, b"")
    kind = sniff(islice(lines_of(first), LOOK_AT))
    if kind not in READINGS and first.count(b"\n") < LOOK_AT:  # the first block alone did not tell
        every = (raw for block in Blocks(handle, size) for raw in lines_of(block))
        kind = sniff(islice(every, LOOK_AT))
        source = Blocks(handle, size)
        blocks, first = iter(source), b""
    if kind == "no stream":
        return StreamRead(None, None)
    if kind == "unknown":
        return StreamRead(_unknown(opened.path, opened.agent), None)
    if kind == "empty":
        return StreamRead(StreamFacts(opened.path, "empty", opened.agent), None)
    if kind == "no json":
        return StreamRead(_no_json(opened.path, opened.agent, chain([first], blocks)), None)
    return _Pass(opened, source, kind, READINGS[kind](opened.path)).through(chain([first], blocks))


def _unknown(path: str, agent: str) -> StreamFacts:
    problem = Problem(path, UNKNOWN_KIND, None, "warning")
    return StreamFacts(path, "unknown", agent, problems=(problem,))


def _no_json(path: str, agent: str, blocks: Iterable[bytes]) -> StreamFacts:
    count, cut = 0, False
    for block in blocks:
        cut = bool(block) and not block.endswith(b"\n")
        count += block.count(b"\n") + cut
    reason = "the first line is cut off" if count == 1 and cut else "no line of it is JSON"
    problem = Problem(path, reason, 1)
    return StreamFacts(path, "unreadable", agent, lines=count, cut=cut, problems=(problem,))


@dataclass(slots=True)
class _Pass:
    """One pass over a stream's lines; the last one may be half-written, and is left for the next time."""

    opened: _Opened
    source: Blocks
    kind: str
    reading: Reading
    number: int = 0
    identity: str | None = None  # by the first whole line: another line, another attempt

    def through(self, blocks: Iterable[bytes]) -> StreamRead:
        """Take the lines in; return the facts, and the place after the last whole line."""
        mark = None
        cut = False
        for block in blocks:
            if block.endswith(b"\n"):
                self._take(block)
            elif block:
                mark = self._mark()
                cut = self._take_last(block)
        mark = mark or self._mark()
        facts = self.reading.facts(self.opened.agent)
        if cut:
            kept = tuple(p for p in facts.problems if p.line != self.number)
            problems = (*kept, Problem(facts.path, "the last line is cut off", self.number, "warning"))
            facts = replace(facts, problems=problems)
        return StreamRead(replace(facts, cut=cut, identity=self.identity), mark)

    def _take(self, block: bytes) -> None:
        if self.identity is None:
            first = block[: block.find(b"\n") + 1]
            self.identity = hashlib.blake2b(first, digest_size=16).hexdigest()
        self.number = self.reading.take_block(block, self.number)

    def _take_last(self, block: bytes) -> bool:
        """Take a line without its end; tell whether it is half-written."""
        self.number = self.reading.take_block(block, self.number)
        return self.reading.begun is not None or self.reading.bad_line == self.number

    def _mark(self) -> Bookmark | None:
        """Return a bookmark for the lines taken in, where one is wanted and worth it."""
        offset = self.source.end
        if not self.opened.wanted or not self.source.resumable or offset < FROM:
            return None
        ends = ends_of(self.opened.handle, offset)
        state = packed(self.reading)
        inode = self.opened.status.st_ino
        return Bookmark(offset, self.number, inode, ends, self.identity, self.kind, state)
