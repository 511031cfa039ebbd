"""Rename different runs with the same id: the runs in, a distinct id for each out. Pure.

The run that was created first keeps the id. The others get a suffix made of the host and the agents directory
where they were found: `a1b2~3f9c01de` is another run than `a1b2`, in every history that it is merged into.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from ...pipeline.run_identity import stream_ids

_SUFFIX: Final = re.compile(r"~[0-9a-f]{8}\Z")


def base_name(run_id: str) -> str:
    """Return the id of a run without the suffix of a name conflict.

    >>> base_name("a1b2~3f9c01de"), base_name("a1b2")
    ('a1b2', 'a1b2')
    """
    return _SUFFIX.sub("", run_id)


def assign_names(runs: Sequence[Mapping[str, Any]], current_ids: Sequence[Sequence[str]]) -> list[str]:
    """Return an id for each of some different runs; `current_ids`: the current ids of the versions of each.

    >>> one, other = {"created_at": "1", "host": "x"}, {"created_at": "2", "host": "y"}
    >>> assign_names([other, one], [["a"], ["a"]])
    ['a~070b6546', 'a']
    """
    base = base_name(current_ids[0][0])
    is_free = any(base in ids for ids in current_ids)
    oldest = min(range(len(runs)), key=lambda position: _age_sort_key(runs[position]))
    return [
        base if is_free and position == oldest else _suffixed_name(base, runs[position], ids)
        for position, ids in enumerate(current_ids)
    ]


def _suffixed_name(base: str, run: Mapping[str, Any], ids: Sequence[str]) -> str:
    suffixed = sorted(name for name in ids if name != base)
    return suffixed[0] if suffixed else f"{base}~{_digest(run)}"


def _age_sort_key(run: Mapping[str, Any]) -> tuple[str, str, str]:
    return run.get("created_at") or "", min(stream_ids(run), default=""), _digest(run)


def _digest(run: Mapping[str, Any]) -> str:
    origin = f"{run.get('host')}\0{run.get('agents_dir')}"
    return blake2b(origin.encode(), digest_size=4).hexdigest()
