"""Read and pack the request vectors of all runs as arrays, from packed blocks or from the rows.

Code that stores a vector drops its block, so that a block is never out of date; see `blocks`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, insert, select

from ...analysis.similarity.feature_table import concat_vectors, squared_norms, unpack_vectors
from ...common.column_data import Integers
from ..tables.schema import column_blocks, likeness
from ..writing.bulk_insert import execute_many
from .blocks import BLOCK_SIZE, VECTORS, missing_blocks


class StoredVectors(NamedTuple):
    """Request vectors by one model, of the runs with an up-to-date list of similar runs."""

    keys: Integers  # run keys, ascending
    vectors: npt.NDArray[np.int8]  # one row per run; all zero: no text
    norms: Integers  # squared lengths; 0: no text


class _Packed(msgspec.Struct, array_like=True):
    keys: bytes  # int64
    vectors: bytes  # int8, the same number for each run
    norms: bytes  # int64


def read_vectors(connection: Connection, model: str) -> StoredVectors:
    """Return the vectors computed by `model`."""
    columns, decoder = column_blocks.c, msgspec.msgpack.Decoder(_Packed)
    query = select(columns.block, columns.data).where(columns.family == VECTORS, columns.name == model)
    cursor: Any = connection.execute(query).cursor
    blocks: dict[int, StoredVectors] = {}
    damaged: list[int] = []
    for block, data in cursor.fetchall():
        try:
            blocks[block] = _unpacked(decoder.decode(data))
        except (msgspec.MsgspecError, ValueError):  # damaged: read the rows instead
            damaged.append(block)
    for block in (*missing_blocks(connection, VECTORS, model), *damaged):
        blocks[block] = _read(connection, model, block)
    parts = [blocks[block] for block in sorted(blocks)]
    if not parts:
        return StoredVectors(np.empty(0, np.int64), concat_vectors([]), np.empty(0, np.int64))
    return StoredVectors(
        np.concatenate([part.keys for part in parts]),
        concat_vectors([part.vectors for part in parts]),
        np.concatenate([part.norms for part in parts]),
    )


def pack_vectors(connection: Connection, model: str) -> None:
    """Pack the missing blocks, in the caller's transaction."""
    rows = [
        (VECTORS, model, block, _made(connection, model, block))
        for block in missing_blocks(connection, VECTORS, model)
    ]
    execute_many(connection, insert(column_blocks), column_blocks.columns.keys(), rows)


def verify_vectors(connection: Connection) -> list[tuple[str, int]]:
    """Return the family and the first possible run key of each block that differs from its rows."""
    own = column_blocks.c
    query = select(own.name, own.block, own.data).where(own.family == VECTORS).order_by(own.block)
    cursor: Any = connection.execute(query).cursor
    return [
        ("vectors", block * BLOCK_SIZE)
        for model, block, data in cursor.fetchall()
        if bytes(data) != _made(connection, model, block)
    ]


def _made(connection: Connection, model: str, block: int) -> bytes:
    found = _read(connection, model, block)
    packed = _Packed(found.keys.tobytes(), found.vectors.tobytes(), found.norms.tobytes())
    return msgspec.msgpack.encode(packed)


def _read(connection: Connection, model: str, block: int) -> StoredVectors:
    """Return the vectors of one block's runs, read from their rows."""
    own, first = likeness.c, block * BLOCK_SIZE
    query = select(own.workflow_key, own.text_vector).where(
        own.workflow_key.between(first, first + BLOCK_SIZE - 1), own.text_model == model
    )
    cursor: Any = connection.execute(query.order_by(own.workflow_key)).cursor
    rows = cursor.fetchall()
    vectors = unpack_vectors([vector for _, vector in rows])
    return StoredVectors(np.array([key for key, _ in rows], np.int64), vectors, squared_norms(vectors))


def _unpacked(packed: _Packed) -> StoredVectors:
    keys = np.frombuffer(packed.keys, np.int64)
    vectors = np.frombuffer(packed.vectors, np.int8)
    width = len(vectors) // len(keys) if len(keys) else 0
    return StoredVectors(keys, vectors.reshape(len(keys), width), np.frombuffer(packed.norms, np.int64))
