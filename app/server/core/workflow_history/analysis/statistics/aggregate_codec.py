"""The digests that are kept with a history: columns in, digests out; a digest in, its bytes out, and back.

They are kept for some runs at a time, and merged when they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from ...common.column_data import COLUMNS, ColumnTable, TableName
from .aggregates import Aggregate, GroupedValues, aggregate
from .group_statistics import aggregate_all
from .grouping import PART_GROUPINGS, Group, Grouping, encode_groups
from .measurements import RUN_COLUMNS, Measurements, measurements_by_part
from .waste import AGENT_COLUMNS, SILENT_COLUMNS, aggregate_waste

ALL, WASTE = "all", "waste"
CACHED: Final = (ALL, *PART_GROUPINGS, WASTE)
"""What is kept: of all runs together, by each grouping that shares runs out, and what was spent in vain.

By time is not: which day it was depends on who asks. Other groupings are as fast from the columns of runs.
"""

ColumnReader = Callable[[TableName, Sequence[str]], ColumnTable]
"""Gives some columns of some runs, at least those that are named."""


class _Packed(msgspec.Struct, array_like=True):
    groups: list[Group]
    sums: bytes  # int64
    values: list[tuple[bytes, str, bytes]]  # sizes (int64), dtype, values


def compute_aggregate(name: str, read: ColumnReader) -> Aggregate:
    """Return one of the digests KEPT, of the runs that `read` gives."""
    runs = read("runs", RUN_COLUMNS)
    if name == ALL:
        return aggregate_all(runs)
    if name == WASTE:
        return aggregate_waste(runs, read("agent_runs", AGENT_COLUMNS), read("silent_agents", SILENT_COLUMNS))
    entries, grouping = aggregates_by_part(name, read)
    return aggregate(entries, *encode_groups(grouping), runs)


def aggregates_by_part(by: str, read: ColumnReader) -> tuple[Measurements, Grouping]:
    """Return what each run spent in each of its phases, agents or models, and the groups of these entries."""
    shares = read(PART_GROUPINGS[by], tuple(COLUMNS[PART_GROUPINGS[by]]))
    return measurements_by_part(shares, read("runs", RUN_COLUMNS).integers["key"])


def encode_aggregate(digest: Aggregate) -> bytes:
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


def decode_aggregate(data: bytes) -> Aggregate:
    """Return the digest that bytes hold."""
    packed = _DECODER.decode(data)
    return Aggregate(
        tuple(packed.groups),
        np.frombuffer(packed.sums, np.int64).reshape(-1, len(packed.groups)),
        tuple(
            GroupedValues(np.frombuffer(sizes, np.int64), np.frombuffer(values, np.dtype(dtype)))
            for sizes, dtype, values in packed.values
        ),
    )


_DECODER = msgspec.msgpack.Decoder(_Packed)


def _least(values: Any) -> Any:
    """Return whole numbers in half the bits where those hold them."""
    fits = values.dtype == np.int64 and values.max(initial=0) <= np.iinfo(np.uint32).max
    return values.astype(np.uint32) if fits else values
