"""The digests that are kept with a history: columns in, digests out; a digest in, its bytes out, and back.

They are kept for some runs at a time, and merged when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from ..columns import COLUMNS, Columns, Family
from .digests import Digest, Values, digest_of
from .entries import RUN_COLUMNS, Entries, entries_of_shares
from .figures import all_of
from .grouping import OF_A_PART, Group, Grouping, numbered
from .waste import AGENT_COLUMNS, losses_of

ALL, WASTE = "all", "waste"
KEPT: Final = (ALL, *OF_A_PART, WASTE)
"""What is kept: of all runs together, by each grouping that shares runs out, and what was spent in vain.

By time is not: which day it was depends on who asks. Other groupings are as fast from the columns of runs.
"""

Read = Callable[[Family, Sequence[str]], Columns]
"""Gives some columns of some runs, at least those that are named."""


class _Packed(msgspec.Struct, array_like=True):
    groups: list[Group]
    sums: bytes  # int64
    values: list[tuple[bytes, str, bytes]]  # sizes (int64), dtype, values


def digest_named(name: str, read: Read) -> Digest:
    """Return one of the digests KEPT, of the runs that `read` gives."""
    runs = read("runs", RUN_COLUMNS)
    if name == ALL:
        return all_of(runs)
    if name == WASTE:
        return losses_of(runs, read("agent_runs", AGENT_COLUMNS))
    entries, grouping = parts_of(name, read)
    return digest_of(entries, *numbered(grouping), runs)


def parts_of(by: str, read: Read) -> tuple[Entries, Grouping]:
    """Return what each run spent in each of its phases, agents or models, and the groups of these entries."""
    shares = read(OF_A_PART[by], tuple(COLUMNS[OF_A_PART[by]]))
    return entries_of_shares(shares, read("runs", RUN_COLUMNS).whole["key"])


def encoded(digest: Digest) -> bytes:
    """Return a digest as bytes; none where it holds numbers beyond 64 bits: it is made anew each time."""
    values = [(np.asarray(each.sizes), _least(each.values)) for each in digest.values]
    if any(array.dtype == object for array in (digest.sums, *(array for both in values for array in both))):
        return b""
    packed = _Packed(
        list(digest.groups),
        digest.sums.tobytes(),
        [(sizes.tobytes(), array.dtype.str, array.tobytes()) for sizes, array in values],
    )
    return msgspec.msgpack.encode(packed)


def decoded(data: bytes) -> Digest:
    """Return the digest that bytes hold."""
    packed = _DECODER.decode(data)
    return Digest(
        tuple(packed.groups),
        np.frombuffer(packed.sums, np.int64).reshape(-1, len(packed.groups)),
        tuple(
            Values(np.frombuffer(sizes, np.int64), np.frombuffer(values, np.dtype(dtype)))
            for sizes, dtype, values in packed.values
        ),
    )


_DECODER = msgspec.msgpack.Decoder(_Packed)


def _least(values: Any) -> Any:
    """Return whole numbers in half the bits where those hold them."""
    fits = values.dtype == np.int64 and values.max(initial=0) <= np.iinfo(np.uint32).max
    return values.astype(np.uint32) if fits else values
