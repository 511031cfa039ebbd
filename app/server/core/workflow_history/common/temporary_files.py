"""Temporary directories, and the removal of those that killed processes left behind.

Each directory is first recorded in the user's state directory. Its process keeps that record locked, and the
system releases the lock however the process ends. So a record that can be locked names an unused directory.
The process also locks a file in the directory itself. If the records are lost, as with a container, the
next process that works in the same place finds the directory unlocked and removes it.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from platformdirs import user_state_path

from .file_lock import ReleaseLock, read_owner, try_lock

logger = logging.getLogger("workflow_history")

_RECORDS_NAME: Final = "in-progress"
_RECORD_PATTERN: Final = re.compile(r"[0-9a-f]{16}")
_FOLDER_PATTERN: Final = re.compile(r"\.workflow-history-[0-9a-f]{16}\.part")
_LOCK_NAME: Final = ".in-use"  # file in each directory, locked by the process that uses the directory


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Create a directory that only its owner may read, and remove it at the end of the block.

    It is created in `parent`, or in the system's directory for temporary files. If the process is killed, the
    next call of `remove_leftovers` removes it, or the next call with the same `parent`. Raises OSError if the
    directory cannot be created.
    """
    remove_leftovers()
    if parent is not None:
        _remove_unrecorded(parent)
    while True:  # retry with another name if another process removed this directory as a leftover
        token = secrets.token_hex(8)
        folder = (parent or Path(tempfile.gettempdir())).absolute() / _folder_name(token)
        remove_record = _record_folder(token, folder)
        try:
            folder.mkdir(mode=0o700)
            if (unlock := _lock_folder(folder)) is None:
                continue
            try:
                yield folder
            finally:
                unlock()
                shutil.rmtree(folder, ignore_errors=True)
            return
        finally:
            remove_record()


def _lock_folder(folder: Path) -> ReleaseLock | None:
    """Lock a new directory as in use; return None if it no longer exists."""
    try:
        return try_lock(folder / _LOCK_NAME)
    except FileNotFoundError:
        return None
    except OSError:  # no locks on this file system: then no other process can lock it and remove it
        return lambda: None


def remove_leftovers() -> None:
    """Remove only the directories that dead processes of this user on this machine left behind."""
    try:
        with os.scandir(_records_folder()) as entries:
            records = [Path(entry.path) for entry in entries if _RECORD_PATTERN.fullmatch(entry.name)]
    except OSError:
        return  # nothing was ever recorded on this machine
    for record in records:
        try:
            _remove_recorded(record)
        except OSError as error:
            logger.warning("leftover_not_removed record=%s error=%s", record, error)


def _remove_recorded(record: Path) -> None:
    content = read_owner(record)
    host, _, path = content.partition("\n")
    if content and host != platform.node():
        return  # record of another machine with the same home directory
    release = try_lock(record)
    if release is None:
        return  # the process is still alive
    folder = Path(path)
    if path and folder.name == _folder_name(record.name) and _is_own_folder(folder):
        shutil.rmtree(folder, ignore_errors=True)
    is_unfinished = bool(path) and (folder.exists() or not folder.parent.is_dir())
    release()
    if is_unfinished:  # its disk may be unmounted: the next command retries
        record.write_bytes(os.fsencode(content))


def _remove_unrecorded(parent: Path) -> None:
    """Remove unused directories in `parent`, also those without a record.

    A container leaves its files on a mounted disk, but not its records.
    """
    try:
        with os.scandir(parent) as entries:
            folders = [Path(entry.path) for entry in entries if _FOLDER_PATTERN.fullmatch(entry.name)]
    except OSError:
        return
    for folder in filter(_is_own_folder, folders):
        with suppress(OSError):
            if not (folder / _LOCK_NAME).exists():
                folder.rmdir()  # killed before it was locked; rmdir keeps a directory that is not empty
            elif (unlock := try_lock(folder / _LOCK_NAME)) is not None:
                unlock()
                shutil.rmtree(folder, ignore_errors=True)


def _is_own_folder(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    is_folder = folder.is_dir() and not folder.is_symlink()
    return is_folder and (not hasattr(os, "geteuid") or status.st_uid == os.geteuid())


def _record_folder(token: str, folder: Path) -> ReleaseLock:
    """Record a directory before it is created; return a function that removes the record."""
    record = _records_folder() / token
    try:
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        release = try_lock(record, f"{platform.node()}\n{folder}")
    except OSError as error:
        logger.warning(
            "leftover_not_recorded folder=%s error=%s", folder, error
        )  # still removed unless we are killed
        release = None
    return release or (lambda: None)


def _records_folder() -> Path:
    return user_state_path("workflow-history", appauthor=False) / _RECORDS_NAME


def _folder_name(token: str) -> str:
    return f".workflow-history-{token}.part"
