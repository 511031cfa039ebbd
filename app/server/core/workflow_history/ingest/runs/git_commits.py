"""Read from git when the files of an agents directory were committed. Writes nothing.

In a clone, file times are those of the checkout. A commit with a file's present content is later than the run
that wrote it, and so an upper bound of the run's end.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import which
from tempfile import TemporaryFile
from typing import NamedTuple

from ..files import FolderPath
from .records import RunFolder

GIT_TIMEOUT = 10.0  # timeout of each git command: a repository that takes longer dates no run
MAX_OUTPUT = 256 << 20  # maximum output of one git command

_GIT_OPTIONS = (
    "--no-pager", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false",
    "-c", "safe.bareRepository=explicit", "-c", "log.showSignature=false",
)  # fmt: skip
"""Options that keep git from running programs configured in the repository and from writing to it."""

_ENVIRONMENT = {
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # older versions fetch missing objects, but have no protocol of this name
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_GIT_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY")


class _Blob(NamedTuple):
    """One file of the HEAD commit."""

    name: str  # object name (hash) of its content
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Commits:
    """Times of the first commits with each file's present content, by its path below the agents directory."""

    times: dict[str, datetime]  # aware UTC
    sizes: dict[str, int]  # bytes

    def time_of(self, folder: RunFolder) -> datetime | None:
        """Return when all of a run's streams were committed; None if one is missing or has another size.

        All files count if the run has no streams.
        """
        files = list(folder.streams) or list(folder.files)
        times = [self.times.get(file.shown) for file in files]
        has_same_sizes = all(self.sizes.get(file.shown) == file.size for file in files)
        known_times = [when for when in times if when is not None]
        return max(known_times) if has_same_sizes and known_times and len(known_times) == len(times) else None


NO_COMMITS = Commits({}, {})


def commits_of(root: FolderPath) -> Commits:
    """Return the commits of an agents directory; none if git or a repository is missing, or git fails."""
    git = which("git")
    if git is None or not isinstance(root, Path) or not _is_in_work_tree(root):
        return NO_COMMITS
    try:
        return _read_commits(git, root)
    except (OSError, ValueError, subprocess.SubprocessError):
        return NO_COMMITS


def _is_in_work_tree(root: Path) -> bool:
    """Return whether the directory may be in a repository: checking for `.git` is faster than running git."""
    path = root.absolute()
    return any((folder / ".git").exists() for folder in (path, *path.parents))


def _read_commits(git: str, root: Path) -> Commits:
    blobs = dict(_parse_blobs(_run_git(git, root, "ls-tree", "-r", "-l", "-z", "HEAD", ".")))
    if not blobs:
        return NO_COMMITS
    boundary = _shallow_boundary(_run_git(git, root, "rev-parse", "--git-path", "shallow"), root)
    history = _run_git(
        git, root, "log", "--no-show-signature", "--no-renames", "--no-ext-diff", "--no-abbrev", "--raw",
        "-z", "--format=%x01%H %ct", "--", ".",
    )  # fmt: skip
    first = _first_times(history, {blob.name for blob in blobs.values()}, boundary)
    times = {path: first[blob.name] for path, blob in blobs.items() if blob.name in first}
    return Commits(times, {path: blob.size for path, blob in blobs.items()})


def _run_git(git: str, root: Path, *arguments: str) -> bytes:
    """Run a git command and return its output.

    Raises SubprocessError if it fails or times out, ValueError if the output is too long.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _GIT_VARIABLES}
    with TemporaryFile() as output:
        subprocess.run(  # noqa: S603 - git itself, with constant arguments
            [git, *_GIT_OPTIONS, *arguments],
            cwd=root,
            env=environment | _ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            timeout=GIT_TIMEOUT,
            check=True,
        )
        if output.seek(0, os.SEEK_END) > MAX_OUTPUT:
            raise ValueError("git's answer is too long")
        output.seek(0)
        return output.read()


def _parse_blobs(output: bytes) -> list[tuple[str, _Blob]]:
    """Parse the files in `ls-tree -l -z`: mode, type, object name, size, then the path."""
    blobs = []
    for entry in output.split(b"\0"):
        head, _, path = entry.partition(b"\t")
        words = head.split()
        if len(words) == 4 and words[1] == b"blob" and words[3].isdigit():
            blobs.append((os.fsdecode(path), _Blob(words[2].decode(), int(words[3]))))
    return blobs


def _shallow_boundary(output: bytes, root: Path) -> frozenset[str]:
    """Return the boundary commits of a shallow clone, which appear to add all earlier content."""
    file = root / os.fsdecode(output.rstrip(b"\n"))
    return frozenset(file.read_text().split()) if file.is_file() else frozenset()


def _first_times(output: bytes, contents: set[str], boundary: frozenset[str]) -> dict[str, datetime]:
    """Parse `log --raw -z` into the time of the oldest commit of each content, by object name.

    A commit is `^A<name> <seconds>`, then for each file `:<modes> <content before> <content> <kind>`, path.
    """
    first: dict[str, datetime] = {}
    undated: set[str] = set()  # contents added by a boundary commit
    commit, when = "", datetime.max.replace(tzinfo=UTC)
    parts = iter(output.split(b"\0"))
    for part in parts:
        words = part.split()
        if part.startswith(b"\x01"):
            commit, when = words[0][1:].decode(), datetime.fromtimestamp(int(words[1]), UTC)
        elif len(words) == 5:
            next(parts, None)  # skip its path
            content = words[3].decode()
            if content in contents and commit in boundary:
                undated.add(content)
            elif content in contents:
                first[content] = min(first.get(content, when), when)
    return {content: when for content, when in first.items() if content not in undated}
