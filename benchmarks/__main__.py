"""`python -m benchmarks`: measure, print a table and write results.json, results.md and cost.svg."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .bench import Bench
from .cases import CASES
from .machine import describe_machine
from .plot import MISSING, draw
from .results import Results, as_markdown
from .series import Series
from .sizes import SIZES

DEFAULT_OUT = "benchmark-results"


def main(words: Sequence[str] | None = None) -> int:
    """Run the chosen cases and return 0, also if a target is missed."""
    asked = _parser().parse_args(words)
    size = SIZES[asked.size]
    out = Path(asked.out).absolute()
    scratch = out / "scratch"
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir(parents=True)
    results = Results(size.name, asked.repeat or size.repeat, describe_machine())
    began = time.perf_counter()
    try:
        _run(asked.case or list(CASES), Bench(size, scratch, results, out / "cache", offline=asked.offline))
        results.seconds = time.perf_counter() - began
        _write(results, out)  # before the cleanup, which takes a while with many runs
    finally:
        if not asked.keep:
            shutil.rmtree(scratch)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what the program costs, each figure beside its baseline and its floor.",
        epilog="Only made-up folders below --out are read, and only histories there are written.",
    )
    parser.add_argument("--size", choices=SIZES, default="small", help="how much is measured (small)")
    parser.add_argument("--case", choices=CASES, action="append", help="only this one; may be repeated")
    parser.add_argument("--out", default=DEFAULT_OUT, metavar="DIR", help=f"where results go ({DEFAULT_OUT})")
    parser.add_argument("--keep", action="store_true", help="keep the folders and histories that were made")
    parser.add_argument(
        "--offline", action="store_true", help="fetch nothing: without ccusage, unless it is there"
    )
    parser.add_argument("--repeat", type=int, metavar="N", help="times that each contestant runs")
    return parser


def _run(names: Sequence[str], bench: Bench) -> None:
    series = Series(bench)
    for name in (name for name in CASES if name in names):
        sys.stderr.write(f"{name}\n")
        bench.results.rows += CASES[name](bench, series)


def _write(results: Results, out: Path) -> None:
    (out / "results.json").write_text(json.dumps(results.as_json(), indent=1, ensure_ascii=False) + "\n")
    page = as_markdown(results)
    (out / "results.md").write_text(page)
    sys.stdout.write(page)
    if results.curves and not draw(results.curves, out / "cost.svg"):
        sys.stdout.write(f"\n{MISSING}\n")


if __name__ == "__main__":
    sys.exit(main())
