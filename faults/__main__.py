"""`python -m faults`: tries every fault, shows how far it is, writes reliability.md and reliability.json."""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .cases import KILLS, OTHERS, Fault
from .page import as_json, as_page
from .stories import Bench
from .trying import Outcome

NAME = "reliability"
OTHER_TIMES = "trials of each other fault (as many as it has)"


def main(words: Sequence[str] | None = None) -> int:
    """Try what is asked for; 1 where something was not survived."""
    asked = _parser().parse_args(words)
    chosen = _chosen(asked)
    if not chosen:
        sys.stderr.write("no fault has that in its name\n")
        return 2
    scratch = Path(tempfile.mkdtemp(prefix="faults-")).resolve()
    try:
        bench = Bench(scratch, asked.seed)
        with bench.closing:
            found = {fault: _tried(bench, fault, times) for fault, times in chosen.items()}
        about = _about(bench, asked)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    out = Path(asked.out)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_json(found, about), indent=1, ensure_ascii=False)
    (out / f"{NAME}.json").write_text(text.replace(str(scratch), "…") + "\n")
    (out / f"{NAME}.md").write_text(as_page(found, about).replace(str(scratch), "…"))
    wrong = [outcome for outcomes in found.values() for outcome in outcomes if outcome.wrong]
    sys.stdout.write(f"{sum(map(len, found.values()))} trials, {len(wrong)} not survived: {out / NAME}.md\n")
    return 1 if wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m faults",
        description="Cause faults in syncs, and hold what is left against what should be.",
        epilog="Only a temporary folder is read and written, but for the results.",
    )
    parser.add_argument("--kills", type=int, default=500, metavar="N", help="commands to kill (500)")
    parser.add_argument("--times", type=int, metavar="N", help=OTHER_TIMES)
    parser.add_argument("--fault", action="append", metavar="WORDS", help="only what has this in its name")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another number, other moments (1)")
    parser.add_argument("--out", default="fault-results", metavar="DIR", help="where results go")
    return parser


def _chosen(asked: argparse.Namespace) -> dict[Fault, int]:
    """Return the faults that are to be tried, each with how often."""
    kills = {fault: max(1, round(asked.kills * fault.times / 100)) for fault in KILLS}
    others = {fault: fault.times if asked.times is None else asked.times for fault in OTHERS}
    every = {**(kills if asked.kills else {}), **others}
    return {
        fault: times
        for fault, times in every.items()
        if times and (not asked.fault or any(word in fault.name for word in asked.fault))
    }


def _tried(bench: Bench, fault: Fault, times: int) -> list[Outcome]:
    if not fault.possible():
        sys.stderr.write(f"{fault.name}: cannot be caused here\n")
        return []
    begun, outcomes = time.perf_counter(), []
    for number in range(1, times + 1):
        outcomes.append(fault.once(bench))
        _tell(fault, number, times, outcomes)
    sys.stderr.write(f"{fault.name}: {_so_far(outcomes)}, {time.perf_counter() - begun:.1f} s\n")
    return outcomes


def _tell(fault: Fault, number: int, times: int, outcomes: Sequence[Outcome]) -> None:
    for wrong in outcomes[-1].wrong:
        sys.stderr.write(f"{fault.name} #{number}: {wrong}\n")
    if sys.stderr.isatty():
        sys.stderr.write(f"{fault.name}: {number} of {times}\r")


def _so_far(outcomes: Sequence[Outcome]) -> str:
    return f"{sum(not outcome.wrong for outcome in outcomes)} of {len(outcomes)} survived"


def _about(bench: Bench, asked: argparse.Namespace) -> dict[str, Any]:
    files = [path for path in bench.old.rglob("*") if path.is_file()]
    return {
        "kills": asked.kills,
        "seed": asked.seed,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "runs": len([path for path in bench.old.iterdir() if path.is_dir()]),
        "bytes": sum(path.stat().st_size for path in files) // 1000,
    }


if __name__ == "__main__":
    sys.exit(main())
