"""Checkpoints of partly read streams: a file offset and the parser's state, encoded for storage."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from ...common.redaction import redact_json
from ..files import OpenFileStat
from .parsers import PARSERS, StreamParser

MIN_SIZE = 256 * 1024  # bytes; a shorter stream is read again as fast as its checkpoint
_HASHED_BYTES = 4096  # bytes hashed at the file's beginning and before the checkpoint, to recognize the file
_VERSION = 10  # increase whenever a parser's fields or their meanings change

_STATE_DECODERS = {name: msgspec.msgpack.Decoder(kind) for name, kind in PARSERS.items()}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Position in a file where reading can resume, with the parser's state."""

    offset: int  # offset in bytes of the first line that was not read
    lines: int  # number of lines before the offset
    inode: int  # inode of the file; 0 for remote files
    boundary_hash: bytes  # digest of the file's first bytes and of those before the offset
    identity: str | None  # hash of the stream's first line
    kind: str  # dialect, a key of PARSERS
    state: bytes  # parser as msgpack
    version: int = _VERSION

    def matches(self, handle: BinaryIO, status: OpenFileStat) -> bool:
        """Return whether the file still begins with the bytes read: it may have grown, not been replaced."""
        return (
            self.version == _VERSION
            and self.kind in PARSERS
            and status.st_ino == self.inode
            and status.st_size >= self.offset
            and boundary_hash_of(handle, self.offset) == self.boundary_hash
        )

    def restore_parser(self) -> StreamParser:
        """Decode the parser in its state at the checkpoint."""
        return _STATE_DECODERS[self.kind].decode(self.state)


_CHECKPOINT_DECODER = msgspec.msgpack.Decoder(Checkpoint)


def boundary_hash_of(handle: BinaryIO, offset: int) -> bytes:
    """Compute the digest that identifies the first `offset` bytes of a file, from their ends alone."""
    handle.seek(0)
    first = handle.read(min(_HASHED_BYTES, offset))
    handle.seek(max(offset - _HASHED_BYTES, 0))
    last = handle.read(min(_HASHED_BYTES, offset))
    return hashlib.blake2b(first + last, digest_size=16).digest()


def encode_state(parser: StreamParser) -> bytes:
    """Encode a parser as msgpack, with the secrets in its commands and answers redacted."""
    state = msgspec.msgpack.encode(parser)
    decoded = msgspec.msgpack.decode(state)
    redacted = redact_json(decoded)
    return state if redacted is decoded else msgspec.msgpack.encode(redacted)


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Encode a checkpoint as msgpack."""
    return msgspec.msgpack.encode(checkpoint)


def decode_checkpoint(raw: bytes) -> Checkpoint:
    """Decode a stored checkpoint."""
    return _CHECKPOINT_DECODER.decode(raw)
