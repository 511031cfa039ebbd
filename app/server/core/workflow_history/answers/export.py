"""Take a history out: what, where to and in which format in; a file, and what is in it, out."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Final

from ..errors import InvalidQueryError
from ..exporting.fields import Batch, Field
from ..exporting.formats import ENDINGS, FORMATS
from ..exporting.target import whole_file
from ..exporting.writer import Sink, Writer
from ..filters import RunFilter
from ..store.takeout import SOURCES
from ..zones import LOCAL
from .statistics_rows import statistics_table
from .tables import Table, of_source

ALL_COLUMNS: Final = ("all",)
STATISTICS: Final = "statistics"  # the one table that is made of a question
USUAL_GROUPING: Final = "month"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was taken out."""

    what: str  # the table: runs, agent-runs, statistics, …
    format: str  # csv, jsonl or parquet
    path: str | None  # of the file; null: an open file was given
    columns: tuple[str, ...]  # their names, in order
    rows: int  # without the header


TABLES: Final[Mapping[str, Table]] = {
    **{name: of_source(source) for name, source in SOURCES.items()},
    STATISTICS: statistics_table(USUAL_GROUPING),
}
"""All that can be taken out, by name."""


def export(
    what: str,
    to: Path | str | IO[bytes],
    *,
    format: str | None = None,  # noqa: A002 - that is what it is called
    columns: Sequence[str] | None = None,
    where: RunFilter | None = None,
    raw: bool = False,
    bom: bool = False,
    force: bool = False,
    by: str | None = None,
    across: str | None = None,
    tz: str | None = None,
) -> Exported:
    """Write one of TABLES to a file, such as runs, agent-runs or statistics; memory is bounded.

    `by`, `across` and `tz` are of statistics, and mean what they do in `run_statistics`; without: by month.
    `format` is csv, jsonl or parquet; without it, the path's ending says which. `columns` are names,
    ("all",) for every one. A path gets the whole file or nothing; one that is there raises
    WorkflowHistoryError without `force`. `raw` leaves CSV cells that a spreadsheet would run; `bom` begins
    CSV with a byte order mark, by which Excel knows UTF-8.
    Raises InvalidQueryError where a name is unknown.
    """
    table = _table(what, by, across, tz)
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
) -> Exported:
    """Write a table that is called `what` to a file, as `export` does."""
    path = Path(to) if isinstance(to, str | Path) else None
    name = format_of(path, format)
    begin = _beginning(name, raw=raw, bom=bom)
    wanted = _chosen(table.fields, table.usual if columns is None else columns)
    with closing(table.batches(where or RunFilter(), wanted)) as found:
        batches = _asked(found)
        if isinstance(to, str | Path):
            with whole_file(Path(to), force=force) as file:
                rows = _write(begin(file, wanted), batches)
        else:
            rows = _write(begin(to, wanted), batches)
    return Exported(what, name, None if path is None else str(path), tuple(f.name for f in wanted), rows)


def pieces(
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
    """Return the same as bytes, piece by piece as rows are read; what is asked wrongly raises at once.

    The history stays open until the last piece, or until the generator is closed.
    """
    begin = _beginning(format_of(None, format), raw=raw, bom=bom)
    source = _table(what, by, across, tz)
    wanted = _chosen(source.fields, source.usual if columns is None else columns)
    return _pieces(begin, wanted, source.batches(where or RunFilter(), wanted))


def _pieces(begin: _Begin, wanted: Sequence[Field], batches: Iterable[Batch]) -> Generator[bytes]:
    sink = Sink()
    writer = begin(sink, wanted)
    for batch in batches:
        writer.write(batch)
        yield sink.taken()
    writer.finish()
    yield sink.taken()


_Begin = Callable[[IO[bytes], Sequence[Field]], Writer]


def _beginning(format: str, *, raw: bool, bom: bool) -> _Begin:  # noqa: A002 - as above
    """Return how a file is begun."""
    if bom and format != "csv":
        raise InvalidQueryError(f"a BOM is for csv, not for {format}")

    def begin(file: IO[bytes], wanted: Sequence[Field]) -> Writer:
        if bom:
            file.write(BOM_UTF8)
        return FORMATS[format](file, wanted, raw)

    return begin


def names_of(words: str | None) -> list[str] | None:
    """Return the columns that are named with commas between.

    >>> names_of("id, status,"), names_of(None)
    (['id', 'status'], None)
    """
    return None if words is None else [name.strip() for name in words.split(",") if name.strip()]


def format_of(path: Path | None, given: str | None) -> str:
    """Return the format that is asked for, or that a file's ending says; csv where neither tells."""
    if given is not None:
        if given not in FORMATS:
            raise InvalidQueryError(f"no format {given!r}; use one of: {', '.join(FORMATS)}")
        return given
    if path is None:
        return "csv"
    found = ENDINGS.get(path.suffix.lower())
    if found is None:
        raise InvalidQueryError(
            f"{path.name!r} does not tell the format; name it: --format {', '.join(FORMATS)}"
        )
    return found


def _table(what: str, by: str | None, across: str | None, tz: str | None) -> Table:
    if what not in TABLES:
        raise InvalidQueryError(f"no table {what!r} to take out; use one of: {', '.join(TABLES)}")
    if what == STATISTICS:
        return statistics_table(by or USUAL_GROUPING, across, tz or LOCAL)
    if by or across or tz:
        raise InvalidQueryError(
            f"by, across and tz are of statistics, not of {what}: export statistics --by month"
        )
    return TABLES[what]


def _asked(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Return the batches, the first one made: what is refused is refused before a byte is written."""
    return chain(list(islice(batches, 1)), batches)


def _chosen(fields: Sequence[Field], names: Sequence[str]) -> Sequence[Field]:
    """Return the fields with these names, each once, in this order."""
    if tuple(names) == ALL_COLUMNS:
        return fields
    known = {field.name: field for field in fields}
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        said = f"no column {', '.join(unknown)}" if unknown else "no columns named"
        raise InvalidQueryError(f"{said}; use all, or some of: {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)]


def _write(writer: Writer, batches: Iterable[Batch]) -> int:
    rows = 0
    for batch in batches:
        writer.write(batch)
        rows += len(batch[0])
    writer.finish()
    return rows
