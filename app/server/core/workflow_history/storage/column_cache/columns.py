"""Read and pack the columns of a history as arrays.

Each column is stored in blocks of runs, so that values of 100,000 runs are read in milliseconds. A block that
is not packed is read from the rows themselves, with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    Connection,
    exists,
    false,
    func,
    insert,
    null,
    select,
    union_all,
)

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
from ..connection.engine import fetch_raw_rows
from ..reading.cost_sql import whole_duration
from ..reading.current_status import FELL_SILENT, INCOMPLETE, RUNNING
from ..tables.schema import agent_runs, column_blocks, model_usage, silent_agents, workflows
from ..writing.bulk_insert import execute_many
from .blocks import BLOCK_SIZE, all_blocks, block_ranges, blocks_for, missing_blocks, stored_as

_EPOCH = np.datetime64(0, "us")
_SAMPLE: dict[TableName, str] = {family: next(iter(names)) for family, names in COLUMNS.items()}
"""One column of each family; if it is packed in a block, so is the whole family."""

_NO_CATEGORIES = CategoricalColumn.from_values(())

_INTEGER_TYPES = (np.uint8, np.uint16, np.uint32)
"""Types for packing integers that fit; the largest value of a type encodes unknown."""

_MISSING_BY_SIZE = {np.dtype(size).itemsize: np.iinfo(size).max for size in _INTEGER_TYPES}


class _Packed(msgspec.Struct, array_like=True):
    """One column of one block."""

    dtype: str  # NumPy type of `data`
    data: bytes
    words: list[str] = []


def read_columns(
    connection: Connection,
    family: TableName,
    names: Sequence[str],
    *,
    keys: range | None = None,
    as_stored: bool = False,
) -> ColumnTable:
    """Return some columns of every run, agent run or share of a model, in the order of the run keys.

    `keys` limits them to a range of run keys from the first of a block to the last of a block. With
    `as_stored`, statuses are those of the last sync; otherwise running runs that fell silent since are
    incomplete. Raises InvalidQueryError for an unknown column.
    """
    unknown = [name for name in names if name not in COLUMNS[family]]
    if unknown:
        raise InvalidQueryError(
            f"no column {', '.join(unknown)} in {family}; known: {', '.join(COLUMNS[family])}"
        )
    needed = list(dict.fromkeys([_SAMPLE[family], *names]))
    values_by_block: dict[int, Block] = dict(_read_packed(connection, family, needed, keys))
    block_numbers = all_blocks(connection) if keys is None else blocks_for(keys)
    for missing in block_ranges(block for block in block_numbers if block not in values_by_block):
        values_by_block[missing.start // BLOCK_SIZE] = _read(connection, family, needed, missing)
    columns = _assemble(family, needed, [values_by_block[block] for block in sorted(values_by_block)])
    return columns if as_stored else _with_current_status(connection, columns)


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
    for family, columns in COLUMNS.items():
        for block in missing_blocks(connection, family, _SAMPLE[family]):
            [keys] = block_ranges([block])
            values = _read(connection, family, list(columns), keys)
            if any(
                not isinstance(value, CategoricalColumn) and value.dtype.kind == "O"
                for value in values.values()
            ):
                continue  # sums beyond 64 bits are computed at each use
            rows = [
                (stored_as(family), name, block, data)
                for name, data in _encode_block(columns, values).items()
            ]
            execute_many(connection, insert(column_blocks), column_blocks.columns.keys(), rows)


def verify_cache(connection: Connection) -> list[tuple[str, int]]:
    """Return the family and the first possible run key of each block that differs from its rows."""
    errors: list[tuple[str, int]] = []
    for family, columns in sorted(COLUMNS.items(), key=lambda item: item[0] in PART_TABLES):
        if errors and family in PART_TABLES:
            break  # these are computed from the others
        missing = set(missing_blocks(connection, family, _SAMPLE[family]))
        for block in all_blocks(connection):
            if block not in missing:
                [keys] = block_ranges([block])
                expected = _encode_block(columns, _read(connection, family, list(columns), keys))
                if _read_block(connection, family, block) != expected:
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


def _read(connection: Connection, family: TableName, names: Sequence[str], keys: range) -> Block:
    """Return the columns of the runs with these keys, read from their rows."""
    if family in PART_TABLES:
        return _read_cost_by_part(connection, family, keys)
    source = _SOURCES[family](names)
    query = source.query.where(source.key.between(keys[0], keys[-1]))
    rows = fetch_raw_rows(connection, query.order_by(*source.order))
    by_column: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else ((),) * len(names)
    return {
        name: _column(COLUMNS[family][name], name, values)
        for name, values in zip(names, by_column, strict=True)
    }


def _read_cost_by_part(connection: Connection, family: TableName, keys: range) -> Block:
    """Return the costs and tokens of the runs with these keys by phase, agent or model."""
    parts_family, by = PART_TABLES[family]
    parts = read_columns(connection, parts_family, (*PART_COLUMNS[parts_family], by), keys=keys)
    silent = read_columns(connection, "silent_agents", tuple(COLUMNS["silent_agents"]), keys=keys)
    shares = cost_by_part(parts, by, family, silent)
    return {**shares.categorical, **shares.integers, **shares.floats}


def _column(kind: Kind, name: str, values: Sequence[Any]) -> Values:
    if kind == "words":
        normalize = coerce_word if name == "status" else _stripped
        return CategoricalColumn.from_values(normalize(value) for value in values)
    if kind == "real":
        return np.array([np.nan if value is None else value for value in values], np.float64)
    if kind == "time":
        try:
            moments = np.array([None if value is None else value[:-1] for value in values], "datetime64[us]")
        except (ValueError, TypeError) as error:
            raise malformed_error(error) from error
        return np.where(np.isnat(moments), MISSING_INT, (moments - _EPOCH).astype(np.int64))
    return np.array([MISSING_INT if value is None else value for value in values], np.int64)


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
    has_split = exists().where(
        usage.workflow_key == agent_run.workflow_key, usage.agent_ordinal == agent_run.ordinal
    )
    agent_special = {"is_copy": agent_run.duplicate_of.is_not(None)}
    usage_special = {"is_copy": false(), "outcome": null()}
    split = select(
        *_select_columns("models", usage, names, usage_special),
        usage.workflow_key.label("run_key"),
        usage.agent_ordinal.label("agent_ordinal"),
        usage.ordinal.label("model_ordinal"),
    )
    unsplit = select(
        *_select_columns("models", agent_run, names, agent_special),
        agent_run.workflow_key,
        agent_run.ordinal,
        null(),
    )
    both = union_all(split, unsplit.where(~has_split)).subquery()
    columns = [both.c[number] for number in both.c.keys()[: len(names)]]
    return _Source(
        select(*columns), both.c.run_key, [both.c.run_key, both.c.agent_ordinal, both.c.model_ordinal]
    )


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
