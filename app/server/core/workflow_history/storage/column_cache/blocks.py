"""Blocks of the packed columns: their names, their run keys, and how to drop them. See `columns`.

Code that writes a run drops its blocks in the same transaction, so that a block is never out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, delete, func, select

from ..tables.schema import column_blocks, workflows

BLOCK_SIZE: Final = 512
"""Runs per block: few enough to repack cheaply after one change, enough to read 100,000 runs quickly."""

_MAX_BLOCKS: Final = 16
"""Maximum number of blocks processed at a time, so that intermediate results stay in the CPU cache."""

VECTORS: Final = "similarity_features"
"""Family of the request vectors; its blocks are named by the model that computed them."""

AGGREGATES: Final = "digests 6"
"""Family of the aggregates of a block; the number increases if the aggregates or their computation change."""

STORED_AS: Final = {
    "runs": "runs 3",
    **{family: f"{family} 2" for family in ("models", "run_phases", "run_agents", "run_models")},
}
"""Stored names of the families whose columns, or their computation, changed since an earlier version."""


def stored_as(family: str) -> str:
    """Return the name under which the blocks of a family are stored."""
    return STORED_AS.get(family, family)


def invalidate_blocks(connection: Connection, keys: Iterable[int], *, family: str | None = None) -> None:
    """Drop the blocks of these runs, of one family or of all; a sync packs them again at its end."""
    blocks = sorted({key // BLOCK_SIZE for key in keys})
    if blocks:
        is_of_family = [] if family is None else [column_blocks.c.family == stored_as(family)]
        connection.execute(delete(column_blocks).where(column_blocks.c.block.in_(blocks), *is_of_family))


def missing_blocks(connection: Connection, family: str, name: str) -> list[int]:
    """Return the blocks of a column that are not packed."""
    columns = column_blocks.c
    query = select(columns.block).where(columns.family == stored_as(family), columns.name == name)
    packed = set(connection.scalars(query))
    return [block for block in all_blocks(connection) if block not in packed]


def all_blocks(connection: Connection) -> range:
    """Return the numbers of the blocks that can contain runs."""
    last = connection.scalar(select(func.max(workflows.c.key)))
    return range(0) if last is None else range(last // BLOCK_SIZE + 1)


def blocks_for(keys: range) -> range:
    """Return the numbers of the blocks that contain these run keys."""
    return range(keys[0] // BLOCK_SIZE, keys[-1] // BLOCK_SIZE + 1)


def block_ranges(blocks: Iterable[int]) -> Iterator[range]:
    """Yield the key ranges of consecutive blocks, each within one span of 16 blocks.

    >>> list(block_ranges([0, 1, 2, 5, 16]))
    [range(0, 1536), range(2560, 3072), range(8192, 8704)]
    """
    for _, group in groupby(enumerate(blocks), key=lambda item: (item[1] - item[0], item[1] // _MAX_BLOCKS)):
        run = [block for _, block in group]
        yield range(run[0] * BLOCK_SIZE, (run[-1] + 1) * BLOCK_SIZE)
