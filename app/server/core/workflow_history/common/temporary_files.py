"""Folders for work in progress, and the removal of those that killed processes left behind.

Each folder is first recorded in the user's state folder. Its process keeps that record locked, and the system
releases the lock however the process ends. So a record that can be locked names a folder that nobody uses.
The process holds another lock in the folder itself: where the records are gone, as those of a container are,
the next one that works in the same place finds it free.
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

_RECORDS: Final = "in-progress"
_RECORD: Final = re.compile(r"[0-9a-f]{16}")
_FOLDER: Final = re.compile(r"\.workflow-history-[0-9a-f]{16}\.part")
_LOCK: Final = ".in-use"  # in each folder: whoever uses it holds the lock of this file


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder that only its owner may read, and remove it at the end of the block.

    It lies in `parent`, or in the system's folder for temporary files. If the process is killed, the next
    call of `remove_leftovers` removes it, or the next folder that is made in the same `parent`. Raises
    OSError if the folder cannot be made.
    """
    remove_leftovers()
    if parent is not None:
        _remove_unrecorded(parent)
    while True:  # once more with another name where a process took this one for a leftover
        token = secrets.token_hex(8)
        folder = (parent or Path(tempfile.gettempdir())).absolute() / _name(token)
        forget = _recorded(token, folder)
        try:
            folder.mkdir(mode=0o700)
            if (unlock := _locked(folder)) is None:
                continue
            try:
                yield folder
            finally:
                unlock()
                shutil.rmtree(folder, ignore_errors=True)
            return
        finally:
            forget()


def _locked(folder: Path) -> ReleaseLock | None:
    """Mark a new folder as in use; None where it is gone."""
    try:
        return try_lock(folder / _LOCK)
    except FileNotFoundError:
        return None
    except OSError:  # no locks there: then nobody else takes one to remove it
        return lambda: None


def remove_leftovers() -> None:
    """Remove the folders that dead processes of this user on this machine left behind, and nothing else."""
    try:
        with os.scandir(_records()) as entries:
            records = [Path(entry.path) for entry in entries if _RECORD.fullmatch(entry.name)]
    except OSError:
        return  # nothing was ever recorded here
    for record in records:
        try:
            _remove(record)
        except OSError as error:
            logger.warning("leftover_stays record=%s error=%s", record, error)


def _remove(record: Path) -> None:
    told = read_owner(record)
    host, _, place = told.partition("\n")
    if told and host != platform.node():
        return  # another machine's, which has the same home
    release = try_lock(record)
    if release is None:
        return  # its process is alive
    folder = Path(place)
    if place and folder.name == _name(record.name) and _is_ours(folder):
        shutil.rmtree(folder, ignore_errors=True)
    is_unfinished = bool(place) and (folder.exists() or not folder.parent.is_dir())
    release()
    if is_unfinished:  # its disk may be away: the next command tries again
        record.write_bytes(os.fsencode(told))


def _remove_unrecorded(parent: Path) -> None:
    """Remove folders in `parent` that nobody uses, also those of which no record is left.

    A container leaves what it wrote to a disk, not its records.
    """
    try:
        with os.scandir(parent) as entries:
            found = [Path(entry.path) for entry in entries if _FOLDER.fullmatch(entry.name)]
    except OSError:
        return
    for folder in filter(_is_ours, found):
        with suppress(OSError):
            if not (folder / _LOCK).exists():
                folder.rmdir()  # killed before it was locked; one that holds anything stays
            elif (unlock := try_lock(folder / _LOCK)) is not None:
                unlock()
                shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    is_folder = folder.is_dir() and not folder.is_symlink()
    return is_folder and (not hasattr(os, "geteuid") or found.st_uid == os.geteuid())


def _recorded(token: str, folder: Path) -> ReleaseLock:
    """Record a folder that is to be made; return what takes the record back."""
    record = _records() / token
    try:
        record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        release = try_lock(record, f"{platform.node()}\n{folder}")
    except OSError as error:
        logger.warning("no_record folder=%s error=%s", folder, error)  # it is removed unless we are killed
        release = None
    return release or (lambda: None)


def _records() -> Path:
    return user_state_path("workflow-history", appauthor=False) / _RECORDS


def _name(token: str) -> str:
    return f".workflow-history-{token}.part"
