"""Files of a run as a listing shows them, and the run that they make up. No behaviour beyond names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from ...common.phases import classify_phase, split_name

STATE_FILE = "adw_state.json"
SUMMARY_FILES = ("workflow_summary.json", "custom_summary_output.json")
LOG_FILES = ("execution.log", "error.log")

TELLING = frozenset({STATE_FILE, *SUMMARY_FILES, *LOG_FILES})
STREAMS = (".jsonl", ".json")

MAIN = "main"
"""The agent of a stream whose name names none."""

_GENERIC: Final = frozenset({"raw", "cc", "output", "stream", "log", "jsonl", "agent", "quick", "json"})
"""Words of a stream's file name that are part of no agent's name."""

_FOLDERS_OWN: Final = _GENERIC | {
    "main", "transcript", "session", "conversation", "chat", "event", "events", "message", "messages", "logs",
    "result", "results", "response", "stdout", "trace", "claude", "codex", "gemini", "opencode", "cursor",
}  # fmt: skip
"""Words of file names that say nothing of the run: it is called as its folder is."""

_WORKERS: Final = ("er", "or")  # endings of words for somebody who does something

READER_VERSION = 7
"""Raised when the same files would be read differently: every run is then read anew."""


class ScannedFile(NamedTuple):
    """One file that tells something about a run, as `stat` saw it: enough to know whether it changed."""

    path: str  # relative to the run's folder, POSIX separators
    shown: str  # relative to the agents folder, POSIX separators: the name in records and problems
    file: str  # as the system knows it
    size: int  # bytes
    mtime_ns: int
    inode: int
    mode: int  # type and permissions: a file that could not be read is tried again when these change
    is_told: bool = False  # a stream by its first lines, whatever it is called

    @property
    def is_of_lines(self) -> bool:
        """Whether it is a stream of one object a line, by its name or by its first lines."""
        return self.is_told or self.path.endswith(".jsonl")

    @property
    def is_unsure(self) -> bool:
        """Whether only the content shows if it is a stream: any `.json` file without a meaning of its own."""
        return self.path.endswith(".json") and self.path.rpartition("/")[2] not in TELLING


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One candidate for a run: its id and its telling files, in the order of their paths."""

    id: str
    folder: str
    files: tuple[ScannedFile, ...]
    others: tuple[ScannedFile, ...] | None = None
    """`.json` files that are no streams, as reading showed; None: nothing was read yet."""

    def settled(self, streams: AbstractSet[str]) -> RunFolder:
        """Return the folder with only those `.json` files that are streams: the others tell nothing."""
        others = tuple(found for found in self.files if found.is_unsure and found.path not in streams)
        return replace(self, files=tuple(found for found in self.files if found not in others), others=others)

    @property
    def fingerprint(self) -> str:
        """One word for the state of the run's files; the same word: nothing was written."""
        files = sorted((*self.files, *self.others)) if self.others else self.files
        text = "\n".join([f"{f[0]}\t{f[3]}\t{f[4]}\t{f[5]}\t{f[6]}" for f in files])
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
        return f"{READER_VERSION}-{digest}"

    @property
    def file_times(self) -> tuple[int, int]:
        """When the first and the last of its files was written: nanoseconds since 1970."""
        files = self.files if self.others is not None else [f for f in self.files if not f.is_unsure]
        times = [found[4] for found in files or self.files or self.others or ()]
        return min(times), max(times)

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum([found[3] for found in self.files])

    def files_named(self, *names: str) -> Iterator[ScannedFile]:
        """Yield the files with one of these names, in any folder of the run."""
        return (found for found in self.files if found.path.rpartition("/")[2] in names)

    @property
    def streams(self) -> Iterator[ScannedFile]:
        """The files that may be streams."""
        return (found for found in self.files if found.is_unsure or found.is_of_lines)

    @property
    def state(self) -> ScannedFile | None:
        """The state file, where there is one."""
        return next((found for found in self.files if found.path == STATE_FILE), None)


def is_stream_by_name(name: str) -> bool:
    """Return whether a file of this name may be a stream."""
    return name.endswith(STREAMS) and name not in TELLING


def stem_of(name: str) -> str:
    """Return a stream's file name without its ending.

    >>> stem_of("a.b.jsonl"), stem_of("a.json")
    ('a.b', 'a')
    """
    return name.removesuffix(".jsonl").removesuffix(".json")


def escape_undecodable(text: str) -> str:
    r"""Return text that any database holds: bytes of a name that are no UTF-8 are written as \xNN.

    >>> escape_undecodable("caf" + chr(0xDCE9))
    'caf\\xe9'
    """
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a pair, which stands for no byte
        return text.encode("utf-8", "replace").decode()


def agent_name(path: str) -> str:
    """Return the agent that wrote a stream: its folder, or a loose file's name where that is an agent's.

    It is one if it calls the file an agent's output, or ends in a phase or in somebody who works. Of any
    other name the words are no phase.

    >>> agent_name("wave_1/builder/raw_output.jsonl"), agent_name("validate_output.jsonl")
    ('wave_1/builder', 'validate')
    >>> agent_name("test_runner.jsonl"), agent_name("review-notes.jsonl"), agent_name("cc_raw_output.jsonl")
    ('test_runner', 'main', 'main')
    """
    folder = PurePosixPath(path).parent.as_posix()
    if folder == "subagents" or folder.endswith("/subagents"):
        return PurePosixPath(path).stem
    if folder != ".":
        return folder
    stem = PurePosixPath(path).stem
    words = [word for word in split_name(stem) if word not in _GENERIC and not word.isdigit()]
    if not words or classify_phase(stem) == "other":
        return MAIN
    is_agents = (
        "output" in split_name(stem) or classify_phase(words[-1]) != "other" or words[-1].endswith(_WORKERS)
    )
    return "_".join(words) if is_agents else MAIN


def is_run_of_its_own(stem: str) -> bool:
    """Return whether a stream that lies loose in a folder is called as a run, not as an agent or in general.

    >>> [is_run_of_its_own(stem) for stem in ("run-05", "fix_login", "planner", "raw_output_2", "transcript")]
    [True, True, False, False, False]
    """
    words = [word for word in split_name(stem) if not word.isdigit()]
    own = [word for word in words if word not in _FOLDERS_OWN]
    return bool(own) and "output" not in words and classify_phase(own[-1]) == "other"
