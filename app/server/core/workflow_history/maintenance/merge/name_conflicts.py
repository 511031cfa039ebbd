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


def assign_names(runs: Sequence[Mapping[str, Any]], called: Sequence[Sequence[str]]) -> list[str]:
    """Return an id for each of some different runs; `called`: the current ids of the versions of each.

    >>> one, other = {"created_at": "1", "host": "x"}, {"created_at": "2", "host": "y"}
    >>> assign_names([other, one], [["a"], ["a"]])
    ['a~070b6546', 'a']
    """
    plain = base_name(called[0][0])
    is_free = any(plain in names for names in called)
    first = min(range(len(runs)), key=lambda place: _order(runs[place]))
    return [
        plain if is_free and place == first else _own_name(plain, runs[place], names)
        for place, names in enumerate(called)
    ]


def _own_name(plain: str, run: Mapping[str, Any], names: Sequence[str]) -> str:
    given = sorted(name for name in names if name != plain)
    return given[0] if given else f"{plain}~{_digest(run)}"


def _order(run: Mapping[str, Any]) -> tuple[str, str, str]:
    return run.get("created_at") or "", min(stream_ids(run), default=""), _digest(run)


def _digest(run: Mapping[str, Any]) -> str:
    place = f"{run.get('host')}\0{run.get('agents_dir')}"
    return blake2b(place.encode(), digest_size=4).hexdigest()
