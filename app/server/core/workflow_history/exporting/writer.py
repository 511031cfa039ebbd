"""Interface of the export formats: create a writer for fields and a file, write batches, finish."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from io import RawIOBase
from pathlib import Path
from typing import IO, Any, Protocol

from ..common.errors import WorkflowHistoryError
from ..common.temporary_files import scratch_folder
from .fields import ColumnBatch, Field


@contextmanager
def atomic_write(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Yield a temporary file that replaces `path` after a block without errors; only its owner may read it.

    Raises WorkflowHistoryError if `path` cannot be written, is not a file, or exists already without `force`.
    """
    _check_target(path, force=force)
    with ExitStack() as stack:
        try:
            temporary = stack.enter_context(scratch_folder(path.parent)) / "part"
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
            handle = os.open(temporary, flags, 0o600)
        except OSError as error:
            raise WorkflowHistoryError(f"Cannot write {path}: {error.strerror}.") from error
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _check_target(path, force=force)
        temporary.replace(path)


def _check_target(path: Path, *, force: bool) -> None:
    if path.exists() and not path.is_file():
        raise WorkflowHistoryError(f"{path} is not a regular file. Name a file to write.")
    if not force and (path.exists() or path.is_symlink()):
        raise WorkflowHistoryError(f"{path} exists. Use --force to overwrite it.")


class DrainableBuffer(RawIOBase, IO[bytes]):
    """Writable file in memory whose content can be removed piece by piece while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Append bytes and return their number."""
        chunk = bytes(data)
        self._chunks.append(chunk)
        self._position += len(chunk)
        return len(chunk)

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self._position

    def drain(self) -> bytes:
        """Return and remove the bytes written since the last call."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data


class Writer(Protocol):
    """Writer of batches of rows to an open file, which the caller closes."""

    def write(self, batch: ColumnBatch) -> None:
        """Write a batch of rows."""

    def finish(self) -> None:
        """Write remaining rows and the footer, if the format has one."""


WriterFactory = Callable[[IO[bytes], Sequence[Field], bool], Writer]
"""Creates a writer from a file, the fields and `raw`: whether to leave spreadsheet formulas unescaped."""
