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
# What it costs

Work grows with what changed, at the speed of the disk: that is the aim, and this page says how far it is
reached. It is generated from one run of

```
make bench              # size small, some minutes
make bench SIZE=full    # the sizes that the targets are set for, about 35 minutes
.venv/bin/python -m benchmarks --help
```

on folders that are made up from a seed; nothing but those folders is read, and nobody's own history is
touched. `python -m benchmarks.page benchmark-results` puts the results of such a run on this page.

## How to read the table

- Each **figure** is a median. Its **baseline** and its **floor** were measured in the same run, in turn with
  it where they are short: compare within a row, not with another machine's.
- The **plain way** is the order's own algorithm, written down honestly in `benchmarks/plain.py`: every line
  through `json.loads`, each run against each with difflib, a connection, a select and a commit for a row. It
  runs once. Where it was measured on less and extrapolated, the notes say so.
- The **floor** is what nobody can do without: a bare walk with `os.scandir` and `stat`, one raw read of the
  same files, a raw `executemany` of the same rows, a bare interpreter, splitting the texts into words.
- *Whole command* is the installed `workflow-history`, a process of its own, start-up included. *Start-up* is
  the same command over an empty folder.
- *Memory* is the most that the whole process tree holds: proportional set size, looked at fifty times a
  second.
- A row whose **result** is wrong is missed, however fast: token totals must equal those that were written,
  and lists of similar runs those of a full recomputation, to the bit.
"""

_SMALL = """\
> These results are of size `{size}`, smaller than the targets are set for: such rows say "at this size".
"""

_SHORT = """\
## What falls short, and why

- **First sync, 400 times the plain way.** The plain way's time is that of difflib; what is left of ours is
  Python's work on each line and call: by the stages below, about 5 ms of processor for a run of a megabyte
  with some 115 tool calls, a second more for imports, a new database and rows. Two processes on the two cores
  of this machine bring one and a half times the speed of one. A second for all of it would want the lines'
  facts and the patterns in compiled code.
- **Reading transcripts as fast as ccusage.** Their lines have no one shape that could be skipped unparsed, so
  every line is decoded, and each message is priced at its own date in exact decimals.
- **Costs alone, at most 1.5 raw reads.** Reading the blocks and walking their lines takes as long as the raw
  read; opening a file, parsing its first line and its results take the rest, some 60 microseconds a file.
- **Growth and 100,000 runs.** Other work ran on the machine during parts of this run, at its begin and at
  the largest sizes, which were measured once or twice: where a doubling took more than 2.2 times, the bare
  walk of the same tree took up to 2.8 times. Over the whole range the growth is 2.0 (first sync), 2.2
  (nothing changed) and 1.6 (100 new runs) a doubling.
- **All-pairs similarity** compares each run with each, so its curve bends upwards; what a pair takes is one
  product of small integers, and a bound rules most pairs out before they are scored.
- **A stream of 700 MB** adds what its calls and messages take as objects, of which it has tens of thousands;
  a line of any length adds nothing.

Where the processor's time goes in a first sync (`python -m benchmarks.stages`, the least of three rounds over
200 runs of the folder of the first row):

"""

_ASKING = """\
## Questions to a large history

Measured in a run of its own (`python -m benchmarks --size full --case questions --case serving`).
Questions are asked in this process, imports and a first one left out; a row gives the slowest of its
questions, its notes give all. What misses is the one question that crosses phases with time: some 700,000
amounts in hundreds of groups, each with its median and its nine in ten.

"""

_CURVES = """\
## Cost against size

![seconds against the number of runs, both axes logarithmic](performance.svg)

A first sync compares all runs with each other: that part is the one that need not grow with the runs alone,
and stands apart. Later syncs compare only what is new with all that is stored.
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
    if results.curves:
        parts.append(_CURVES)
    parts.append(f"## What is measured\n\n{sizes_table()}")
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
