"""Read and pack the columns of a history as arrays.

Each column is stored in blocks of runs, so that values of 100,000 runs are read in milliseconds. A block that
is not packed is read from the rows themselves, with the same result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, case, func, insert, null, select

from ...analysis.statistics.cost_by_part import PART_COLUMNS, PART_TABLES, cost_by_part
from ...common.coercion import coerce_word
from ...common.column_data import (
    COLUMNS,
    MISSING_INT,
    CategoricalColumn,
    ColumnTable,
    Floats,
    Integers,
    Kind,
    TableName,
    concat_categories,
    is_known,
)
from ...common.errors import InvalidQueryError
from ..connection.dialects.base import malformed_error
from ..connection.engine import fetch_raw_columns, fetch_raw_rows
from ..reading.cost_sql import whole_duration
from ..reading.current_status import FELL_SILENT, INCOMPLETE, RUNNING
from ..tables.schema import agent_runs, column_blocks, model_usage, silent_agents, workflows
from ..writing.bulk_insert import execute_many
from .blocks import BLOCK_SIZE, all_blocks, block_ranges, blocks_for, missing_blocks, stored_as

_EPOCH = np.datetime64(0, "us")
_SAMPLE: dict[TableName, str] = {family: next(iter(names)) for family, names in COLUMNS.items()}
"""One column of each family; if it is packed in a block, so is the whole family."""

_NOT_PACKED: Final = ("models",)
"""Tables that only costs by part are computed from, whose blocks are packed instead."""

PACKED_FAMILIES: Final[Sequence[TableName]] = [family for family in COLUMNS if family not in _NOT_PACKED]
"""Families that are packed; costs by part come after the families that they are computed from."""

_NO_CATEGORIES = CategoricalColumn.from_values(())

_INTEGER_TYPES = (np.uint8, np.uint16, np.uint32)
"""Types for packing integers that fit; the largest value of a type encodes unknown."""

_MISSING_BY_SIZE = {np.dtype(size).itemsize: np.iinfo(size).max for size in _INTEGER_TYPES}


class _Packed(msgspec.Struct, array_like=True):
    """One column of one block."""

    dtype: str  # NumPy type of `data`
    data: bytes
    words: list[str] = []


class ColumnReader:
    """Reads columns of the runs in a range of keys within one transaction; reads each row once.

    `keys` is a range from the first run key of a block to the last of a block; None: all runs. The columns
    stay in memory until the reader is deleted, so a range should not be large. With `as_stored`, statuses
    are those of the last sync; otherwise running runs that fell silent since are incomplete.
    """

    def __init__(self, connection: Connection, keys: range | None = None, *, as_stored: bool = False) -> None:
        self._connection = connection
        self._keys = keys
        self._as_stored = as_stored
        self._tables: dict[tuple[TableName, tuple[str, ...]], ColumnTable] = {}
        self._rows: dict[tuple[TableName, range], dict[str, Values]] = {}

    def __call__(self, family: TableName, names: Sequence[str]) -> ColumnTable:
        """Return some columns of every run, agent run or share of a model, in the order of the run keys.

        Raises InvalidQueryError for an unknown column.
        """
        unknown = [name for name in names if name not in COLUMNS[family]]
        if unknown:
            raise InvalidQueryError(
                f"no column {', '.join(unknown)} in {family}; known: {', '.join(COLUMNS[family])}"
            )
        columns = self._tables.get((family, tuple(names)))
        if columns is None:
            columns = self._read(family, list(dict.fromkeys([_SAMPLE[family], *names])), self._keys)
            if not self._as_stored:
                columns = _with_current_status(self._connection, columns)
            self._tables[family, tuple(names)] = columns
        return columns

    def read_rows(self, family: TableName, names: Sequence[str], keys: range) -> Block:
        """Return columns of the runs with these keys, read from their rows."""
        columns = self._rows.setdefault((family, keys), {})
        if missing := [name for name in names if name not in columns]:
            if family in PART_TABLES:
                columns.update(self._compute_cost_by_part(family, keys))
            else:
                columns.update(_read_rows(self._connection, family, missing, keys))
        return {name: columns[name] for name in names}

    def _read(self, family: TableName, names: Sequence[str], keys: range | None) -> ColumnTable:
        values_by_block: dict[int, Block] = {}
        if family not in _NOT_PACKED:
            values_by_block.update(_read_packed(self._connection, family, names, keys))
        block_numbers = all_blocks(self._connection) if keys is None else blocks_for(keys)
        for missing in block_ranges(block for block in block_numbers if block not in values_by_block):
            values_by_block[missing.start // BLOCK_SIZE] = self.read_rows(family, names, missing)
        return _assemble(family, names, [values_by_block[block] for block in sorted(values_by_block)])

    def _compute_cost_by_part(self, family: TableName, keys: range) -> Block:
        """Return the costs and tokens of the runs with these keys by phase, agent or model."""
        parts_family, by = PART_TABLES[family]
        parts = self._read(parts_family, ("workflow_key", *PART_COLUMNS[parts_family], by), keys)
        silent = self._read("silent_agents", tuple(COLUMNS["silent_agents"]), keys)
        shares = cost_by_part(parts, by, family, silent)
        return {**shares.categorical, **shares.integers, **shares.floats}


def fell_silent(connection: Connection) -> list[int]:
    """Return the keys of the runs that are stored as running but shown as incomplete."""
    query = select(workflows.c.key).where(FELL_SILENT).order_by(workflows.c.key)
    return list(connection.scalars(query))


def _with_current_status(connection: Connection, columns: ColumnTable) -> ColumnTable:
    if (
        columns.family != "runs"
        or not columns.categorical.get("status", _NO_CATEGORIES).equals(RUNNING).any()
    ):
        return columns
    statuses = columns.categorical["status"]
    silent = np.isin(columns.integers["key"], fell_silent(connection)) & statuses.equals(RUNNING)
    categories = (
        statuses.categories if INCOMPLETE in statuses.categories else (*statuses.categories, INCOMPLETE)
    )
    codes = np.where(silent, categories.index(INCOMPLETE), statuses.codes).astype(np.int32)
    return replace(
        columns, categorical={**columns.categorical, "status": CategoricalColumn(codes, categories)}
    )


def build_cache(connection: Connection) -> None:
    """Pack the missing blocks, in the caller's transaction."""
    families_by_block: dict[int, list[TableName]] = defaultdict(list)
    for family in PACKED_FAMILIES:
        for block in missing_blocks(connection, family, _SAMPLE[family]):
            families_by_block[block].append(family)
    for block, families in families_by_block.items():
        [keys] = block_ranges([block])
        reader = ColumnReader(connection, keys)
        for family in families:
            values = reader.read_rows(family, list(COLUMNS[family]), keys)
            if any(
                not isinstance(value, CategoricalColumn) and value.dtype.kind == "O"
                for value in values.values()
            ):
                continue  # sums beyond 64 bits are computed at each use
            rows = [
                (stored_as(family), name, block, data)
                for name, data in _encode_block(COLUMNS[family], values).items()
            ]
            execute_many(connection, insert(column_blocks), column_blocks.columns.keys(), rows)


def verify_cache(connection: Connection) -> list[tuple[str, int]]:
    """Return the family and the first possible run key of each block that differs from its rows."""
    errors: list[tuple[str, int]] = []
    for family in sorted(PACKED_FAMILIES, key=lambda family: family in PART_TABLES):
        if errors and family in PART_TABLES:
            break  # these are computed from the others
        missing = set(missing_blocks(connection, family, _SAMPLE[family]))
        for block in all_blocks(connection):
            if block not in missing:
                [keys] = block_ranges([block])
                expected = ColumnReader(connection).read_rows(family, list(COLUMNS[family]), keys)
                if _read_block(connection, family, block) != _encode_block(COLUMNS[family], expected):
                    errors.append((family, keys.start))
    return errors


def _read_block(connection: Connection, family: TableName, block: int) -> dict[str, bytes]:
    columns = column_blocks.c
    query = select(columns.name, columns.data).where(
        columns.family == stored_as(family), columns.block == block
    )
    return {name: bytes(data) for name, data in fetch_raw_rows(connection, query)}


def _encode_block(columns: Mapping[str, Kind], values: Block) -> dict[str, bytes]:
    return {name: msgspec.msgpack.encode(_pack(columns[name], value)) for name, value in values.items()}


Values = CategoricalColumn | Integers | Floats
Block = Mapping[str, Values]


def _read_packed(
    connection: Connection, family: TableName, names: Sequence[str], keys: range | None
) -> dict[int, dict[str, Values]]:
    """Return the packed blocks by number: integers in their small types; damaged blocks are left out."""
    columns = column_blocks.c
    query = select(columns.block, columns.name, columns.data).where(
        columns.family == stored_as(family), columns.name.in_(names)
    )
    if keys is not None:
        blocks = blocks_for(keys)
        query = query.where(columns.block.between(blocks[0], blocks[-1]))
    kinds, decoder = COLUMNS[family], msgspec.msgpack.Decoder(_Packed)
    blocks_by_number: dict[int, dict[str, Values]] = {}
    damaged: set[int] = set()
    for block, name, data in fetch_raw_rows(connection, query):
        try:
            packed = decoder.decode(data)
            values: npt.NDArray[Any] = np.frombuffer(packed.data, np.dtype(packed.dtype))
            is_categorical = kinds[name] == "words"
            column = CategoricalColumn(values, tuple(packed.words)) if is_categorical else values
            blocks_by_number.setdefault(block, {})[name] = column
        except (msgspec.MsgspecError, ValueError, TypeError):  # damaged: read the rows instead
            damaged.add(block)
    return {block: columns for block, columns in blocks_by_number.items() if block not in damaged}


def _assemble(family: TableName, names: Sequence[str], blocks: Sequence[Block]) -> ColumnTable:
    kinds = COLUMNS[family]
    categorical: dict[str, CategoricalColumn] = {}
    integers: dict[str, Integers] = {}
    floats: dict[str, Floats] = {}
    for name in names:
        parts: list[Any] = [block[name] for block in blocks]
        if kinds[name] == "words":
            categorical[name] = concat_categories(parts)
        elif kinds[name] == "real":
            floats[name] = np.concatenate(parts) if parts else np.empty(0, np.float64)
        else:
            integers[name] = _concat_integers(parts)
    return ColumnTable(family, len(integers[_SAMPLE[family]]), categorical, integers, floats)


# --- packing


def _pack(kind: Kind, values: Values) -> _Packed:
    if isinstance(values, CategoricalColumn):
        codes = values.codes.astype(np.int8 if len(values.categories) < 128 else np.int32)
        return _Packed(codes.dtype.str, codes.tobytes(), list(values.categories))
    if kind == "real":
        return _Packed(values.dtype.str, values.tobytes())
    is_present = is_known(values)
    largest = int(values[is_present].max(initial=0))
    for integer_type in _INTEGER_TYPES:
        missing = int(np.iinfo(integer_type).max)
        if largest < missing and int(values[is_present].min(initial=0)) >= 0:
            small = np.where(is_present, values, missing).astype(integer_type)
            return _Packed(small.dtype.str, small.tobytes())
    return _Packed(values.dtype.str, values.tobytes())


def _concat_integers(parts: Sequence[npt.NDArray[Any]]) -> Integers:
    """Concatenate integers as int64, with unknown as MISSING_INT; larger ones stay objects."""
    arrays = [np.empty(0, np.int64)]
    for dtype, group in groupby(parts, key=lambda part: part.dtype):
        packed = np.concatenate(list(group))
        integers = packed if dtype.kind == "O" else packed.astype(np.int64, copy=False)
        if dtype.itemsize in _MISSING_BY_SIZE:
            integers[packed == _MISSING_BY_SIZE[dtype.itemsize]] = MISSING_INT
        arrays.append(integers)
    return np.concatenate(arrays)


# --- reading rows


class _Source(NamedTuple):
    """Query for the rows of one family."""

    query: Any  # a SELECT of exactly the requested columns
    key: Any  # column with the run key
    order: Sequence[Any]


def _read_rows(connection: Connection, family: TableName, names: Sequence[str], keys: range) -> Block:
    source = _SOURCES[family](names)
    query = source.query.where(source.key.between(keys[0], keys[-1])).order_by(*source.order)
    columns = fetch_raw_columns(connection, query)
    return {
        name: _column(COLUMNS[family][name], name, values)
        for name, values in zip(names, columns, strict=True)
    }


def _column(kind: Kind, name: str, values: Sequence[Any]) -> Values:
    if kind == "words":
        return CategoricalColumn.from_values(values, coerce_word if name == "status" else _stripped)
    if kind == "real":
        return np.array(values, np.float64)  # None becomes NaN
    if kind == "time":
        try:
            moments = np.array([None if value is None else value[:-1] for value in values], "datetime64[us]")
        except (ValueError, TypeError) as error:
            raise malformed_error(error) from error
        return np.where(np.isnat(moments), MISSING_INT, (moments - _EPOCH).astype(np.int64))
    try:
        return np.fromiter(values, np.int64, len(values))
    except TypeError:  # a value is unknown
        return np.fromiter([MISSING_INT if value is None else value for value in values], np.int64)


def _stripped(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _runs(names: Sequence[str]) -> _Source:
    run = workflows.c
    special = {
        "created_at": func.coalesce(run.created_at, run.started_at),
        "duration_seconds": whole_duration(),
        "has_error": run.error_message.is_not(None) & (run.error_message != ""),
        "total_cost": run.recorded_cost_nanodollars,
        "is_copy": run.copy_of.is_not(None),
    }
    return _Source(select(*_select_columns("runs", run, names, special)), run.key, [run.key])


def _agent_runs(names: Sequence[str]) -> _Source:
    agent_run = agent_runs.c
    special = {"is_copy": agent_run.duplicate_of.is_not(None)}
    columns = _select_columns("agent_runs", agent_run, names, special)
    return _Source(select(*columns), agent_run.workflow_key, [agent_run.workflow_key, agent_run.ordinal])


def _models(names: Sequence[str]) -> _Source:
    usage, agent_run = model_usage.c, agent_runs.c
    is_split = usage.workflow_key.is_not(None)
    special = {
        "workflow_key": agent_run.workflow_key,
        "outcome": case((is_split, null()), else_=agent_run.outcome),
        "is_copy": ~is_split & agent_run.duplicate_of.is_not(None),
    }
    shares = _select_columns("models", usage, names, special)
    whole = _select_columns("models", agent_run, names, special)
    columns = [
        shared if name in special else case((is_split, shared), else_=undivided).label(name)
        for name, shared, undivided in zip(names, shares, whole, strict=True)
    ]
    has_shares = (usage.workflow_key == agent_run.workflow_key) & (usage.agent_ordinal == agent_run.ordinal)
    query = select(*columns).select_from(agent_runs).join(model_usage, has_shares, isouter=True)
    return _Source(query, agent_run.workflow_key, [agent_run.workflow_key, agent_run.ordinal, usage.ordinal])


def _silent_agents(names: Sequence[str]) -> _Source:
    silent_agent = silent_agents.c
    columns = _select_columns("silent_agents", silent_agent, names, {})
    return _Source(
        select(*columns), silent_agent.workflow_key, [silent_agent.workflow_key, silent_agent.agent]
    )


_SOURCES: dict[TableName, Callable[[Sequence[str]], _Source]] = {
    "runs": _runs,
    "agent_runs": _agent_runs,
    "models": _models,
    "silent_agents": _silent_agents,
}


def _select_columns(
    family: TableName, table_columns: Any, names: Sequence[str], special: Mapping[str, Any]
) -> list[Any]:
    kinds = COLUMNS[family]
    return [
        special[name].label(name)
        if name in special
        else table_columns[f"{name}_nanodollars" if kinds[name] == "money" else name].label(name)
        for name in names
    ]
