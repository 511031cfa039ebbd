"""Parse one agent stream file of any supported CLI into StreamFacts. Never writes, never calculates costs."""

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


_BEGINNING = 64 * 1024  # bytes read to find a stream's first line

UNKNOWN_KIND = "a stream of an unknown kind: nothing of it is counted"


class StreamRead(NamedTuple):
    """Result of reading one stream."""

    facts: StreamFacts | None  # None: the file is valid JSON, but not an agent's stream
    checkpoint: Checkpoint | None  # where to resume; None if not wanted, or if the stream is short
    problem: Problem | None = None  # set if a JSONL file is not a known kind of stream


def read_stream(file: Path | str, path: str, agent: str) -> StreamFacts | None:
    """Parse a stream; return None if the file is valid JSON but not an agent's stream.

    `path` is the file's name in problems and facts; `agent` is the agent's name according to the file layout.
    A file without JSON gets the format "unreadable", one that cannot be opened "unread", each with a problem.
    """
    return resume_stream(file, path, agent, None, wanted=False).facts


def read_result_lines(
    file: Path | str, path: str, agent: str, stamp: FileStamp | None = None
) -> StreamFacts | None:
    """Parse only a stream's result lines, without messages and tool calls; None if it must be read whole."""
    if path.endswith(".json"):
        return None
    try:
        handle, status = open_file(file, stamp)
        with handle:
            return parse_result_lines(BlockReader(handle, status.st_size), path, agent, status)
    except OSError:
        return None  # reading it whole reports the reason


def identity_of(file: Path | str, path: str) -> str | None:
    """Return a hash of a stream's first line or object, which identifies it; None if that is not complete."""
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
    """Return a hash of a block's first line; None if the line is not complete."""
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
    """Parse a stream from checkpoint `mark` if the file only grew since then, else from its start.

    `wanted` is whether to return a new checkpoint. A `stamp` from a listing saves a remote request.
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
    """An open file and the parameters of reading it."""

    handle: BinaryIO
    status: OpenFileStat
    path: str
    agent: str
    wanted: bool  # whether to return a checkpoint


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
    if kind is None:  # many lines without a mark of any dialect may precede the first that has one
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
    """Parse a `.json` file whose objects are those of a stream; return no facts for any other file."""
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
    """Parse each object as a line, numbered by the line in which it begins; numbers always increase."""
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
    """One pass over a stream's lines; the last may be half-written, so a checkpoint is set before it."""

    opened: _Opened
    source: BlockReader
    kind: str
    reading: StreamParser
    number: int = 0
    identity: str | None = None  # hash of the first complete line, which differs between attempts

    def through(self, blocks: Iterable[bytes]) -> StreamRead:
        """Parse the lines; return the facts, and a checkpoint after the last complete line."""
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
        """Parse a line without its line feed; return whether it is half-written."""
        self.number = self.reading.feed(block, self.number)
        return self.reading.begun is not None or self.reading.bad_line == self.number

    def _mark(self) -> Checkpoint | None:
        """Return a checkpoint after the lines parsed so far; None if not wanted, impossible or too early."""
        offset = self.source.end
        if not self.opened.wanted or not self.source.resumable or offset < MIN_SIZE:
            return None
        ends = boundary_hash_of(self.opened.handle, offset)
        state = encode_state(self.reading)
        inode = self.opened.status.st_ino
        return Checkpoint(offset, self.number, inode, ends, self.identity, self.kind, state)
