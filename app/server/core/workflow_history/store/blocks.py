"""Figures packed by column, in blocks of runs: keys that were written in, blocks dropped. See `columns`.

Whoever writes a run drops its block in the same transaction, so that a block is never out of date.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, delete, func, select

from .schema import column_blocks, workflows

RUNS_IN_A_BLOCK: Final = 512
"""So few that one changed run costs little, so many that a hundred thousand are read in a moment."""

VECTORS: Final = "likeness"
"""The family of the vectors of requests; its blocks are named by the model that made them."""


def drop_blocks(connection: Connection, keys: Iterable[int], *, family: str | None = None) -> None:
    """Drop the blocks in which these runs are, of one family or all; a sync packs them anew at its end."""
    touched = sorted({key // RUNS_IN_A_BLOCK for key in keys})
    if touched:
        of = [] if family is None else [column_blocks.c.family == family]
        connection.execute(delete(column_blocks).where(column_blocks.c.block.in_(touched), *of))


def missing_blocks(connection: Connection, family: str, name: str) -> list[int]:
    """Return the blocks of a column that are not packed."""
    last = connection.scalar(select(func.max(workflows.c.key)))
    if last is None:
        return []
    columns = column_blocks.c
    query = select(columns.block).where(columns.family == family, columns.name == name)
    packed = set(connection.scalars(query))
    return [block for block in range(last // RUNS_IN_A_BLOCK + 1) if block not in packed]
