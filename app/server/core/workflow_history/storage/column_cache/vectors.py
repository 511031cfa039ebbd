"""Read and pack the request vectors of all runs as arrays, from packed blocks or from the rows.

Code that stores a vector drops its block, so that a block is never out of date; see `blocks`.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, insert, select

from ...analysis.similarity.feature_table import concat_vectors, squared_norms, unpack_vectors
from ...common.column_data import Integers
from ..connection.engine import fetch_raw_rows
from ..tables.schema import column_blocks, similarity_features
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
    blocks: dict[int, StoredVectors] = {}
    damaged: list[int] = []
    for block, data in fetch_raw_rows(connection, query):
        try:
            blocks[block] = _unpack(decoder.decode(data))
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
        (VECTORS, model, block, _encode_block(connection, model, block))
        for block in missing_blocks(connection, VECTORS, model)
    ]
    execute_many(connection, insert(column_blocks), column_blocks.columns.keys(), rows)


def verify_vectors(connection: Connection) -> list[tuple[str, int]]:
    """Return the family and the first possible run key of each block that differs from its rows."""
    columns = column_blocks.c
    query = (
        select(columns.name, columns.block, columns.data)
        .where(columns.family == VECTORS)
        .order_by(columns.block)
    )
    return [
        ("vectors", block * BLOCK_SIZE)
        for model, block, data in fetch_raw_rows(connection, query)
        if bytes(data) != _encode_block(connection, model, block)
    ]


def _encode_block(connection: Connection, model: str, block: int) -> bytes:
    vectors = _read(connection, model, block)
    packed = _Packed(vectors.keys.tobytes(), vectors.vectors.tobytes(), vectors.norms.tobytes())
    return msgspec.msgpack.encode(packed)


def _read(connection: Connection, model: str, block: int) -> StoredVectors:
    """Return the vectors of one block's runs, read from their rows."""
    columns, first = similarity_features.c, block * BLOCK_SIZE
    query = select(columns.workflow_key, columns.text_vector).where(
        columns.workflow_key.between(first, first + BLOCK_SIZE - 1), columns.text_model == model
    )
    rows = fetch_raw_rows(connection, query.order_by(columns.workflow_key))
    vectors = unpack_vectors([vector for _, vector in rows])
    return StoredVectors(np.array([key for key, _ in rows], np.int64), vectors, squared_norms(vectors))


def _unpack(packed: _Packed) -> StoredVectors:
    keys = np.frombuffer(packed.keys, np.int64)
    vectors = np.frombuffer(packed.vectors, np.int8)
    width = len(vectors) // len(keys) if len(keys) else 0
    return StoredVectors(keys, vectors.reshape(len(keys), width), np.frombuffer(packed.norms, np.int64))
