"""Read what runs add up to, packed or not, and pack it: a connection in, digests out.

They lie beside the columns that they are made of, in the same blocks; whoever writes a run drops both.
What is not packed is made of the columns; the answer is the same.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache, partial
from typing import Final

import msgspec
from sqlalchemy import Connection, insert, select

from ..summing.digests import Digest
from ..summing.packing import KEPT, decoded, digest_named, encoded
from .blocks import DIGESTS, RUNS_IN_A_BLOCK, all_blocks, missing_blocks, spans
from .bulk import execute_tuples
from .columns import driver_rows, fell_silent, read_columns
from .schema import column_blocks

_SAMPLE: Final = KEPT[0]
"""Where one is packed, all of them are."""


def read_digests(connection: Connection, name: str) -> list[Digest]:
    """Return one of the digests KEPT, of runs after runs; merged they are that of all runs."""
    columns = column_blocks.c
    query = select(columns.block, columns.data).where(columns.family == DIGESTS, columns.name == name)
    silent = {key // RUNS_IN_A_BLOCK for key in fell_silent(connection)}
    found: dict[int, Digest] = {}
    for block, data in driver_rows(connection, query):
        if block in silent:
            continue  # it was packed as the last sync saw these runs
        with suppress(msgspec.MsgspecError, ValueError, TypeError):  # damaged: the columns still say it
            found[block * RUNS_IN_A_BLOCK] = decoded(data)
    for keys in spans(block for block in all_blocks(connection) if block * RUNS_IN_A_BLOCK not in found):
        found[keys.start] = digest_named(name, partial(read_columns, connection, keys=keys))
    return [found[first] for first in sorted(found)]


def wrong_digests(connection: Connection) -> list[tuple[str, int]]:
    """Return the family and the first possible run of each block that is not as its columns are."""
    own, wrong = column_blocks.c, []
    query = select(own.name, own.block, own.data).where(own.family == DIGESTS).order_by(own.block)
    for name, block, data in driver_rows(connection, query):
        [keys] = spans([block])
        digest = digest_named(name, cache(partial(read_columns, connection, keys=keys, as_stored=True)))
        if data and bytes(data) != encoded(digest):
            wrong.append((f"sums {name}", keys.start))
    return wrong


def pack_digests(connection: Connection) -> None:
    """Pack what is not packed, in the caller's transaction."""
    for block in missing_blocks(connection, DIGESTS, _SAMPLE):
        [keys] = spans([block])
        read = cache(partial(read_columns, connection, keys=keys, as_stored=True))
        rows = [(DIGESTS, name, block, encoded(digest_named(name, read))) for name in KEPT]
        execute_tuples(connection, insert(column_blocks), column_blocks.columns.keys(), rows)
