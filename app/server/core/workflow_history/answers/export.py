"""Take a history out: what, where to and in which format in; a file, and what is in it, out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from ..errors import InvalidQueryError
from ..exporting.fields import Batch, Field
from ..exporting.formats import ENDINGS, FORMATS
from ..exporting.target import whole_file
from ..exporting.writer import Sink, Writer, Writing
from ..filters import RunFilter
from ..store.takeout import SOURCES
from .statistics_rows import statistics_table
from .tables import Table, of_source

ALL_COLUMNS: Final = ("all",)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was taken out."""

    what: str  # runs, agent-runs, patterns or statistics
    format: str  # csv, jsonl or parquet
    path: str | None  # of the file; null: an open file was given
    columns: tuple[str, ...]  # their names, in order
    rows: int  # without the header


TABLES: Final[Mapping[str, Table]] = {
    **{name: of_source(source) for name, source in SOURCES.items()},
    "statistics": statistics_table("month"),
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
    force: bool = False,
    table: Table | None = None,
) -> Exported:
    """Write one of TABLES, or a `table` that is called `what`, to a file; memory is bounded.

    `format` is csv, jsonl or parquet; without it, the path's ending says which. `columns` are names,
    ("all",) for every one. A path gets the whole file or nothing; one that is there raises
    WorkflowHistoryError without `force`. `raw` leaves CSV cells that a spreadsheet would run.
    """
    path = Path(to) if isinstance(to, str | Path) else None
    name = format_of(path, format)
    source = table or _table(what)
    wanted = _chosen(source.fields, source.usual if columns is None else columns)
    batches = source.batches(where or RunFilter(), wanted)
    if isinstance(to, str | Path):
        with whole_file(Path(to), force=force) as file:
            rows = _write(FORMATS[name](file, wanted, raw), batches)
    else:
        rows = _write(FORMATS[name](to, wanted, raw), batches)
    return Exported(what, name, None if path is None else str(path), tuple(f.name for f in wanted), rows)


def pieces(
    what: str,
    format: str,  # noqa: A002 - as above
    *,
    columns: Sequence[str] | None = None,
    where: RunFilter | None = None,
    raw: bool = False,
    table: Table | None = None,
) -> Iterator[bytes]:
    """Return the same as bytes, piece by piece as rows are read; what is asked wrongly raises at once."""
    name = format_of(None, format)
    source = table or _table(what)
    wanted = _chosen(source.fields, source.usual if columns is None else columns)
    return _pieces(FORMATS[name], wanted, raw, source.batches(where or RunFilter(), wanted))


def _pieces(begin: Writing, wanted: Sequence[Field], raw: bool, batches: Iterable[Batch]) -> Iterator[bytes]:
    sink = Sink()
    writer = begin(sink, wanted, raw)
    for batch in batches:
        writer.write(batch)
        yield sink.taken()
    writer.finish()
    yield sink.taken()


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


def _table(what: str) -> Table:
    if what not in TABLES:
        raise InvalidQueryError(f"no table {what!r} to take out; use one of: {', '.join(TABLES)}")
    return TABLES[what]


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
