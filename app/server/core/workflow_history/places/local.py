"""Open a file of this machine: a path in, an open file out. Follows no link, waits for no pipe."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO


def open_regular(file: str) -> tuple[BinaryIO, os.stat_result]:
    """Open without following a link that was put in the file's place, and without waiting for a pipe."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    number = os.open(file, flags | getattr(os, "O_BINARY", 0))
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode):
        os.close(number)
        raise OSError(0, "it is no regular file")
    return os.fdopen(number, "rb", buffering=0), status
