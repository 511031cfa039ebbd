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
    Select,
    exists,
    false,
    func,
    insert,
    null,
    select,
    union_all,
)

from ...analysis.statistics.cost_by_part import PART_COLUMNS, PART_TABLES, cost_by_part
from ...common.coercion import coerce_word, moment_in_utc
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
from ...common.plausible_dates import to_microseconds
from ..connection.dialects.base import malformed_error
from ..reading.cost_sql import whole_duration
from ..reading.standing import FELL_SILENT, RUNNING, SILENT
from ..tables.schema import agent_runs, column_blocks, model_usage, silent_agents, workflows
from ..writing.bulk_insert import execute_many
from .blocks import BLOCK_SIZE, all_blocks, block_ranges, blocks_for, missing_blocks, stored_as

_EPOCH = np.datetime64(0, "us")
_SAMPLE: dict[TableName, str] = {family: next(iter(names)) for family, names in COLUMNS.items()}
"""One column of each family; if it is packed in a block, so is the whole family."""

_NO_WORDS = CategoricalColumn.from_values(())

_SIZES = (np.uint8, np.uint16, np.uint32)
"""Types for packing integers that fit; the largest value of a type encodes unknown."""

_MOST = {np.dtype(size).itemsize: np.iinfo(size).max for size in _SIZES}


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
    wanted = list(dict.fromkeys([_SAMPLE[family], *names]))
    found: dict[int, Block] = dict(_packed(connection, family, wanted, keys))
    asked = all_blocks(connection) if keys is None else blocks_for(keys)
    for some in block_ranges(block for block in asked if block not in found):
        found[some.start // BLOCK_SIZE] = _read(connection, family, wanted, some)
    columns = _assembled(family, wanted, [found[block] for block in sorted(found)])
    return columns if as_stored else _as_they_stand(connection, columns)


def fell_silent(connection: Connection) -> list[int]:
    """Return the keys of the runs that are stored as running but shown as incomplete."""
    query = select(workflows.c.key).where(FELL_SILENT).order_by(workflows.c.key)
    return list(connection.scalars(query))


def _as_they_stand(connection: Connection, columns: ColumnTable) -> ColumnTable:
    if columns.family != "runs" or not columns.categorical.get("status", _NO_WORDS).equals(RUNNING).any():
        return columns
    statuses = columns.categorical["status"]
    silent = np.isin(columns.integers["key"], fell_silent(connection)) & statuses.equals(RUNNING)
    known_words = statuses.categories if SILENT in statuses.categories else (*statuses.categories, SILENT)
    codes = np.where(silent, known_words.index(SILENT), statuses.codes).astype(np.int32)
    return replace(
        columns, categorical={**columns.categorical, "status": CategoricalColumn(codes, known_words)}
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
                (stored_as(family), name, block, msgspec.msgpack.encode(_pack(columns[name], value)))
                for name, value in values.items()
            ]
            execute_many(connection, insert(column_blocks), column_blocks.columns.keys(), rows)


def verify_cache(connection: Connection) -> list[tuple[str, int]]:
    """Return the family and the first possible run key of each block that differs from its rows."""
    wrong: list[tuple[str, int]] = []
    for family, columns in sorted(COLUMNS.items(), key=lambda item: item[0] in PART_TABLES):
        if wrong and family in PART_TABLES:
            break  # these are computed from the others
        missing = set(missing_blocks(connection, family, _SAMPLE[family]))
        for keys in (
            keys for block in all_blocks(connection) if block not in missing for keys in block_ranges([block])
        ):
            made = _made(columns, _read(connection, family, list(columns), keys))
            if _stored(connection, family, keys.start // BLOCK_SIZE) != made:
                wrong.append((family, keys.start))
    return wrong


def _stored(connection: Connection, family: TableName, block: int) -> dict[str, bytes]:
    own = column_blocks.c
    query = select(own.name, own.data).where(own.family == stored_as(family), own.block == block)
    return {name: bytes(data) for name, data in fetch_raw_rows(connection, query)}


def _made(columns: Mapping[str, Kind], values: Block) -> dict[str, bytes]:
    return {name: msgspec.msgpack.encode(_pack(columns[name], value)) for name, value in values.items()}


Values = CategoricalColumn | Integers | Floats
Block = Mapping[str, Values]


def _packed(
    connection: Connection, family: TableName, names: Sequence[str], keys: range | None
) -> dict[int, dict[str, Values]]:
    columns = column_blocks.c
    query = select(columns.block, columns.name, columns.data).where(
        columns.family == stored_as(family), columns.name.in_(names)
    )
    if keys is not None:
        blocks = blocks_for(keys)
        query = query.where(columns.block.between(blocks[0], blocks[-1]))
    kinds, decoder = COLUMNS[family], msgspec.msgpack.Decoder(_Packed)
    found: dict[int, dict[str, Values]] = {}
    damaged: set[int] = set()
    for block, name, data in fetch_raw_rows(connection, query):
        try:
            found.setdefault(block, {})[name] = _unpack(kinds[name], decoder.decode(data))
        except (msgspec.MsgspecError, ValueError, TypeError):  # damaged: read the rows instead
            damaged.add(block)
    return {block: columns for block, columns in found.items() if block not in damaged}


def _assembled(family: TableName, names: Sequence[str], blocks: Sequence[Block]) -> ColumnTable:
    kinds = COLUMNS[family]
    words: dict[str, CategoricalColumn] = {}
    whole: dict[str, Integers] = {}
    real: dict[str, Floats] = {}
    for name in names:
        parts: list[Any] = [block[name] for block in blocks]
        if kinds[name] == "words":
            words[name] = concat_categories(parts)
        elif kinds[name] == "real":
            real[name] = np.concatenate(parts) if parts else np.empty(0, np.float64)
        else:
            whole[name] = _whole(parts)
    return ColumnTable(family, len(whole[_SAMPLE[family]]), words, whole, real)


# --- packing


def _pack(kind: Kind, values: Values) -> _Packed:
    if isinstance(values, CategoricalColumn):
        codes = values.codes.astype(np.int8 if len(values.categories) < 128 else np.int32)
        return _Packed(codes.dtype.str, codes.tobytes(), list(values.categories))
    if kind == "real":
        return _Packed(values.dtype.str, values.tobytes())
    there = is_known(values)
    largest = int(values[there].max(initial=0))
    for size in _SIZES:
        most = int(np.iinfo(size).max)
        if largest < most and int(values[there].min(initial=0)) >= 0:
            small = np.where(there, values, most).astype(size)
            return _Packed(small.dtype.str, small.tobytes())
    return _Packed(values.dtype.str, values.tobytes())


def _unpack(kind: Kind, packed: _Packed) -> Values:
    """Return the values as packed: integers in their small types."""
    values: npt.NDArray[Any] = np.frombuffer(packed.data, np.dtype(packed.dtype))
    return CategoricalColumn(values, tuple(packed.words)) if kind == "words" else values


def _whole(parts: Sequence[npt.NDArray[Any]]) -> Integers:
    """Concatenate integers as int64, with unknown as MISSING_INT; larger ones stay objects."""
    found = [np.empty(0, np.int64)]
    for dtype, some in groupby(parts, key=lambda part: part.dtype):
        small = np.concatenate(list(some))
        whole = small if dtype.kind == "O" else small.astype(np.int64, copy=False)
        if dtype.itemsize in _MOST:
            whole[small == _MOST[dtype.itemsize]] = MISSING_INT
        found.append(whole)
    return np.concatenate(found)


# --- reading rows


class _Source(NamedTuple):
    """Query for the rows of one family."""

    query: Any  # a SELECT of exactly the requested columns
    key: Any  # column with the run key
    order: Sequence[Any]


def _read(connection: Connection, family: TableName, names: Sequence[str], keys: range) -> Block:
    """Return the columns of the runs with these keys, read from their rows."""
    if family in PART_TABLES:
        return _shared_out(connection, family, keys)
    source = _SOURCES[family](names)
    query = source.query.where(source.key.between(keys[0], keys[-1]))
    rows = fetch_raw_rows(connection, query.order_by(*source.order))
    by_column: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else ((),) * len(names)
    return {
        name: _column(COLUMNS[family][name], name, values)
        for name, values in zip(names, by_column, strict=True)
    }


def _shared_out(connection: Connection, family: TableName, keys: range) -> Block:
    """Return the costs and tokens of the runs with these keys by phase, agent or model."""
    parts_family, by = PART_TABLES[family]
    parts = read_columns(connection, parts_family, (*PART_COLUMNS[parts_family], by), keys=keys)
    silent = read_columns(connection, "silent_agents", tuple(COLUMNS["silent_agents"]), keys=keys)
    shares = cost_by_part(parts, by, family, silent)
    return {**shares.categorical, **shares.integers, **shares.floats}


def _microseconds(moment: Any) -> int:
    when = moment_in_utc(moment)
    return MISSING_INT if when is None else to_microseconds(when)


def _column(kind: Kind, name: str, values: Sequence[Any]) -> Values:
    if kind == "words":
        tidy = coerce_word if name == "status" else _name
        return CategoricalColumn.from_values(tidy(value) for value in values)
    if kind == "real":
        return np.array([np.nan if value is None else value for value in values], np.float64)
    if kind == "time":
        try:
            moments = np.array([None if value is None else value[:-1] for value in values], "datetime64[us]")
        except (ValueError, TypeError) as error:
            raise malformed_error(error) from error
        return np.where(np.isnat(moments), MISSING_INT, (moments - _EPOCH).astype(np.int64))
    return np.array([MISSING_INT if value is None else value for value in values], np.int64)


def _name(value: object) -> str | None:
    return (value.strip() or None) if isinstance(value, str) else None


def _runs(names: Sequence[str]) -> _Source:
    own = workflows.c
    special = {
        "created_at": func.coalesce(own.created_at, own.started_at),
        "duration_seconds": whole_duration(),
        "has_error": own.error_message.is_not(None) & (own.error_message != ""),
        "total_cost": own.recorded_cost_nanodollars,
        "is_copy": own.copy_of.is_not(None),
    }
    return _Source(select(*_chosen("runs", own, names, special)), own.key, [own.key])


def _agent_runs(names: Sequence[str]) -> _Source:
    own = agent_runs.c
    special = {"is_copy": own.duplicate_of.is_not(None)}
    columns = _chosen("agent_runs", own, names, special)
    return _Source(select(*columns), own.workflow_key, [own.workflow_key, own.ordinal])


def _models(names: Sequence[str]) -> _Source:
    shares, agents = model_usage.c, agent_runs.c
    split = exists().where(shares.workflow_key == agents.workflow_key, shares.agent_ordinal == agents.ordinal)
    copied = {"is_copy": agents.duplicate_of.is_not(None)}
    untold = {"is_copy": false(), "outcome": null()}
    both = union_all(
        select(*_chosen("models", shares, names, untold), shares.workflow_key.label("of"),
               shares.agent_ordinal.label("agent"), shares.ordinal.label("place")),
        select(*_chosen("models", agents, names, copied), agents.workflow_key, agents.ordinal, null())
        .where(~split),
    ).subquery()  # fmt: skip
    columns = [both.c[number] for number in both.c.keys()[: len(names)]]
    return _Source(select(*columns), both.c.of, [both.c.of, both.c.agent, both.c.place])


def _silent_agents(names: Sequence[str]) -> _Source:
    own = silent_agents.c
    columns = _chosen("silent_agents", own, names, {})
    return _Source(select(*columns), own.workflow_key, [own.workflow_key, own.agent])


_SOURCES: dict[TableName, Callable[[Sequence[str]], _Source]] = {
    "runs": _runs,
    "agent_runs": _agent_runs,
    "models": _models,
    "silent_agents": _silent_agents,
}


def _chosen(family: TableName, own: Any, names: Sequence[str], special: Mapping[str, Any]) -> list[Any]:
    kinds = COLUMNS[family]
    return [
        special[name].label(name)
        if name in special
        else own[f"{name}_nanodollars" if kinds[name] == "money" else name].label(name)
        for name in names
    ]


def fetch_raw_rows(connection: Connection, query: Select[Any]) -> list[Any]:
    """Return the driver's own tuples, as a row object for each would double the time."""
    cursor: Any = connection.execute(query).cursor
    rows: list[Any] = cursor.fetchall()
    return rows
