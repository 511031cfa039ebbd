"""Export tables of a history: table, destination and format in, a written file and its description out."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Annotated, Any, Final, NamedTuple

from ..analysis.statistics.grouping import resolve_grouping
from ..analysis.statistics.records import GroupStatistics, RunsCostingMore, RunsOfGroup
from ..common.errors import InvalidQueryError, InvalidValueError
from ..common.field_docs import Doc
from ..common.filters import RunFilter
from ..common.grouping_names import GROUPING_LABELS, nameless_group
from ..common.shared_fields import (
    CacheReadTokens,
    CacheWriteTokens,
    InputTokens,
    OutputTokens,
    PricedRuns,
    RunsWithoutCost,
    TotalTokens,
)
from ..common.time_zones import LOCAL_ZONE
from ..common.urls import refuse_url
from ..database import open_if_exists
from ..exporting.fields import ColumnBatch, Field, fields_of, to_batch
from ..exporting.formats import EXTENSIONS, FORMATS, MARKDOWN
from ..exporting.markdown_writer import COST_PARTS, MAIN_COLUMNS
from ..exporting.writer import DrainableBuffer, Writer, atomic_write
from ..storage.reading.export_source import EXPORT_SOURCES, ExportSource
from .check_names import validate_filter_names
from .statistics import run_statistics


class Table(NamedTuple):
    """A table that can be exported."""

    fields: tuple[Field, ...]
    default_columns: tuple[str, ...]  # names of the fields exported by default
    batches: Callable[[RunFilter, Sequence[Field]], Generator[ColumnBatch]]


def table_from_source(source: ExportSource) -> Table:
    """Build an exportable table from a source in the database."""

    def batches(where: RunFilter, fields: Sequence[Field]) -> Generator[ColumnBatch]:
        with open_if_exists() as history:
            if history is not None:
                validate_filter_names(history, where, found=False)
                yield from history.batches(source, [field.name for field in fields], where)

    return Table(source.fields, source.default_columns, batches)


def table_from_records(
    record: type, query: Callable[[RunFilter], Sequence[Any]], money: Sequence[str] = ()
) -> Table:
    """Build an exportable table from flat dataclasses; fields named in `money` are in US dollars."""
    fields = fields_of(record, money)

    def batches(where: RunFilter, wanted_fields: Sequence[Field]) -> Generator[ColumnBatch]:
        yield to_batch(query(where), wanted_fields)

    return Table(fields, tuple(field.name for field in fields), batches)


@dataclass(frozen=True, slots=True)
class StatisticsRow(RunsOfGroup):
    """Statistics of one group of runs."""

    cost: Annotated[float | None, Doc("recorded cost of all runs; null: unknown")]
    cost_mean: Annotated[float | None, Doc("mean cost of a run, USD; null: unknown")]
    cost_median: Annotated[float | None, Doc("median cost of a run, USD; null: unknown")]
    cost_p90: Annotated[float | None, Doc("90th percentile of the cost of a run, USD; null: unknown")]
    cost_runs: PricedRuns
    lower_bound_cost: Annotated[float | None, Doc("lower bound of the cost beyond `cost`; null: none")]
    runs_without_cost: RunsWithoutCost
    runs_costing_more: RunsCostingMore
    input_tokens: InputTokens
    output_tokens: OutputTokens
    cache_read_tokens: CacheReadTokens
    cache_creation_tokens: CacheWriteTokens
    total_tokens: TotalTokens
    cache_hit_rate: Annotated[
        float | None, Doc("cache read tokens divided by all input tokens, 0 to 1; null: unknown")
    ]
    duration_seconds: Annotated[
        float | None, Doc("total duration of the runs whose duration is known; null: unknown")
    ]
    duration_mean_seconds: Annotated[float | None, Doc("mean duration of a run; null: unknown")]
    duration_median_seconds: Annotated[float | None, Doc("median duration of a run; null: unknown")]
    duration_p90_seconds: Annotated[
        float | None, Doc("90th percentile of the duration of a run; null: unknown")
    ]


def statistics_table(by: str, across: str | None = None, tz: str = LOCAL_ZONE) -> Table:
    """Build an exportable table of statistics, grouped as by `run_statistics`."""

    def query(where: RunFilter) -> list[StatisticsRow]:
        return [_to_statistics_row(group) for group in run_statistics(by, where, across=across, tz=tz).groups]

    table = table_from_records(StatisticsRow, query, money=("cost", "lower_bound_cost"))
    groupings = {"name": by, **({} if across is None else {"across": across})}
    fields = [_name_field(field, groupings.get(field.name)) for field in table.fields]
    return table._replace(fields=tuple(fields))


def _name_field(field: Field, grouping: str | None) -> Field:
    """Return the field for the names of a grouping, with its words for people; another one unchanged."""
    if grouping is None:
        return field
    by = resolve_grouping(grouping)
    title = GROUPING_LABELS.get(by, by).capitalize()
    return field._replace(title=title, missing=nameless_group(by))


def _to_statistics_row(group: GroupStatistics) -> StatisticsRow:
    cost, tokens, duration = group.cost, group.tokens, group.duration
    return StatisticsRow(
        name=group.name,
        across=group.across,
        first_day=group.first_day,
        runs=group.runs,
        copies=group.copies,
        agent_runs=group.agent_runs,
        completed=group.completed,
        failed=group.failed,
        success_rate=group.success_rate,
        success_rate_of=group.success_rate_of,
        cost=cost.total,
        cost_mean=cost.mean,
        cost_median=cost.median,
        cost_p90=cost.p90,
        cost_runs=cost.runs,
        lower_bound_cost=group.lower_bound_cost,
        runs_without_cost=group.runs_without_cost,
        runs_costing_more=group.runs_costing_more,
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cache_read_tokens=tokens.cache_read,
        cache_creation_tokens=tokens.cache_creation,
        total_tokens=tokens.total,
        cache_hit_rate=group.cache_hit_rate,
        duration_seconds=duration.total,
        duration_mean_seconds=duration.mean,
        duration_median_seconds=duration.median,
        duration_p90_seconds=duration.p90,
    )


ALL_COLUMNS: Final = ("all",)
STATISTICS: Final = "statistics"  # the only table that is computed by a query
DEFAULT_GROUPING: Final = "month"


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Result of an export."""

    what: Annotated[str, Doc("name of the table: runs, agent-runs, statistics, …")]
    format: Annotated[str, Doc("file format: csv, jsonl, parquet or markdown")]
    path: Annotated[str | None, Doc("path of the file; null: an open file was given")]
    columns: Annotated[tuple[str, ...], Doc("names of the columns, in order")]
    rows: Annotated[int, Doc("number of rows without the header")]


TABLES: Final[Mapping[str, Table]] = {
    **{name: table_from_source(source) for name, source in EXPORT_SOURCES.items()},
    STATISTICS: statistics_table(DEFAULT_GROUPING),
}
"""All tables that can be exported, by name."""


def export(
    what: str,
    to: Path | str | IO[bytes],
    *,
    format: str | None = None,  # noqa: A002 - the usual name
    columns: Sequence[str] | None = None,
    where: RunFilter | None = None,
    raw: bool = False,
    bom: bool = False,
    force: bool = False,
    by: str | None = None,
    across: str | None = None,
    tz: str | None = None,
) -> ExportResult:
    """Write one of TABLES, such as runs, agent-runs or statistics, to a file with bounded memory.

    `by`, `across` and `tz` are for statistics only, with the meaning they have in `run_statistics`; the
    default is by month. `format` is one of FORMATS; by default it follows from the path's extension.
    `columns` are names, ("all",) for all columns. A file at a path is written completely or not at all; if it
    exists, WorkflowHistoryError is raised unless `force` is set. `raw` does not escape CSV cells that a
    spreadsheet would run as formulas. `bom` starts CSV with a byte order mark, by which Excel detects UTF-8.
    Raises InvalidQueryError if a name is unknown.
    """
    table = _find_table(what, by, across, tz)
    return write_table(
        table, what, to, format=format, columns=columns, where=where, raw=raw, bom=bom, force=force
    )


def write_table(
    table: Table,
    what: str,
    to: Path | str | IO[bytes],
    *,
    format: str | None = None,  # noqa: A002 - as above
    columns: Sequence[str] | None = None,
    where: RunFilter | None = None,
    raw: bool = False,
    bom: bool = False,
    force: bool = False,
) -> ExportResult:
    """Write a table with the name `what` to a file, like `export`."""
    path = Path(to) if isinstance(to, str | Path) else None
    if path is not None:
        refuse_url(to)
    name = resolve_format(path, format)
    open_writer = _writer_factory(name, raw=raw, bom=bom)
    fields = _fields_for(table, what, name, columns)
    with closing(table.batches(where or RunFilter(), fields)) as all_batches:
        # The first batch is computed before the file is opened: errors are raised before a byte is written.
        batches = chain(list(islice(all_batches, 1)), all_batches)
        if isinstance(to, str | Path):
            with atomic_write(Path(to), force=force) as file:
                rows = _write_batches(open_writer(file, fields), batches)
        else:
            rows = _write_batches(open_writer(to, fields), batches)
    columns_written = tuple(field.name for field in fields if not field.hidden)
    return ExportResult(what, name, None if path is None else str(path), columns_written, rows)


def iter_chunks(
    what: str,
    format: str,  # noqa: A002 - as above
    *,
    columns: Sequence[str] | None = None,
    where: RunFilter | None = None,
    raw: bool = False,
    bom: bool = False,
    by: str | None = None,
    across: str | None = None,
    tz: str | None = None,
) -> Generator[bytes]:
    """Return a generator of the bytes of an export in chunks; invalid arguments raise errors immediately.

    Rows are read as needed. The history stays open until the last chunk, or until the generator is closed.
    """
    name = resolve_format(None, format)
    open_writer = _writer_factory(name, raw=raw, bom=bom)
    table = _find_table(what, by, across, tz)
    fields = _fields_for(table, what, name, columns)
    return _encode_chunks(open_writer, fields, table.batches(where or RunFilter(), fields))


def _encode_chunks(
    open_writer: _OpenWriter, fields: Sequence[Field], batches: Iterable[ColumnBatch]
) -> Generator[bytes]:
    sink = DrainableBuffer()
    writer = open_writer(sink, fields)
    for batch in batches:
        writer.write(batch)
        yield sink.drain()
    writer.finish()
    yield sink.drain()


_OpenWriter = Callable[[IO[bytes], Sequence[Field]], Writer]


def _writer_factory(format: str, *, raw: bool, bom: bool) -> _OpenWriter:  # noqa: A002 - as above
    """Return a function that starts a file and returns its writer."""
    if bom and format != "csv":
        raise InvalidQueryError(f"--bom is for csv only, not for {format}. Omit it.")

    def begin(file: IO[bytes], fields: Sequence[Field]) -> Writer:
        if bom:
            file.write(BOM_UTF8)
        return FORMATS[format](file, fields, raw)

    return begin


def parse_columns(words: str | None) -> list[str] | None:
    """Parse comma-separated column names.

    >>> parse_columns("id, status,"), parse_columns(None)
    (['id', 'status'], None)
    """
    return None if words is None else [name.strip() for name in words.split(",") if name.strip()]


def resolve_format(path: Path | None, format_name: str | None) -> str:
    """Return the given format, or that of the path's extension, or csv if there is neither."""
    if format_name is not None:
        if format_name not in FORMATS:
            raise InvalidValueError("format", format_name, f"Use one of: {', '.join(FORMATS)}.")
        return format_name
    if path is None:
        return "csv"
    detected = EXTENSIONS.get(path.suffix.lower())
    if detected is None:
        raise InvalidQueryError(
            f'The extension of "{path.name}" is not a known format. Add --format: {", ".join(FORMATS)}.'
        )
    return detected


def _find_table(what: str, by: str | None, across: str | None, tz: str | None) -> Table:
    if what not in TABLES:
        raise InvalidValueError("table", what, f"Use one of: {', '.join(TABLES)}.")
    if what == STATISTICS:
        return statistics_table(by or DEFAULT_GROUPING, across, tz or LOCAL_ZONE)
    if by or across or tz:
        raise InvalidQueryError(
            f"--by, --across and --tz are for statistics, not for {what}. Use: export statistics --by month"
        )
    return TABLES[what]


def _fields_for(
    table: Table,
    what: str,
    format: str,  # noqa: A002 - as above
    columns: Sequence[str] | None,
) -> Sequence[Field]:
    """Return the fields of an export: the wanted columns, and for people what their values depend on."""
    if format != MARKDOWN:
        return _select_fields(table.fields, table.default_columns if columns is None else columns)
    main_columns = MAIN_COLUMNS.get(what, table.default_columns)
    has_across = any(field.name == "across" and field.title for field in table.fields)
    wanted = [name for name in main_columns if name != "across" or has_across]
    fields = _select_fields(table.fields, wanted if columns is None else columns)
    parts = [field for field in table.fields if field.name in COST_PARTS and field not in fields]
    return [*fields, *(field._replace(hidden=True) for field in parts)]


def _select_fields(fields: Sequence[Field], names: Sequence[str]) -> Sequence[Field]:
    """Return the fields with these names, in this order and without duplicates."""
    if tuple(names) == ALL_COLUMNS:
        return fields
    known = {field.name: field for field in fields}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise InvalidValueError("columns", ", ".join(unknown), f"Use all, or some of: {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys(names)]


def _write_batches(writer: Writer, batches: Iterable[ColumnBatch]) -> int:
    rows = 0
    for batch in batches:
        writer.write(batch)
        rows += len(batch[0])
    writer.finish()
    return rows
