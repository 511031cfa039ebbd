"""Small disks and reduced privileges for a single process, by Linux namespaces and capabilities."""

from __future__ import annotations

import ctypes
import os
import pickle
import struct
import sys
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

_NEW_MOUNTS, _NEW_USERS = 0x00020000, 0x10000000  # clone flags
_READ_ONLY, _REMOUNT, _RECURSIVE_PRIVATE = 1, 32, 0x4000 | 0x40000  # mount flags
_CAPABILITIES = 0x20080522  # version 3 of the capget/capset interface
_PASSES_PERMISSIONS = 0b110  # the two capabilities by which root bypasses file permissions

_system = ctypes.CDLL(None, use_errno=True)


def apart(work: Callable[[], T]) -> T:
    """Call `work` in a forked process with its own mount namespace and return its result.

    Raises RuntimeError with the traceback if `work` raised.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe:
            try:
                _leave_the_others()
                pickle.dump((work(), None), pipe)
            except BaseException:  # noqa: BLE001 - sent to the parent process
                pickle.dump((None, traceback.format_exc()), pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        done, trouble = pickle.load(pipe)  # noqa: S301 - our own
    os.waitpid(pid, 0)
    if trouble is not None:
        raise RuntimeError(trouble)
    return done  # type: ignore[no-any-return]


@cache
def can_mount() -> bool:
    """Return whether this user may mount in a namespace: root may, other users on many systems."""
    if sys.platform != "linux":
        return False
    try:
        apart(lambda: mount(Path("/tmp"), 100_000))  # noqa: S108 - visible only in that process
    except RuntimeError:
        return False
    return True


def mount(folder: Path, size: int) -> None:
    """Mount an empty disk (tmpfs) of `size` bytes at a directory."""
    _mount(b"tmpfs", folder, 0, f"size={size}")


def remount(folder: Path, size: int, *, read_only: bool = False) -> None:
    """Change the size of a mounted disk, in bytes, and whether it is read-only."""
    _mount(b"tmpfs", folder, _REMOUNT | (_READ_ONLY if read_only else 0), f"size={size}")


def obey_permissions() -> None:
    """Drop the capabilities of this process to bypass file permissions; does nothing if it isn't root."""
    if os.geteuid() != 0:
        return
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITIES, 0))
    held = ctypes.create_string_buffer(24)
    _check(_system.capget(header, held))
    low = struct.unpack("=6I", held.raw)
    less = [word & ~_PASSES_PERMISSIONS if place < 3 else word for place, word in enumerate(low)]
    _check(_system.capset(header, ctypes.create_string_buffer(struct.pack("=6I", *less))))


def _leave_the_others() -> None:
    user, group = os.geteuid(), os.getegid()
    _check(_system.unshare(_NEW_MOUNTS if user == 0 else _NEW_MOUNTS | _NEW_USERS))
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _check(_system.mount(None, b"/", None, ctypes.c_ulong(_RECURSIVE_PRIVATE), None))


def _mount(kind: bytes, folder: Path, flags: int, options: str) -> None:
    place = os.fsencode(folder)
    _check(_system.mount(kind, place, kind, ctypes.c_ulong(flags), options.encode()))


def _check(result: Any) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
