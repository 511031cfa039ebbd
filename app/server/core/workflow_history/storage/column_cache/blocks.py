"""Figures packed by column, in blocks of runs: keys that were written in, blocks dropped. See `columns`.

Whoever writes a run drops its block in the same transaction, so that a block is never out of date.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, delete, func, select

from ..tables.schema import column_blocks, workflows

BLOCK_SIZE: Final = 512
"""So few that one changed run costs little, so many that a hundred thousand are read in a moment."""

_SPAN: Final = 16
"""Blocks that are added up at a time: what is computed of them stays in the processor's cache."""

VECTORS: Final = "likeness"
"""The family of the vectors of requests; its blocks are named by the model that made them."""

DIGESTS: Final = "digests 5"
"""The family of what the runs of a block add up to; another number where what is counted, or how, changed."""

STORED_AS: Final = {
    family: f"{family} 2" for family in ("runs", "models", "run_phases", "run_agents", "run_models")
}
"""Names in blocks of the families whose columns, or how they are made, changed since an earlier version."""


def stored_as(family: str) -> str:
    """Return the name under which the blocks of a family lie."""
    return STORED_AS.get(family, family)


def invalidate_blocks(connection: Connection, keys: Iterable[int], *, family: str | None = None) -> None:
    """Drop the blocks in which these runs are, of one family or all; a sync packs them anew at its end."""
    touched = sorted({key // BLOCK_SIZE for key in keys})
    if touched:
        of = [] if family is None else [column_blocks.c.family == stored_as(family)]
        connection.execute(delete(column_blocks).where(column_blocks.c.block.in_(touched), *of))


def missing_blocks(connection: Connection, family: str, name: str) -> list[int]:
    """Return the blocks of a column that are not packed."""
    columns = column_blocks.c
    query = select(columns.block).where(columns.family == stored_as(family), columns.name == name)
    packed = set(connection.scalars(query))
    return [block for block in all_blocks(connection) if block not in packed]


def all_blocks(connection: Connection) -> range:
    """Return the blocks in which runs can be."""
    last = connection.scalar(select(func.max(workflows.c.key)))
    return range(0) if last is None else range(last // BLOCK_SIZE + 1)


def blocks_for(keys: range) -> range:
    """Return the blocks that hold runs with these keys."""
    return range(keys[0] // BLOCK_SIZE, keys[-1] // BLOCK_SIZE + 1)


def block_ranges(blocks: Iterable[int]) -> Iterator[range]:
    """Yield the keys of blocks that follow each other, of a span at most.

    >>> list(block_ranges([0, 1, 2, 5, 16]))
    [range(0, 1536), range(2560, 3072), range(8192, 8704)]
    """
    for _, some in groupby(enumerate(blocks), key=lambda item: (item[1] - item[0], item[1] // _SPAN)):
        found = [block for _, block in some]
        yield range(found[0] * BLOCK_SIZE, (found[-1] + 1) * BLOCK_SIZE)
