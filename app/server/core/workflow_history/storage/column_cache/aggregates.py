"""Read and pack aggregates over all runs.

They are stored in the same blocks as the columns they are computed from; writing a run drops both. An
aggregate that is not packed is computed from the columns, with the same result.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache, partial
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
from .blocks import BLOCK_SIZE, DIGESTS, all_blocks, block_ranges, missing_blocks
from .columns import fell_silent, read_columns

_SAMPLE: Final = CACHED[0]
"""One aggregate; if it is packed in a block, so are all others."""


def read_digests(connection: Connection, name: str) -> list[Aggregate]:
    """Return the aggregate `name`, one of CACHED, of consecutive ranges of runs; merge them for all runs."""
    columns = column_blocks.c
    query = select(columns.block, columns.data).where(columns.family == DIGESTS, columns.name == name)
    silent_blocks = {key // BLOCK_SIZE for key in fell_silent(connection)}
    digests: dict[int, Aggregate] = {}
    for block, data in fetch_raw_rows(connection, query):
        if block in silent_blocks:
            continue  # it was packed with the statuses of the last sync
        with suppress(msgspec.MsgspecError, ValueError, TypeError):  # damaged: compute it from the columns
            digests[block * BLOCK_SIZE] = decode_aggregate(data)
    for keys in block_ranges(block for block in all_blocks(connection) if block * BLOCK_SIZE not in digests):
        digests[keys.start] = compute_aggregate(name, partial(read_columns, connection, keys=keys))
    return [digests[first] for first in sorted(digests)]


def verify_digests(connection: Connection) -> list[tuple[str, int]]:
    """Return name and first possible run key of each packed aggregate that differs from its columns."""
    columns, errors = column_blocks.c, []
    query = (
        select(columns.name, columns.block, columns.data)
        .where(columns.family == DIGESTS)
        .order_by(columns.block)
    )
    for name, block, data in fetch_raw_rows(connection, query):
        [keys] = block_ranges([block])
        digest = compute_aggregate(name, cache(partial(read_columns, connection, keys=keys, as_stored=True)))
        if data and bytes(data) != encode_aggregate(digest):
            errors.append((f"sums {name}", keys.start))
    return errors


def pack_digests(connection: Connection) -> None:
    """Pack the missing aggregates, in the caller's transaction."""
    for block in missing_blocks(connection, DIGESTS, _SAMPLE):
        [keys] = block_ranges([block])
        read = cache(partial(read_columns, connection, keys=keys, as_stored=True))
        rows = [(DIGESTS, name, block, encode_aggregate(compute_aggregate(name, read))) for name in CACHED]
        execute_many(connection, insert(column_blocks), column_blocks.columns.keys(), rows)
