"""Where a file comes to lie: a path in, an open file out that is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from ..errors import WorkflowHistoryError
from ..scratch import scratch_folder


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Give a file that takes the place of `path` when all is written; only its owner may read it.

    Raises WorkflowHistoryError where something is there already, which `force` overwrites.
    """
    _check(path, force=force)
    with ExitStack() as stack:
        try:
            part = stack.enter_context(scratch_folder(path.parent)) / "part"
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
            handle = os.open(part, flags, 0o600)
        except OSError as error:
            raise WorkflowHistoryError(f"cannot write {path}: {error.strerror}") from error
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _check(path, force=force)
        part.replace(path)


def _check(path: Path, *, force: bool) -> None:
    if path.exists() and not path.is_file():
        raise WorkflowHistoryError(f"{path} is no file; name a file to write")
    if not force and (path.exists() or path.is_symlink()):
        raise WorkflowHistoryError(f"{path} is there already; --force overwrites it")
