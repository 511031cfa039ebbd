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

from ...common.models import Problem, StreamFacts
from ..files import FileStamp, OpenFileStat, open_file
from .block_reader import BLOCK_SIZE, BlockReader
from .checkpoint import MIN_SIZE, PARSERS, Checkpoint, StreamParser, boundary_hash_of, encode_state
from .elements import Elements
from .format_detection import Sniffer, is_begun_stream, is_result, may_tell, told_by_element
from .result_lines_reader import parse_result_lines

__all__ = ["Checkpoint", "StreamRead", "identity_of", "read_result_lines", "read_stream", "resume_stream"]


_BEGINNING = 64 * 1024  # bytes of a stream that are read for its first line

UNKNOWN_KIND = "a stream of an unknown kind: nothing of it is counted"


class StreamRead(NamedTuple):
    """What came of reading one stream."""

    facts: StreamFacts | None  # None: the file is whole JSON, but no agent's stream
    checkpoint: Checkpoint | None  # from where to read on, where one was wanted and the stream is long enough
    problem: Problem | None = None  # a JSONL file that is no known kind of stream


def read_stream(file: Path | str, path: str, agent: str) -> StreamFacts | None:
    """Return what the stream says, or None where the file is whole JSON but no agent's stream.

    `path` is the name that problems and records carry; `agent` is the agent that the layout tells.
    A file that holds no JSON comes back with format "unreadable", one that cannot be opened with "unread",
    each with a problem.
    """
    return resume_stream(file, path, agent, None, wanted=False).facts


def read_result_lines(
    file: Path | str, path: str, agent: str, stamp: FileStamp | None = None
) -> StreamFacts | None:
    """Return what a stream cost, without its messages and tools; None where it is to be read whole."""
    if path.endswith(".json"):
        return None
    try:
        handle, status = open_file(file, stamp)
        with handle:
            return parse_result_lines(BlockReader(handle, status.st_size), path, agent, status)
    except OSError:
        return None  # reading it whole says why


def identity_of(file: Path | str, path: str) -> str | None:
    """Return what tells a stream apart, by its beginning alone; None where no whole line is there."""
    try:
        handle, status = open_file(file)
        with handle:
            source = BlockReader(handle, min(status.st_size, _BEGINNING))
            if path.endswith(".json"):
                return next((_identity(raw + b"\n") for _, raw in Elements(source.pieces())), None)
            return _identity(next(iter(source), b""))
    except OSError:
        return None


def _identity(block: bytes) -> str | None:
    """Return the name of a block's first line; None where the line is not whole."""
    line = block[: block.find(b"\n") + 1]
    return hashlib.blake2b(line, digest_size=16).hexdigest() if line else None


def resume_stream(
    file: Path | str,
    path: str,
    agent: str,
    mark: Checkpoint | None = None,
    *,
    wanted: bool = True,
    stamp: FileStamp | None = None,
) -> StreamRead:
    """Return the same, read on from `mark` where the file only grew since, else from its start.

    `stamp` is what a listing told of it: a file that lies elsewhere is then not asked for it again.
    """
    try:
        handle, status = open_file(file, stamp)
        with handle:
            asked = _Opened(handle, status, path, agent, wanted)
            found = _read_on(asked, mark) if mark and mark.matches(handle, status) else _read(asked)
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
    status: OpenFileStat
    path: str
    agent: str
    wanted: bool  # a bookmark


def _read_on(opened: _Opened, mark: Checkpoint) -> StreamRead:
    source = BlockReader(opened.handle, opened.status.st_size, mark.offset)
    return _Pass(opened, source, mark.kind, mark.restore_parser(), mark.lines, mark.identity).through(source)


def _read(opened: _Opened) -> StreamRead:
    if opened.path.endswith(".json"):
        return _read_json(opened)
    source = BlockReader(opened.handle, opened.status.st_size)
    blocks = iter(source)
    first = next(blocks, b"")
    sniffer = Sniffer()
    kind = sniffer.look(first)
    if kind is None:  # many lines that tell nothing may stand before the first that does
        kind = next(filter(None, map(sniffer.look, blocks)), None)
        source = BlockReader(opened.handle, opened.status.st_size)
        blocks, first = iter(source), b""
    if kind is None and sniffer.is_alike:
        kind = "claude"
    if kind is None:
        return _of_no_kind(opened, sniffer)
    return _Pass(opened, source, kind, PARSERS[kind](opened.path)).through(chain([first], blocks))


def _of_no_kind(opened: _Opened, sniffer: Sniffer) -> StreamRead:
    path, lines = opened.path, sniffer.lines
    if sniffer.is_empty:
        return StreamRead(StreamFacts(path, "empty", opened.agent), None)
    if sniffer.is_agents:
        problem = Problem(path, UNKNOWN_KIND, None, "warning")
        return StreamRead(StreamFacts(path, "unknown", opened.agent, lines=lines, problems=(problem,)), None)
    if sniffer.is_json:
        some = "its one line is of no" if lines == 1 else f"none of its {lines:,} lines is of a"
        reason = f"not read: {some} known kind of stream"
        return StreamRead(None, None, Problem(path, reason, severity="warning"))
    is_begun = lines == 1 and sniffer.is_cut and sniffer.is_begun
    reason = "the first line is cut off" if is_begun else "no line of it is JSON"
    return StreamRead(_unreadable(opened, reason, lines, cut=sniffer.is_cut), None)


def _unreadable(opened: _Opened, reason: str, lines: int, *, cut: bool) -> StreamFacts:
    problem = Problem(opened.path, reason, 1)
    return StreamFacts(
        opened.path, "unreadable", opened.agent, lines=lines, is_truncated=cut, problems=(problem,)
    )


def _read_json(opened: _Opened) -> StreamRead:
    """Read a `.json` file whose objects are those of a stream; any other is none of ours."""
    pieces = BlockReader(opened.handle, opened.status.st_size).pieces()
    begin = next(pieces, b"")
    if not may_tell(begin):
        return StreamRead(None, None)
    elements = Elements(chain([begin], pieces))
    every = iter(elements)
    looked_at: list[tuple[int, bytes]] = []
    kind, size = None, 0
    for number, raw in every:
        looked_at.append((number, raw))
        size += len(raw)
        if (kind := told_by_element(raw)) is not None or size > BLOCK_SIZE:
            break
    if kind is not None and not begin.lstrip().startswith(b"[") and not is_result(looked_at[-1][1]):
        looked_at.extend(islice(every, 1))
        if len(looked_at) == 1:  # one object alone is a stream only if it is a result
            return StreamRead(None, None)
    if kind is None:
        is_ours = is_begun_stream(begin) and len(looked_at) <= 1
        facts = _unreadable(opened, "it is cut off or damaged", 1, cut=elements.cut_at is not None)
        return StreamRead(facts if is_ours else None, None)
    return _read_elements(opened, PARSERS[kind](opened.path), chain(looked_at, every), elements)


def _read_elements(
    opened: _Opened, reading: StreamParser, every: Iterable[tuple[int, bytes]], elements: Elements
) -> StreamRead:
    """Take in each object as a line. Its number is the line in which it begins, if no other does."""
    number, identity = 0, None
    for line, raw in every:
        whole = raw + b"\n"
        identity = identity or _identity(whole)
        number = reading.feed(whole, max(number, line - 1))
    facts = replace(reading.result(opened.agent), identity=identity)
    if elements.cut_at is not None:
        problem = Problem(facts.path, elements.cut_reason, max(number, elements.cut_at), "warning")
        facts = replace(facts, is_truncated=True, problems=(*facts.problems, problem))
    return StreamRead(facts, None)


@dataclass(slots=True)
class _Pass:
    """One pass over a stream's lines; the last one may be half-written, and is left for the next time."""

    opened: _Opened
    source: BlockReader
    kind: str
    reading: StreamParser
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
        facts = self.reading.result(self.opened.agent)
        if cut:
            kept = tuple(p for p in facts.problems if p.line != self.number)
            problems = (*kept, Problem(facts.path, "the last line is cut off", self.number, "warning"))
            facts = replace(facts, problems=problems)
        return StreamRead(replace(facts, is_truncated=cut, identity=self.identity), mark)

    def _take(self, block: bytes) -> None:
        if self.identity is None:
            self.identity = _identity(block)
        self.number = self.reading.feed(block, self.number)

    def _take_last(self, block: bytes) -> bool:
        """Take a line without its end; tell whether it is half-written."""
        self.number = self.reading.feed(block, self.number)
        return self.reading.begun is not None or self.reading.bad_line == self.number

    def _mark(self) -> Checkpoint | None:
        """Return a bookmark for the lines taken in, where one is wanted and worth it."""
        offset = self.source.end
        if not self.opened.wanted or not self.source.resumable or offset < MIN_SIZE:
            return None
        ends = boundary_hash_of(self.opened.handle, offset)
        state = encode_state(self.reading)
        inode = self.opened.status.st_ino
        return Checkpoint(offset, self.number, inode, ends, self.identity, self.kind, state)
