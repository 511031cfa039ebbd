"""Case: upsert runs in one transaction, compared with raw executemany of the same rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from .. import floors, plain, subjects
from ..bench import Bench
from ..folders import Shape, make_folder
from ..measuring import Timing, timed, together
from ..results import Measure, Row, Target
from ..series import Series
from ..sizes import FULL

_SCANNED = 500  # runs read from disk; the others are copies with other ids
_BATCH = 5000
_REPEAT = 3  # maximum number of rounds, because each takes a minute


@dataclass(slots=True)
class _Timings:
    """Timings of the contestants for new runs and for the same runs again; one entry per round."""

    ours: tuple[list[Timing], list[Timing]] = field(default_factory=lambda: ([], []))
    written: tuple[list[Timing], list[Timing]] = field(default_factory=lambda: ([], []))  # given rows
    raw: tuple[list[Timing], list[Timing]] = field(default_factory=lambda: ([], []))


def measure(bench: Bench, _series: Series) -> list[Row]:
    """Return a row for new runs and a row for the same runs again."""
    batches, plain_pace = _batches(bench)
    parts = [subjects.taken_apart(batch) for batch in batches]
    timings, table = _Timings(), ""
    for _ in range(min(bench.repeat, _REPEAT)):
        bench.say(f"{bench.size.rows:,} runs into the database, and once more")
        _twice(bench, partial(_saved_apart, parts), timings.written).unlink()
        database = _twice(bench, partial(_saved, batches), timings.ours)
        statements, rows = floors.schema_and_rows(database)
        copy = bench.new_database()
        floors.make_tables(copy, statements)
        for taken in timings.raw:
            taken.append(timed(partial(floors.raw_insert, copy, rows)))
        table = ", ".join(f"{len(values):,} {name}" for name, (_, values) in rows.items() if values)
        copy.unlink()
        database.unlink()
    plainly = Measure(plain_pace * bench.size.rows, "naive baseline, runs alone")
    notes = (
        f"the same rows: {table}",
        f"the naive baseline is scaled from {bench.size.rows_plain:,} runs",
    )
    return [
        _row(bench, "new to the history", 0, timings, plainly=plainly, notes=notes),
        _row(bench, "already stored", 1, timings, plainly=plainly, notes=()),
    ]


def _saved(batches: Sequence[Sequence[subjects.Workflow]], database: Path) -> None:
    subjects.save_workflows(database, batches)


def _saved_apart(parts: Sequence[Sequence[subjects.Rows]], database: Path) -> None:
    subjects.save_parts(database, parts)


def _twice(bench: Bench, save: Callable[[Path], None], into: tuple[list[Timing], list[Timing]]) -> Path:
    """Save into a new history twice; return its path."""
    database = bench.new_database()
    subjects.make_database(database)
    for taken in into:
        taken.append(timed(partial(save, database)))
    return database


def _row(
    bench: Bench, what: str, at: int, timings: _Timings, *, plainly: Measure, notes: tuple[str, ...]
) -> Row:
    ours, raw = together(timings.ours[at]), together(timings.raw[at])
    written = together(timings.written[at]).median
    apart = f"{written:.2f} s if the runs arrive as rows, as from the readers of a sync"
    return Row(
        "rows",
        f"Upserts of {bench.size.rows:,} runs, {what}",
        Measure(ours.median, "encoding and one transaction"),
        plainly,
        Measure(raw.median, "raw executemany"),
        Target("≤ 2.5× raw executemany", 2.5, ours.median / raw.median),
        as_set=bench.size.rows == FULL.rows,
        notes=(f"{apart} ({written / raw.median:.2f}×)", *notes, *bench.told("it was", ours)),
    )


def _batches(bench: Bench) -> tuple[list[list[subjects.Workflow]], float]:
    """Return batches of copies of generated runs, and the naive baseline's seconds to store a run."""
    agents = bench.scratch / "rows" / "agents"
    make_folder(agents, Shape(min(_SCANNED, bench.size.rows), streams=2, stream_bytes=6000))
    scanned = subjects.storable_workflows(agents)
    plainly = [plain.read(run) for run in islice(plain.scan(agents), bench.size.rows_plain)]
    again = [
        {**run, "id": f"{run['id']}-{number}"}
        for number in range(-(-bench.size.rows_plain // len(plainly)))
        for run in plainly
    ]
    few = again[: bench.size.rows_plain]
    pace = timed(partial(plain.store, Path(bench.scratch / "plain-rows.db"), few)).median / len(few)
    named = [{**scanned[number % len(scanned)], "id": f"{number:08x}"} for number in range(bench.size.rows)]
    return [named[start : start + _BATCH] for start in range(0, len(named), _BATCH)], pace
