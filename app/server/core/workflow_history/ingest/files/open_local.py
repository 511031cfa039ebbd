"""Open local files for reading, without following links or blocking on pipes."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO


def open_no_follow(file: str) -> tuple[BinaryIO, os.stat_result]:
    """Open a regular file for reading, unbuffered, and return it with its `fstat`.

    A symbolic link that replaced the file isn't followed, and a named pipe doesn't block.
    Raises OSError if it is not a regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(file, flags | getattr(os, "O_BINARY", 0))
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(0, "not a regular file")
    return os.fdopen(descriptor, "rb", buffering=0), status
