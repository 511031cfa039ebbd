"""Read and pack aggregates over all runs.

They are stored in the same blocks as the columns they are computed from; writing a run drops both. An
aggregate that is not packed is computed from the columns, with the same result.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select

from ...analysis.statistics.aggregate_codec import (
    CACHED,
    compute_aggregate,
    decode_aggregate,
    encode_aggregate,
)
from ...analysis.statistics.aggregates import Aggregate
from ..connection.engine import fetch_raw_rows
from ..tables.schema import column_blocks
from ..writing.bulk_insert import execute_many
from .blocks import AGGREGATES, BLOCK_SIZE, all_blocks, block_ranges, blocks_for, missing_blocks
from .columns import ColumnReader, fell_silent

_SAMPLE: Final = CACHED[0]
"""One aggregate; if it is packed in a block, so are all others."""


def read_aggregates(connection: Connection, names: Collection[str]) -> dict[str, list[Aggregate]]:
    """Return some of the CACHED aggregates, each of consecutive ranges of runs; merge them for all runs."""
    columns = column_blocks.c
    query = select(columns.name, columns.block, columns.data).where(
        columns.family == AGGREGATES, columns.name.in_(names)
    )
    silent_blocks = {key // BLOCK_SIZE for key in fell_silent(connection)}
    aggregates: dict[str, dict[int, Aggregate]] = {name: {} for name in names}
    for name, block, data in fetch_raw_rows(connection, query):
        if block in silent_blocks:
            continue  # it was packed with the statuses of the last sync
        with suppress(msgspec.MsgspecError, ValueError, TypeError):  # damaged: compute it from the columns
            aggregates[name][block] = decode_aggregate(data)
    blocks = all_blocks(connection)
    missing = {block for found in aggregates.values() for block in blocks if block not in found}
    for keys in block_ranges(sorted(missing)):
        read = ColumnReader(connection, keys)
        for name, found in aggregates.items():
            for block in blocks_for(keys):
                found.pop(block, None)
            found[keys.start // BLOCK_SIZE] = compute_aggregate(name, read)
    return {name: [found[first] for first in sorted(found)] for name, found in aggregates.items()}


def verify_aggregates(connection: Connection) -> list[tuple[str, int]]:
    """Return name and first possible run key of each packed aggregate that differs from its columns."""
    columns, errors = column_blocks.c, []
    query = (
        select(columns.name, columns.block, columns.data)
        .where(columns.family == AGGREGATES)
        .order_by(columns.block)
    )
    for name, block, data in fetch_raw_rows(connection, query):
        [keys] = block_ranges([block])
        aggregate = compute_aggregate(name, ColumnReader(connection, keys, as_stored=True))
        if data and bytes(data) != encode_aggregate(aggregate):
            errors.append((f"sums {name}", keys.start))
    return errors


def pack_aggregates(connection: Connection) -> None:
    """Pack the missing aggregates, in the caller's transaction."""
    for block in missing_blocks(connection, AGGREGATES, _SAMPLE):
        [keys] = block_ranges([block])
        read = ColumnReader(connection, keys, as_stored=True)
        rows = [(AGGREGATES, name, block, encode_aggregate(compute_aggregate(name, read))) for name in CACHED]
        execute_many(connection, insert(column_blocks), column_blocks.columns.keys(), rows)
