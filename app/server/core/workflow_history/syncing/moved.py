"""Notice runs that were moved or renamed: the streams of lost and of new runs in, pairs of ids out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def moved_runs(
    lost: Mapping[str, Iterable[Mapping[str, Any]]], new: Mapping[str, Iterable[Mapping[str, Any]]]
) -> list[tuple[str, str]]:
    """Return (old id, new id) of runs with the same streams, by their first lines.

    >>> run = {"identity": "abc"}
    >>> moved_runs({"old": [run], "other": []}, {"new": [run]})
    [('old', 'new')]
    """
    by_streams = {streams: run_id for run_id, runs in lost.items() if (streams := _streams(runs))}
    return [
        (by_streams[streams], run_id)
        for run_id, runs in new.items()
        if (streams := _streams(runs)) in by_streams
    ]


def _streams(runs: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(identity for run in runs if (identity := run.get("identity")))
