"""Generate docs/performance.md from the results of a benchmark run: `python -m benchmarks.page DIR`.

The results are stored next to the page as JSON, so that the page can be regenerated and is never edited.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from .results import Results, as_markdown, from_json, table
from .sizes import SIZES, Size

DOCS = Path(__file__).parents[1] / "docs"
PAGE, DATA, PICTURE = "performance.md", "performance.json", "performance.svg"
STAGES = "performance-stages.json"
ASKING = "performance-asking.json"
OF_ASKING = frozenset({"questions", "serving"})
"""Cases that use a large history instead of an agents directory; they can be measured in a separate run."""

_HEAD = """\
# Performance

This page shows how long syncs and queries take, how that grows with the number of runs, and where it misses
its targets. The aim: the work grows with what changed, at the speed of the disk.

## How to read the table

- **Baseline and floor.** Each figure is a median. Its baseline and floor were measured in the same run,
  alternating with it if they are short. Compare within a row, not with another machine.
- The **naive baseline** (`benchmarks/plain.py`) parses every line with `json.loads`, compares all pairs of
  runs with difflib, and uses a connection, a select and a commit for each row. It runs once. If it was
  measured on less data and extrapolated, the notes say so.
- The **floor** is what no program can avoid: a bare walk with `os.scandir` and `stat`, one raw read of the
  same files, a raw `executemany` of the same rows, a bare interpreter, splitting the texts into words.
- *Whole command* is the installed `workflow-history` in its own process, including start-up. *Start-up* is
  the same command on an empty directory.
- *Memory* is the peak of the whole process tree: proportional set size, sampled fifty times a second.
- A row with a wrong **result** is missed, however fast it is: token totals must equal those that were
  written, and lists of similar runs those of a complete recalculation, to the bit.

The page is generated from one run of

```
make bench              # size small, some minutes
make bench SIZE=full    # the sizes that the targets are set for, about 35 minutes
.venv/bin/python -m benchmarks --help
```

on directories generated from a seed. Nothing but those directories is read, and your own history is not
touched. `python -m benchmarks.page benchmark-results` puts the results of such a run on this page.
"""

_SMALL = """\
> These results are of size `{size}`, smaller than the targets are set for: such rows say "at this size".
"""

_SHORT = """\
## Missed targets, and why

- **First sync, 400 times faster than the naive baseline.** Most of the baseline's time is difflib. Most of
  ours is Python's work on each line and call: by the stages below, about 5 ms of processor time for a run of
  one megabyte with some 115 tool calls, plus one second for imports, a new database and rows. Two processes
  on the two cores of this machine are one and a half times as fast as one. To do all of it in one second,
  line parsing and patterns would need compiled code.
- **Reading transcripts as fast as ccusage.** Their lines have no common shape that could be skipped without
  parsing, so every line is decoded, and each message is priced at its own date with exact decimals.
- **Only the costs, at most 1.5 raw reads.** Reading the blocks and iterating over their lines takes as long
  as the raw read. Opening a file and parsing its first line and its results takes the rest, about 60
  microseconds per file.
- **Growth and 100,000 runs.** Other work ran on the machine during parts of this run: at the beginning, and
  at the largest sizes, which were measured once or twice. If a doubling took more than 2.2 times, the bare
  walk of the same tree took up to 2.8 times. Over the whole range, the growth per doubling is 2.0 (first
  sync), 2.2 (nothing changed) and 1.6 (100 new runs).
- **All-pairs similarity** compares each run with each, so its curve bends upwards. A pair takes one product
  of small integers, and a bound excludes most pairs before they are scored.
- **A transcript of 700 MB** adds the memory of its tool calls and messages as objects, of which it has tens
  of thousands. A line of any length adds nothing.

Processor time of a first sync by stage (`python -m benchmarks.stages`, the lowest of three rounds over 200
runs of the directory in the first row):

"""

_ASKING = """\
## Queries on a large history

Measured in a separate run (`python -m benchmarks --size full --case questions --case serving`). Queries run
in this process, without imports and a first query. A row shows the slowest of its queries, its notes show all
of them. The target is missed by the one query that groups by phase and month: some 700,000 values in hundreds
of groups, each with its median and its p90.

"""

_PACKED = """\
## Packed columns or a table of sums

Statistics read columns and sums that are packed in blocks of 512 runs (`storage/column_cache/`). A simpler
design was measured against them: a table with one row for each run and phase, agent or model, grouped by SQL.
It would have replaced them at 1.5 times their time or less. At 100,000 runs it has 1.7 million rows.
Milliseconds of processor time in this process, because other work ran on the machine; each pair in one run,
medians of 3 to 5, in brackets: against packed.

| 100,000 runs | packed | table: SQL alone | table: SQL and NumPy | table: fetch only |
| --- | --- | --- | --- | --- |
| by phase | 110 | 4,070 (37×) | 1,570 (14×) | 1,030 (9×) |
| by agent | 133 | 5,440 (41×) | 2,080 (16×) | 1,330 (10×) |
| by model | 41 | 867 (21×) | 395 (10×) | 329 (8×) |
| by workflow | 66 | 569 (9×) | – | 221 (3×) |

*SQL alone* computes medians by window functions, *SQL and NumPy* sums by SQL and passes the values on for
medians, *fetch only* reads the rows and computes nothing.

The packed sums were measured, too: computed from the packed columns at each query, those of 30,000 runs take
2 times as long by phase, agent and model, 10 times for waste, and 2.6 times for the overview. So both stay.

Runs that another program stored have no packed columns until the next sync; they are read from their rows.
Before, each table was read up to eight times by a query; now once. These are 3,000 runs with 25,000 agent
runs and 48,000 shares of models. *Changed*: the newest 100 runs were changed. In brackets: against packed, of
the same version.

| 3,000 runs | packed | none packed, before | none packed | changed, before | changed |
| --- | --- | --- | --- | --- | --- |
| overview | 21 | 645 (26×) | 339 (16×) | 111 (5×) | 80 (4×) |
| by phase | 6.8 | 161 (20×) | 119 (17×) | 38 (5×) | 30 (4×) |
| by agent | 7.2 | 214 (24×) | 116 (16×) | 38 (4×) | 31 (4×) |
| by model | 5.0 | 286 (46×) | 171 (34×) | 44 (7×) | 36 (7×) |
| waste | 4.6 | 161 (30×) | 84 (18×) | 29 (5×) | 21 (5×) |
| by month | 13 | 64 (5×) | 63 (5×) | 23 (2×) | 23 (2×) |

More than half of the time without packed columns is spent in SQLite and its driver, which make a Python
object for each value. The ratio grows with the number of runs, as packed columns take 11 times as long for 33
times as many runs.
"""

_CURVES = """\
## Growth with the number of runs

![seconds by the number of runs, both axes logarithmic](performance.svg)

A first sync compares all runs with each other. Only that part may grow faster than the number of runs, so
it is shown separately. Later syncs compare only new runs with all stored ones.
"""


def render(results: Results, stages: Sequence[tuple[str, float]] = (), asking: Results | None = None) -> str:
    """Format the whole page.

    `stages` is the result of `benchmarks.stages`; `asking` is a separate run of the cases in `OF_ASKING`.
    """
    parts = [_HEAD]
    if results.size != "full":
        parts.append(_SMALL.format(size=results.size))
    parts.append(f"## Results\n\n{as_markdown(results)}")
    if stages:
        rows = [[name, f"{microseconds:,.0f}"] for name, microseconds in stages]
        parts.append(_SHORT + table(("stage", "microseconds a run"), rows) + "\n")
    if asking is not None:
        parts.append(_ASKING + as_markdown(asking))
        parts.append(_PACKED)
    if results.curves:
        parts.append(_CURVES)
    parts.append(f"## Sizes\n\n{sizes_table()}")
    return "\n".join(parts)


def sizes_table() -> str:
    """Format the sizes as a Markdown table."""
    names = [field.name for field in fields(Size) if field.name != "name"]
    rows = [
        [name.replace("_", " "), *(_number(getattr(size, name)) for size in SIZES.values())] for name in names
    ]
    return table(("", *SIZES), rows) + "\n"


def _number(value: float | tuple[int, ...]) -> str:
    return f"{value:,}" if isinstance(value, int | float) else ", ".join(f"{each:,}" for each in value)


def write(docs: Path = DOCS) -> None:
    """Regenerate the page from the results stored next to it."""
    results = _results(docs / DATA)
    stages = json.loads((docs / STAGES).read_text(encoding="utf-8"))
    (docs / PAGE).write_text(render(results, stages, _results(docs / ASKING)), encoding="utf-8")


def _results(file: Path) -> Results:
    return from_json(json.loads(file.read_text(encoding="utf-8")))


def main(words: list[str]) -> None:
    """Copy the results of a run to the docs and regenerate the page."""
    out = Path(words[0])
    cases = {row.case for row in _results(out / "results.json").rows}
    shutil.copyfile(out / "results.json", DOCS / (ASKING if cases <= OF_ASKING else DATA))
    if (out / "cost.svg").exists():
        shutil.copyfile(out / "cost.svg", DOCS / PICTURE)
    write()


if __name__ == "__main__":
    main(sys.argv[1:])
