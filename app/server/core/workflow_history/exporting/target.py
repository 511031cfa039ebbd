"""Where a file comes to lie: a path in, an open file out that is there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import WorkflowHistoryError


@contextmanager
def whole_file(path: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Give a file that takes the place of `path` when all is written; only its owner may read it.

    Raises WorkflowHistoryError where something is there already, which `force` overwrites.
    """
    _check(path, force=force)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise WorkflowHistoryError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _check(path, force=force)
        Path(name).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def _check(path: Path, *, force: bool) -> None:
    if path.exists() and not path.is_file():
        raise WorkflowHistoryError(f"{path} is no file; name a file to write")
    if not force and (path.exists() or path.is_symlink()):
        raise WorkflowHistoryError(f"{path} is there already; --force overwrites it")
