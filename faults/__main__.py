"""`python -m faults`: run all fault trials with progress; write reliability.md and reliability.json."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

from .cases import COMMANDS, KILLS, OTHERS, TOGETHER, Fault
from .page import as_page, joined, results_of
from .ready import import_all
from .stories import Bench
from .trying import Outcome

NAME = "reliability"
OTHER_TIMES = "trials of each other fault (as many as it has)"


class Share(NamedTuple):
    """Trials assigned to one process."""

    number: int  # index of the process, from 0
    seed: int
    times: Mapping[str, int]  # number of trials by fault name


class Tried(NamedTuple):
    """Outcomes of one share, with the size of its agents directory."""

    outcomes: Mapping[str, list[Outcome]]  # by fault name
    runs: int  # number of runs in the agents directory
    bytes: int  # size of all files in the agents directory


def main(words: Sequence[str] | None = None) -> int:
    """Run the chosen trials; return 1 if one failed, 2 if no fault matches, otherwise 0."""
    asked = _parser().parse_args(words)
    chosen = _chosen(asked)
    if not chosen:
        sys.stderr.write("no fault has that in its name\n")
        return 2
    import_all()  # once, before the processes are forked
    shares = [Share(job, asked.seed, times) for job, times in enumerate(_shared_out(chosen, asked.jobs))]
    with ProcessPoolExecutor(len(shares), multiprocessing.get_context("fork")) as pool:
        every = list(pool.map(_try, shares))
    found = {fault: [o for tried in every for o in tried.outcomes.get(fault.name, ())] for fault in chosen}
    out = Path(asked.out)
    out.mkdir(parents=True, exist_ok=True)
    results, file = results_of(found, _about(every[0], asked)), out / f"{NAME}.json"
    if asked.add and file.exists():
        results = joined(json.loads(file.read_text()), results)
    file.write_text(f"{json.dumps(results, indent=1, ensure_ascii=False)}\n")
    (out / f"{NAME}.md").write_text(as_page(results))
    wrong = [outcome for outcomes in found.values() for outcome in outcomes if outcome.wrong]
    sys.stdout.write(f"{sum(map(len, found.values()))} trials, {len(wrong)} not survived: {out / NAME}.md\n")
    return 1 if wrong else 0


def _shared_out(chosen: Mapping[Fault, int], jobs: int) -> list[dict[str, int]]:
    """Distribute the trials over `jobs` processes in turn; all trials of one command go to one process."""
    shares: list[dict[str, int]] = [{} for _ in range(max(1, jobs))]
    turn = cycle(shares)
    for fault, times in chosen.items():
        if fault in (*COMMANDS, *TOGETHER):  # its undisturbed result is computed once per process
            next(turn)[fault.name] = times
            continue
        for share in islice(turn, times):
            share[fault.name] = share.get(fault.name, 0) + 1
    return [share for share in shares if share]


def _try(share: Share) -> Tried:
    """Run the trials of one share in a temporary directory, which is deleted afterwards."""
    scratch = Path(tempfile.mkdtemp(prefix="faults-")).resolve()
    named = {fault.name: fault for fault in (*KILLS, *COMMANDS, *TOGETHER, *OTHERS)}
    try:
        bench = Bench(scratch, share.seed * 1000 + share.number)
        with bench.closing:
            found = {name: _tried(bench, named[name], times) for name, times in share.times.items()}
        files = [path for path in bench.old.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        return Tried(found, len([path for path in bench.old.iterdir() if path.is_dir()]), size)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m faults",
        description="Cause faults during commands and compare the remaining history with the expected one.",
        epilog="Reads and writes only a temporary directory, except for the results.",
    )
    parser.add_argument("--kills", type=int, default=500, metavar="N", help="syncs and resyncs to kill (500)")
    parser.add_argument(
        "--commands",
        type=int,
        default=344,
        metavar="N",
        help="commands of any kind to kill, on both engines (344)",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=200,
        metavar="N",
        help="rounds of commands that write at the same time, on both engines (200)",
    )
    parser.add_argument("--times", type=int, metavar="N", help=OTHER_TIMES)
    parser.add_argument("--fault", action="append", metavar="WORDS", help="only faults whose name has this")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), metavar="N", help="parallel trials (number of cores)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="random seed (1)")
    parser.add_argument("--add", action="store_true", help="keep existing results of other faults")
    parser.add_argument("--out", default="fault-results", metavar="DIR", help="directory for the results")
    return parser


def _chosen(asked: argparse.Namespace) -> dict[Fault, int]:
    """Return the faults selected by the options, each with its number of trials."""
    kills = {fault: max(1, round(asked.kills * fault.times / 100)) for fault in KILLS}
    others = {fault: fault.times if asked.times is None else asked.times for fault in OTHERS}
    whole = sum(fault.times for fault in COMMANDS)
    commands = {fault: max(1, round(asked.commands * fault.times / whole)) for fault in COMMANDS}
    rounds = {fault: max(1, round(asked.rounds * fault.times / len(TOGETHER))) for fault in TOGETHER}
    every = {
        **(kills if asked.kills else {}),
        **(commands if asked.commands else {}),
        **(rounds if asked.rounds else {}),
        **others,
    }
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
        try:
            outcome = fault.once(bench).without(bench.scratch)
        except Exception:  # noqa: BLE001 - a trial that raises counts as failed
            outcome = Outcome("", None, "", wrong=(traceback.format_exc()[-1500:],))
        outcomes.append(outcome)
        for wrong in outcome.wrong:
            sys.stderr.write(f"{fault.name} #{number}: {wrong}\n")
        if not number % 25 or number == times:
            survived = sum(not outcome.wrong for outcome in outcomes)
            seconds = time.perf_counter() - begun
            sys.stderr.write(f"{fault.name}: {survived} of {number} survived, of {times}; {seconds:.0f} s\n")
    return outcomes


def _typed(asked: argparse.Namespace) -> str:
    """Format the options that select the trials."""
    words = [f"--kills {asked.kills}", f"--commands {asked.commands}", f"--rounds {asked.rounds}"]
    words += [] if asked.times is None else [f"--times {asked.times}"]
    words += [f'--fault "{fault}"' for fault in asked.fault or ()]
    return " ".join([*words, f"--seed {asked.seed}"])


def _about(tried: Tried, asked: argparse.Namespace) -> dict[str, Any]:
    return {
        "made_by": [_typed(asked)],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "runs": tried.runs,
        "bytes": tried.bytes // 1000,
    }


if __name__ == "__main__":
    sys.exit(main())
