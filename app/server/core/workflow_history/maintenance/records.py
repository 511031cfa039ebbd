"""Result records of maintenance. Money in US dollars, times in seconds; None is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ..common.field_docs import Doc
from ..common.shared_fields import NewRuns


@dataclass(frozen=True, slots=True)
class VacuumResult:
    """Size of the history before and after a vacuum."""

    bytes_before: Annotated[int, Doc("size before the vacuum, in bytes")]
    bytes_after: Annotated[int, Doc("size after the vacuum, in bytes")]
    duration_seconds: Annotated[float, Doc("duration of the vacuum, in seconds")]


@dataclass(frozen=True, slots=True)
class BackupResult:
    """A backup of the history."""

    file: Annotated[str, Doc("path of the backup")]
    source: Annotated[str, Doc("path or URL of the history, without its password")]
    runs: Annotated[int, Doc("number of runs in the backup")]
    bytes: Annotated[int, Doc("size of the backup, in bytes")]
    duration_seconds: Annotated[float, Doc("duration of the backup, in seconds")]


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """A history that was replaced by a backup."""

    file: Annotated[str, Doc("path of the history")]
    source: Annotated[str, Doc("path of the backup")]
    runs: Annotated[int, Doc("number of runs in the history now")]
    bytes: Annotated[int, Doc("size of the history, in bytes")]
    kept: Annotated[str | None, Doc("path of the replaced history; null: there was none")]
    duration_seconds: Annotated[float, Doc("duration of the restore, in seconds")]


@dataclass(frozen=True, slots=True)
class PreviouslyPruned:
    """Runs that were pruned earlier."""

    runs: Annotated[int, Doc("number of runs pruned earlier")]
    spent: Annotated[float | None, Doc("lower bound of the cost of these runs, USD; null: unknown")]


@dataclass(frozen=True, slots=True)
class PruneResult:
    """Runs that were deleted from the history, or would be."""

    runs: Annotated[int, Doc("number of runs that match the rules")]
    spent: Annotated[float | None, Doc("cost of these runs, USD; null: unknown")]
    unpriced: Annotated[int, Doc("number of these runs with an unknown cost")]
    oldest: Annotated[str | None, Doc("creation time of the oldest of these runs, ISO 8601, UTC; null: none")]
    newest: Annotated[str | None, Doc("creation time of the newest of these runs, ISO 8601, UTC; null: none")]
    projects: Annotated[dict[str, int], Doc("number of these runs by project")]
    spent_is_exact: Annotated[bool, Doc("false: the cost of these runs is a lower bound")]
    pruned_before: Annotated[PreviouslyPruned, Doc("runs pruned earlier, which no statistics include")]
    dry_run: Annotated[bool, Doc("true: nothing was deleted")]
    duration_seconds: Annotated[float, Doc("duration of the pruning, in seconds")]


@dataclass(frozen=True, slots=True)
class DuplicateStream:
    """Two runs with a transcript in common, whose cost counts in one of them."""

    run: Annotated[str, Doc("first run, as project/id")]
    other: Annotated[str, Doc("second run, as project/id")]


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Result of merging another history into this one."""

    runs: Annotated[int, Doc("number of runs in the other history")]
    inserted: NewRuns
    updated: Annotated[int, Doc("number of stored runs that the other history had more data for")]
    unchanged: Annotated[int, Doc("number of runs of the other history that changed nothing")]
    renamed: Annotated[int, Doc("number of runs stored under a new id, since a different run has theirs")]
    pruned: Annotated[int, Doc("number of runs that were not merged, since they were pruned here")]
    patterns_decided: Annotated[int, Doc("number of patterns whose later decision was in the other history")]
    syncs: Annotated[int, Doc("number of new recorded syncs")]
    shared: Annotated[tuple[DuplicateStream, ...], Doc("new runs with transcripts of another run")]
    source: Annotated[str, Doc("path or URL of the other history, without its password")]
    dry_run: Annotated[bool, Doc("true: nothing was stored")]
    duration_seconds: Annotated[float, Doc("duration of the merge, in seconds")]
