"""Parse one agent stream file of any supported CLI into StreamFacts. Never writes, never calculates costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from msgspec.structs import replace

from ...common.models import Problem, Severity, StreamFacts, StreamFormat
from ...common.urls import is_url
from ..files import FileStamp, OpenFileStat, open_file
from .block_reader import BLOCK_SIZE, BlockReader, hash_first_line
from .checkpoint import MIN_SIZE, Checkpoint, boundary_hash_of, encode_state
from .elements import Elements
from .format_detection import (
    Sniffer,
    begins_like_claude_json,
    element_dialect,
    is_result,
    may_contain_stream,
    record_dialect,
)
from .gemini_chat import GeminiChatParser, document_records, read_project_root, split_document
from .parsers import PARSERS, StreamParser
from .repair import recover_records
from .result_lines_reader import parse_result_lines

__all__ = ["Checkpoint", "StreamRead", "identity_of", "read_result_lines", "read_stream", "resume_stream"]


_IDENTITY_BYTES = 64 * 1024  # bytes read to find a stream's first line

UNKNOWN_KIND = "a transcript of an unknown format: nothing of it is counted"


CUT_OFF = "the last line is cut off"


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
    return resume_stream(file, path, agent, None, with_checkpoint=False).facts


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
            reader = BlockReader(handle, min(status.st_size, _IDENTITY_BYTES))
            if path.endswith(".json"):
                objects = _json_objects(reader.pieces())
                return next((hash_first_line(raw + b"\n") for _, raw in objects), None)
            first, sniffer = next(iter(reader), b""), Sniffer()
            if sniffer.detect(first) or sniffer.is_json:
                return hash_first_line(first)
            records = _records_without_line_ends(Elements(reader.pieces()))
            return next((hash_first_line(raw + b"\n") for _, raw in records), None) or hash_first_line(first)
    except OSError:
        return None


def resume_stream(
    file: Path | str,
    path: str,
    agent: str,
    checkpoint: Checkpoint | None = None,
    *,
    with_checkpoint: bool = True,
    stamp: FileStamp | None = None,
) -> StreamRead:
    """Parse a stream from `checkpoint` if the file only grew since then, else from its start.

    `with_checkpoint` is whether to return a new checkpoint. A `stamp` from a listing saves a remote request.
    """
    try:
        handle, status = open_file(file, stamp)
        with handle:
            opened = _OpenedStream(handle, status, path, agent, with_checkpoint)
            result = (
                _resume(opened, checkpoint)
                if checkpoint and checkpoint.matches(handle, status)
                else _read_from_start(opened)
            )
    except OSError as error:
        problem = Problem(path, f"cannot be read: {error.strerror or error}", refused=True)
        return StreamRead(StreamFacts(path, StreamFormat.UNREAD, agent, problems=(problem,)), None)
    facts = result.facts
    if facts is None:
        return result
    if not is_url(str(file)):
        facts = _with_project_root(facts, Path(file))
    modified = datetime.fromtimestamp(status.st_mtime, UTC)
    return result._replace(facts=replace(facts, size=status.st_size, modified_at=modified))


def _with_project_root(facts: StreamFacts, file: Path) -> StreamFacts:
    """Add the working directory of a session of Gemini CLI, which is not in its file."""
    if facts.format != StreamFormat.GEMINI_CHAT or facts.session is None or facts.session.folder:
        return facts
    return replace(facts, session=replace(facts.session, folder=read_project_root(file)))


class _OpenedStream(NamedTuple):
    """An open file and the parameters of reading it."""

    handle: BinaryIO
    status: OpenFileStat
    path: str
    agent: str
    with_checkpoint: bool  # whether to return a checkpoint


def _resume(opened: _OpenedStream, checkpoint: Checkpoint) -> StreamRead:
    reader = BlockReader(opened.handle, opened.status.st_size, checkpoint.offset)
    return _StreamPass(
        opened, reader, checkpoint.kind, checkpoint.restore_parser(), checkpoint.lines, checkpoint.identity
    ).parse(reader)


def _read_from_start(opened: _OpenedStream) -> StreamRead:
    if opened.path.endswith(".json"):
        return _read_json(opened)
    reader = BlockReader(opened.handle, opened.status.st_size)
    blocks = iter(reader)
    first = next(blocks, b"")
    sniffer = Sniffer()
    dialect, block, is_like_claude = sniffer.detect(first), first, False
    if dialect is None:  # many lines without a mark of any dialect may precede the first that has one
        for block in blocks:
            is_like_claude = sniffer.is_like_claude
            if dialect := sniffer.detect(block):
                break
        reader = BlockReader(opened.handle, opened.status.st_size)
        blocks, first = iter(reader), b""
    if dialect is None and sniffer.is_like_claude:
        dialect = "claude"
    if dialect is None:
        return _read_without_line_ends(opened) or _unidentified(opened, sniffer)
    if not block.endswith(b"\n") and not is_like_claude:  # the identifying line may grow
        opened = opened._replace(with_checkpoint=False)
    return _StreamPass(opened, reader, dialect, PARSERS[dialect](opened.path)).parse(chain([first], blocks))


def _read_without_line_ends(opened: _OpenedStream) -> StreamRead | None:
    """Parse a stream whose records are not on lines of their own; None if no record identifies a dialect."""
    elements = Elements(BlockReader(opened.handle, opened.status.st_size).pieces())
    records = _records_without_line_ends(elements)
    buffered: list[tuple[int, bytes]] = []
    dialect, size = None, 0
    for number, raw in records:
        if elements.is_damaged:  # its parts may look like records of another kind
            return None
        buffered.append((number, raw))
        size += len(raw)
        if (dialect := record_dialect(raw)) is not None or size > BLOCK_SIZE:
            break
    if dialect is None:
        return None
    read = _read_elements(opened, PARSERS[dialect](opened.path), chain(buffered, records), elements)
    reason = "its records are not on lines of their own; each is numbered as a line"
    problem = Problem(opened.path, reason, buffered[0][0], Severity.WARNING)
    return read._replace(facts=read.facts and replace(read.facts, problems=(*read.facts.problems, problem)))


def _records_without_line_ends(elements: Elements) -> Iterator[tuple[int, bytes]]:
    """Yield the records and fragments of records, without text that is the CLI's output for the user."""
    return ((number, raw) for number, raw in elements if raw.startswith(b"{") or recover_records(raw).lost)


def _unidentified(opened: _OpenedStream, sniffer: Sniffer) -> StreamRead:
    path, lines = opened.path, sniffer.lines
    if sniffer.is_empty:
        return StreamRead(StreamFacts(path, StreamFormat.EMPTY, opened.agent), None)
    if sniffer.has_session_event:
        problem = Problem(path, UNKNOWN_KIND, None, Severity.WARNING)
        return StreamRead(
            StreamFacts(path, StreamFormat.UNKNOWN, opened.agent, lines=lines, problems=(problem,)), None
        )
    if sniffer.is_json:
        lines_text = "its one line is of no" if lines == 1 else f"none of its {lines:,} lines is of a"
        reason = f"not read: {lines_text} known transcript format"
        return StreamRead(None, None, Problem(path, reason, severity=Severity.WARNING))
    is_begun = lines == 1 and sniffer.is_cut and sniffer.is_object_cut
    reason = "the first line is cut off" if is_begun else "no line of it is JSON"
    return StreamRead(_unreadable(opened, reason, lines, cut=sniffer.is_cut), None)


def _unreadable(opened: _OpenedStream, reason: str, lines: int, *, cut: bool) -> StreamFacts:
    problem = Problem(opened.path, reason, 1)
    return StreamFacts(
        opened.path, StreamFormat.UNREADABLE, opened.agent, lines=lines, is_truncated=cut, problems=(problem,)
    )


def _json_objects(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield a `.json` file's records, each with the line in which it begins."""
    start = next(pieces, b"")
    if (document := split_document(start)) is not None:
        return document_records(document, Elements(chain([document.rest], pieces)))
    return iter(Elements(chain([start], pieces)))


def _read_json(opened: _OpenedStream) -> StreamRead:
    """Parse a `.json` file whose objects are those of a stream; return no facts for any other file."""
    pieces = BlockReader(opened.handle, opened.status.st_size).pieces()
    start = next(pieces, b"")
    if (document := split_document(start)) is not None:
        elements = Elements(chain([document.rest], pieces))
        records = document_records(document, elements)
        return _read_elements(opened, GeminiChatParser(opened.path), records, elements)
    if not may_contain_stream(start):
        return StreamRead(None, None)
    elements = Elements(chain([start], pieces))
    objects = iter(elements)
    buffered: list[tuple[int, bytes]] = []
    dialect, size = None, 0
    for number, raw in objects:
        buffered.append((number, raw))
        size += len(raw)
        if (dialect := element_dialect(raw)) is not None or size > BLOCK_SIZE:
            break
    if dialect is not None and not start.lstrip().startswith(b"[") and not is_result(buffered[-1][1]):
        buffered.extend(islice(objects, 1))
        if len(buffered) == 1:  # one object alone is a stream only if it is a result
            return StreamRead(None, None)
    if dialect is None:
        is_stream = begins_like_claude_json(start) and len(buffered) <= 1
        facts = _unreadable(opened, "it is cut off or damaged", 1, cut=elements.cut_at is not None)
        return StreamRead(facts if is_stream else None, None)
    return _read_elements(opened, PARSERS[dialect](opened.path), chain(buffered, objects), elements)


def _read_elements(
    opened: _OpenedStream, parser: StreamParser, objects: Iterable[tuple[int, bytes]], elements: Elements
) -> StreamRead:
    """Parse each object as a line, numbered by the line in which it begins; numbers always increase."""
    number, identity = 0, None
    for line, raw in objects:
        line_bytes = raw + b"\n"
        identity = identity or hash_first_line(line_bytes)
        number = parser.feed(line_bytes, max(number, line - 1))
    facts = replace(parser.build_facts(opened.agent), identity=identity)
    if elements.cut_at is not None:
        problem = Problem(facts.path, elements.cut_reason, max(number, elements.cut_at), Severity.WARNING)
        facts = replace(facts, is_truncated=True, problems=(*facts.problems, problem))
    return StreamRead(facts, None)


@dataclass(slots=True)
class _StreamPass:
    """One pass over a stream's lines; the last may be half-written, so a checkpoint is set before it."""

    opened: _OpenedStream
    reader: BlockReader
    dialect: str
    parser: StreamParser
    number: int = 0
    identity: str | None = None  # hash of the first complete line, which differs between attempts

    def parse(self, blocks: Iterable[bytes]) -> StreamRead:
        """Parse the lines; return the facts, and a checkpoint after the last complete line."""
        checkpoint = None
        cut = False
        for block in blocks:
            if block.endswith(b"\n"):
                self._parse_block(block)
            elif block:
                checkpoint = self._build_checkpoint()
                cut = self._parse_last_line(block)
        checkpoint = checkpoint or self._build_checkpoint()
        facts = self.parser.build_facts(self.opened.agent)
        if cut:
            interrupted = Problem(facts.path, CUT_OFF, self.number, Severity.WARNING)
            others = (problem for problem in facts.problems if problem.line != self.number)
            facts = replace(facts, problems=(*others, interrupted))
        return StreamRead(replace(facts, is_truncated=cut, identity=self.identity), checkpoint)

    def _parse_block(self, block: bytes) -> None:
        if self.identity is None:
            self.identity = hash_first_line(block)
        self.number = self.parser.feed(block, self.number)

    def _parse_last_line(self, block: bytes) -> bool:
        """Parse a line without its line feed; return whether it is half-written."""
        self.number = self.parser.feed(block, self.number)
        return self.parser.partial_record is not None or self.parser.bad_line == self.number

    def _build_checkpoint(self) -> Checkpoint | None:
        """Return a checkpoint after the lines parsed so far; None if not wanted, impossible or too early."""
        offset = self.reader.end
        if not self.opened.with_checkpoint or not self.reader.resumable or offset < MIN_SIZE:
            return None
        boundary_hash = boundary_hash_of(self.opened.handle, offset)
        state = encode_state(self.parser)
        inode = self.opened.status.st_ino
        return Checkpoint(offset, self.number, inode, boundary_hash, self.identity, self.dialect, state)
