"""Decide whether two records with the same project and id are the same run. Pure.

A copied or shared folder is one run, however many machines read it. Machines that number their runs from 1,
or name them by hand, have different runs with the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def is_same_run(
    run: Mapping[str, Any], other: Mapping[str, Any], streams: Iterable[Iterable[str | None]] | None = None
) -> bool:
    """Return whether both records are the same run: by stream identities, else by place, time and request.

    A stream's identity is the hash of its first line. `streams` are the identities of both runs; by default
    they come from `phase_costs`.

    >>> first, grown = ({"phase_costs": [{"identity": name} for name in names]} for names in ("a", "ab"))
    >>> is_same_run(first, grown)
    True
    >>> place = {"agents_dir": "/agents"}
    >>> is_same_run({**place, "found_on": "x"}, {**place, "found_on": "y", "created_at": "2026-01-31"})
    False
    """
    first, second = (
        frozenset(identities) - {None} for identities in streams or (stream_ids(run), stream_ids(other))
    )
    if first & second:
        return True
    is_created_together = _has_same_value(run, other, "created_at")
    if _has_same_value(run, other, "agents_dir") and _is_same_machine(
        run, other, is_created_together=is_created_together
    ):
        return True
    if first and second:
        return False
    return is_created_together and _has_same_value(run, other, "nl_input")


def stream_ids(run: Mapping[str, Any]) -> set[str]:
    """Return the identities (hashes of the first lines) of a stored run's streams."""
    return {identity for agent in run.get("phase_costs") or () if (identity := agent.get("identity"))}


def _is_same_machine(run: Mapping[str, Any], other: Mapping[str, Any], *, is_created_together: bool) -> bool:
    """Return whether both were found on one machine; if a machine is unknown, compare the creation times."""
    if run.get("found_on") is None or other.get("found_on") is None:
        return is_created_together
    return _has_same_value(run, other, "found_on")


def _has_same_value(run: Mapping[str, Any], other: Mapping[str, Any], key: str) -> bool:
    return run.get(key) == other.get(key)
