"""How far a stream was read, and what it said until there: a reading in, bytes that last out, and back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from ...common.redaction import redact_json
from ..files import OpenFileStat
from .claude import ClaudeParser
from .codex import CodexParser
from .cursor import CursorParser
from .gemini import GeminiParser
from .opencode import OpencodeParser

StreamParser = ClaudeParser | GeminiParser | CodexParser | CursorParser | OpencodeParser

PARSERS: dict[str, type[StreamParser]] = {
    "claude": ClaudeParser,
    "gemini": GeminiParser,
    "codex": CodexParser,
    "cursor": CursorParser,
    "opencode": OpencodeParser,
}
"""Every dialect that is read, by the name that `sniff` gives it."""

MIN_SIZE = 256 * 1024  # bytes: a shorter stream is read anew as fast as its bookmark is
_ENDS = 4096  # bytes at the begin and before the mark by which a file is known again
_VERSION = 5  # raised when a reading gets other fields or other meanings

_DECODERS = {name: msgspec.msgpack.Decoder(kind) for name, kind in PARSERS.items()}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place in a file from which to read on."""

    offset: int  # bytes: the begin of the first line that was not read
    lines: int  # before it
    inode: int
    boundary_hash: bytes  # digest of the file's begin and of what stands before the mark
    identity: str | None  # of the stream, by its first line
    kind: str  # a key of READINGS
    state: bytes  # the reading, packed
    version: int = _VERSION

    def matches(self, handle: BinaryIO, status: OpenFileStat) -> bool:
        """Return whether the file still begins with what was read: it may have grown, not been replaced."""
        return (
            self.version == _VERSION
            and self.kind in PARSERS
            and status.st_ino == self.inode
            and status.st_size >= self.offset
            and boundary_hash_of(handle, self.offset) == self.boundary_hash
        )

    def restore_parser(self) -> StreamParser:
        """Return what the stream said until the mark."""
        return _DECODERS[self.kind].decode(self.state)


_BOOKMARK = msgspec.msgpack.Decoder(Checkpoint)


def boundary_hash_of(handle: BinaryIO, offset: int) -> bytes:
    """Return the digest by which the first `offset` bytes of a file are known again."""
    handle.seek(0)
    begin = handle.read(min(_ENDS, offset))
    handle.seek(max(offset - _ENDS, 0))
    before = handle.read(min(_ENDS, offset))
    return hashlib.blake2b(begin + before, digest_size=16).digest()


def encode_state(reading: StreamParser) -> bytes:
    """Return a reading as bytes, without the secrets that commands and answers hold."""
    state = msgspec.msgpack.encode(reading)
    said = msgspec.msgpack.decode(state)
    clean = redact_json(said)
    return state if clean is said else msgspec.msgpack.encode(clean)


def encode_checkpoint(mark: Checkpoint) -> bytes:
    """Return a bookmark as bytes that can be stored."""
    return msgspec.msgpack.encode(mark)


def decode_checkpoint(raw: bytes) -> Checkpoint:
    """Return the bookmark that was stored."""
    return _BOOKMARK.decode(raw)
