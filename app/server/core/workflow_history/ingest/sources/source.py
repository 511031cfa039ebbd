"""Description of one source: an agent program that stores its sessions in a directory of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...common.errors import AgentsFolderError
from ..files import FolderPath
from ..runs.folder_walk import FolderScan, Group
from ..runs.records import RunFolder

Places = Callable[[Mapping[str, str], Path], Sequence[Path]]
"""Function that returns the usual paths of a program's stores from the environment and the home directory."""


@dataclass(frozen=True, slots=True)
class Source:
    """One agent program and its stores."""

    name: str  # name for --source
    title: str  # name of the program
    places: Places
    inner: str  # name of the store in the program's directory; "": the store has no name of its own
    is_store: Callable[[Path], bool]  # whether a directory is a store, by its contents; raises OSError
    find_runs: Callable[[FolderScan], Iterator[RunFolder]]  # yields the sessions of a store as runs

    def walk(self, root: FolderPath) -> FolderScan:
        """List a store; each session is a run with the project of its working directory.

        Raises AgentsFolderError if the directory cannot be listed.
        """
        walk = FolderScan(root, os.scandir, _yield_runs)
        try:
            runs = list(self.find_runs(walk))
        except OSError as error:
            raise AgentsFolderError(f"Cannot read {root}: {error.strerror or error}.") from error
        walk.groups = [[run] for run in runs]
        return walk


def _yield_runs(_walk: FolderScan, group: Group) -> Iterator[RunFolder]:
    yield from group
