"""Listed files of a run, the run folder they form, and rules for file names. Reads nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from ...common.phases import classify_phase, split_name
from ..files import unpacked_name

STATE_FILE = "adw_state.json"
SUMMARY_FILES = ("workflow_summary.json", "custom_summary_output.json")
LOG_FILES = ("execution.log", "error.log")

RUN_FILE_NAMES = frozenset({STATE_FILE, *SUMMARY_FILES, *LOG_FILES})
STREAM_SUFFIXES = (".jsonl", ".json", ".jsonl.zst")

MAIN_AGENT = "main"
"""Agent name of a stream whose path names no agent."""

_GENERIC_WORDS: Final = frozenset({"raw", "cc", "output", "stream", "log", "jsonl", "agent", "quick", "json"})
"""Words of a stream's file name that are never part of an agent's name."""

_GENERIC_NAMES: Final = _GENERIC_WORDS | {
    "main", "transcript", "session", "conversation", "chat", "event", "events", "message", "messages", "logs",
    "result", "results", "response", "stdout", "trace", "claude", "codex", "gemini", "opencode", "cursor",
}  # fmt: skip
"""Generic words of file names, which don't name a run: it is named after its directory."""

_AGENT_NOUN_ENDINGS: Final = ("er", "or")  # endings of agent nouns such as "builder"

READER_VERSION = 12
"""Increase whenever the same files would be read differently: every run is then read again."""


class ScannedFile(NamedTuple):
    """One file with data of a run, and its `stat` fields, which show whether it changed."""

    path: str  # relative to the run's directory, POSIX separators; without the suffix of a packed file
    shown: str  # relative to the agents directory, POSIX separators: the name in facts and problems
    file: str  # path or URL to open it by
    size: int  # bytes
    mtime_ns: int  # modification time, nanoseconds since 1970
    inode: int
    mode: int  # type and permissions: an unreadable file is tried again when these change
    is_stream_by_content: bool = False  # recognized as a stream by its first lines, regardless of its name

    @property
    def is_of_lines(self) -> bool:
        """Whether it is a stream with one object per line, by its name or by its first lines."""
        return self.is_stream_by_content or self.path.endswith(".jsonl")

    @property
    def is_unsure(self) -> bool:
        """Whether only its content shows if it is a stream: any `.json` file without a predefined meaning."""
        return self.path.endswith(".json") and self.path.rpartition("/")[2] not in RUN_FILE_NAMES


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One candidate for a run: its id and its data files, sorted by path."""

    id: str
    folder: str
    files: tuple[ScannedFile, ...]
    others: tuple[ScannedFile, ...] | None = None
    """`.json` files that turned out not to be streams when read; None: nothing was read yet."""

    project: str | None = None  # project of a session in a store; None: that of the agents directory

    def settled(self, streams: AbstractSet[str]) -> RunFolder:
        """Return the folder with the uncertain `.json` files that are not in `streams` moved to `others`."""
        others = tuple(file for file in self.files if file.is_unsure and file.path not in streams)
        return replace(self, files=tuple(file for file in self.files if file not in others), others=others)

    @property
    def fingerprint(self) -> str:
        """Digest of the run's file listing, unchanged as long as no file is written."""
        files = sorted((*self.files, *self.others)) if self.others else self.files
        text = "\n".join([f"{f[0]}\t{f[3]}\t{f[4]}\t{f[5]}\t{f[6]}" for f in files])
        digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).hexdigest()
        return f"{READER_VERSION}-{digest}"

    @property
    def files_folder(self) -> str:
        """Directory, relative to the agents directory, that the paths of its files are relative to."""
        if not self.files:
            return self.id
        file = self.files[0]
        return file.shown[: len(file.shown) - len(file.path)].rstrip("/")

    @property
    def file_times(self) -> tuple[int, int]:
        """Earliest and latest modification time of its files, in nanoseconds since 1970."""
        files = self.files if self.others is not None else [f for f in self.files if not f.is_unsure]
        times = [file[4] for file in files or self.files or self.others or ()]
        return min(times), max(times)

    @property
    def size(self) -> int:
        """Total size of its files in bytes."""
        return sum([file[3] for file in self.files])

    def files_named(self, *names: str) -> Iterator[ScannedFile]:
        """Yield the files with one of these names, in any folder of the run."""
        return (file for file in self.files if file.path.rpartition("/")[2] in names)

    @property
    def streams(self) -> Iterator[ScannedFile]:
        """Files that may be streams."""
        return (file for file in self.files if file.is_unsure or file.is_of_lines)

    @property
    def state(self) -> ScannedFile | None:
        """The state file, or None."""
        return next((file for file in self.files if file.path == STATE_FILE), None)


def is_stream_by_name(name: str) -> bool:
    """Return whether a file of this name may be a stream."""
    return name.endswith(STREAM_SUFFIXES) and name not in RUN_FILE_NAMES


def stem_of(name: str) -> str:
    """Return a stream's file name without its extension.

    >>> stem_of("a.b.jsonl"), stem_of("a.json"), stem_of("a.jsonl.zst")
    ('a.b', 'a', 'a')
    """
    return unpacked_name(name).removesuffix(".jsonl").removesuffix(".json")


def escape_undecodable(text: str) -> str:
    r"""Return text that any database can store: bytes of a name that are not UTF-8 are written as \xNN.

    >>> escape_undecodable("caf" + chr(0xDCE9))
    'caf\\xe9'
    """
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a lone surrogate that represents no byte
        return text.encode("utf-8", "replace").decode()


def agent_name(path: str) -> str:
    """Return the agent that wrote a stream: its directory, or a loose file's name if that names an agent.

    A name with a phase in it names an agent if it contains "output", or ends in a phase or an agent noun
    (-er, -or). Words of other names are not taken for phases: the agent is MAIN.

    >>> agent_name("wave_1/builder/raw_output.jsonl"), agent_name("validate_output.jsonl")
    ('wave_1/builder', 'validate')
    >>> agent_name("test_runner.jsonl"), agent_name("review-notes.jsonl"), agent_name("cc_raw_output.jsonl")
    ('test_runner', 'main', 'main')
    """
    folder = PurePosixPath(path).parent.as_posix()
    if is_of_subagent(path):
        return PurePosixPath(path).stem
    if folder != ".":
        return folder
    stem = PurePosixPath(path).stem
    words = [word for word in split_name(stem) if word not in _GENERIC_WORDS and not word.isdigit()]
    if not words or classify_phase(stem) == "other":
        return MAIN_AGENT
    is_agent_name = (
        "output" in split_name(stem)
        or classify_phase(words[-1]) != "other"
        or words[-1].endswith(_AGENT_NOUN_ENDINGS)
    )
    return "_".join(words) if is_agent_name else MAIN_AGENT


def is_of_subagent(path: str) -> bool:
    """Return whether a stream is a subagent's of a session, by its place.

    >>> is_of_subagent("0e5f/subagents/workflows/wf/agent-a1.jsonl"), is_of_subagent("build/output.jsonl")
    (True, False)
    """
    return "subagents" in path.split("/")[:-1]


def is_run_name(stem: str) -> bool:
    """Return whether a loose stream has the name of a run, rather than of an agent or a generic name.

    >>> [is_run_name(stem) for stem in ("run-05", "fix_login", "planner", "raw_output_2", "transcript")]
    [True, True, False, False, False]
    """
    words = [word for word in split_name(stem) if not word.isdigit()]
    specific_words = [word for word in words if word not in _GENERIC_NAMES]
    return bool(specific_words) and "output" not in words and classify_phase(specific_words[-1]) == "other"
