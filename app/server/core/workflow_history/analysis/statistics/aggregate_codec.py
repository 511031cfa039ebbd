"""Cached aggregates: compute them from columns, encode them as bytes and decode them.

The cache stores them for blocks of runs, and a query merges them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from ...common.column_data import COLUMNS, ColumnTable, TableName
from .aggregates import Aggregate, GroupedValues, aggregate_measurements
from .group_statistics import aggregate_all
from .grouping import PART_GROUPINGS, Group, Grouping, encode_groups
from .measurements import RUN_COLUMNS, Measurements, measurements_by_part
from .waste import AGENT_COLUMNS, SILENT_COLUMNS, aggregate_waste

ALL, WASTE = "all", "waste"
CACHED: Final = (ALL, *PART_GROUPINGS, WASTE)
"""Names of the cached aggregates: all runs together, each grouping by part, and wasted cost.

Groupings by time are not cached: the day of a run depends on the requested time zone. Other groupings are
as fast from the columns of runs.
"""

ColumnReader = Callable[[TableName, Sequence[str]], ColumnTable]
"""Returns columns of a table, for some runs: at least the named ones."""


class _EncodedAggregate(msgspec.Struct, array_like=True):
    groups: list[Group]
    sums: bytes  # int64
    values: list[tuple[bytes, str, bytes]]  # sizes (int64), dtype, values


def compute_aggregate(name: str, read: ColumnReader) -> Aggregate:
    """Compute one of the CACHED aggregates, for the runs that `read` returns."""
    runs = read("runs", RUN_COLUMNS)
    if name == ALL:
        return aggregate_all(runs)
    if name == WASTE:
        return aggregate_waste(runs, read("agent_runs", AGENT_COLUMNS), read("silent_agents", SILENT_COLUMNS))
    measurements, grouping = aggregates_by_part(name, read)
    return aggregate_measurements(measurements, *encode_groups(grouping), runs)


def aggregates_by_part(by: str, read: ColumnReader) -> tuple[Measurements, Grouping]:
    """Return the measurements of each run by phase, agent or model, and their grouping."""
    parts = read(PART_GROUPINGS[by], tuple(COLUMNS[PART_GROUPINGS[by]]))
    return measurements_by_part(parts, read("runs", RUN_COLUMNS).integers["key"])


def encode_aggregate(aggregate: Aggregate) -> bytes:
    """Encode an aggregate as bytes.

    The result is empty if a number exceeds 64 bits: such an aggregate is computed again each time.
    """
    values = [(np.asarray(part.sizes), _narrow_integers(part.values)) for part in aggregate.values]
    if any(
        array.dtype == object for array in (aggregate.sums, *(array for pair in values for array in pair))
    ):
        return b""
    encoded = _EncodedAggregate(
        list(aggregate.groups),
        aggregate.sums.tobytes(),
        [(sizes.tobytes(), array.dtype.str, array.tobytes()) for sizes, array in values],
    )
    return msgspec.msgpack.encode(encoded)


def decode_aggregate(data: bytes) -> Aggregate:
    """Decode an aggregate from the bytes of `encode_aggregate`."""
    encoded = _DECODER.decode(data)
    return Aggregate(
        tuple(encoded.groups),
        np.frombuffer(encoded.sums, np.int64).reshape(-1, len(encoded.groups)),
        tuple(
            GroupedValues(np.frombuffer(sizes, np.int64), np.frombuffer(values, np.dtype(dtype)))
            for sizes, dtype, values in encoded.values
        ),
    )


_DECODER = msgspec.msgpack.Decoder(_EncodedAggregate)


def _narrow_integers(values: Any) -> Any:
    """Return 64-bit integers as 32 bits if they fit."""
    fits = values.dtype == np.int64 and values.max(initial=0) <= np.iinfo(np.uint32).max
    return values.astype(np.uint32) if fits else values
