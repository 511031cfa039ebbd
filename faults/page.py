"""Summarize the outcomes of fault trials as results (JSON) and as a Markdown page. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .cases import COMMANDS, KILLS, OTHERS, SERVING, TOGETHER, Fault
from .cases.commands import SYNCS
from .trying import TOO_LATE, Outcome

Found = Mapping[Fault, Sequence[Outcome]]
Results = dict[str, Any]  # content of reliability.json

ORDER = tuple(fault.name for fault in (*KILLS, *COMMANDS, *TOGETHER, *OTHERS))

ABOUT = """\
# Reliability

This page shows what happens to a history when a command is killed, a disk is full or a file is damaged.

**{tried} trials, {survived} survived; {lost} rows lost, {doubled} extra rows.** {beside} of them killed a
command other than `sync` on SQLite or PostgreSQL, {serving} a server or its worker.

## What you can rely on

- **A kill costs only time.** A batch of runs is stored in one transaction; what was not committed is read
  again. Lists of similar runs are stored with the last batch, and the history records which ones are missing.
- **Every step of every command leaves a complete history.** Work that a step leaves (lists of similar runs,
  cached columns, erasing what `db redact` removed) is recorded in the history, and the next command that
  writes does it.
- **The next command removes what a killed command left on the disk**, whichever command it is: unfinished
  copies and exports, temporary directories, lock files. A temporary directory is recorded and locked by its
  process. It is removed only if this user recorded it on this host and its lock is free.
- **A file that the system refuses does not count as read.** A file that could not be opened, for whatever
  reason, is reported, and the next sync reads it again even if its size and time are the same. `sync` then
  exits with 3.
- **Reading processes are optional.** If one is killed, cannot be started, or finds no space in /tmp, the sync
  reads by itself.
- **A wrong clock during one sync leaves no traces:** the next sync judges again what was judged by it.

Exit codes: 0 done, 1 failed (nothing of the last transaction is stored), 2 wrong usage, 3 stored, except for
what could not be read, 130 interrupted by Ctrl-C, 143 terminated.

## What is not covered

- SIGKILL loses nothing that was handed to the operating system; a power failure may. It is simulated by
  truncating and corrupting the write-ahead log, which then ends at its last complete commit.
- Disks that report writes which they have not done are not tried.
- Damage in the middle of the database is detected, not repaired. Restore a backup, or sync the files that
  still exist into a new history.

## How it is tried

Each trial takes a history through a fault, checks it for damage (`db verify`), runs the next sync, and
compares the resulting history with that of an undisturbed sync: every row of every table, except internal row
numbers and the times at which the history saw something. A row that is not in both is lost or extra. The
agents directory is small ({runs} runs, {bytes} kB, one transcript that is resumed from where it ended). Syncs
are first ones and later ones (transcripts grew, retries overwrote some, runs were added, deleted and
damaged), in one transaction, in many, and with several reading processes. A trial also fails if there is a
traceback, an undocumented exit code or an error of more than one line.

Every command that writes is killed on both engines: after a random time, before a random statement, or after
a random number of written bytes. On PostgreSQL, sometimes the database's own process is killed instead, or
its session is ended. Then:

1. `db verify` must find no damage. A file that the command writes (a backup, an export, a config file) must
   be complete or absent.
2. The next command runs: the same one, a sync, or a query. After it, `db verify` must find no damage, and
   nothing may be left: no temporary directory or file, no lock, no database session. The user's own files
   with similar names must still exist.
3. The command and a sync run once more. The history, and the file that the command writes, must equal those
   of an undisturbed command.

Commands that write are also started at the same time, in {rounds} rounds on both engines: 3 or 4 of sync,
reprice, merge, prune and backup, at random moments, sometimes the same one twice. All must succeed, `db
verify` must find no damage, no sync may be recorded twice, and the history must equal the result of some
order of the same commands, one after the other. Repricing handles one run at a time: the recorded cost of a
pruned run may match one order, and that of another run another order.

Tried on {system}, Python {python}, SQLite {sqlite}, with

```
{made_by}
```

`make faults` repeats it with more trials.

## Every fault
"""


def results_of(found: Found, about: Mapping[str, Any]) -> Results:
    """Return the results of all faults, ready for JSON."""
    return {
        "about": dict(about),
        "faults": [
            {
                "name": fault.name,
                "how": fault.how,
                "tried": len(outcomes),
                "survived": sum(not outcome.wrong for outcome in outcomes),
                "rows_lost": sum(outcome.lost for outcome in outcomes),
                "rows_doubled": sum(outcome.doubled for outcome in outcomes),
                "exit_codes": {str(code): count for code, count in _codes(outcomes)},
                "said": [
                    text for text, _ in Counter(_anywhere(o.said) for o in outcomes if o.said).most_common()
                ],
                "moments": dict(sorted(Counter(outcome.fell for outcome in outcomes).items())),
                "wrong": [list(map(_anywhere, outcome.wrong)) for outcome in outcomes if outcome.wrong],
            }
            for fault, outcomes in found.items()
        ],
    }


def joined(old: Results, new: Results) -> Results:
    """Merge two results; for a fault in both, the new result replaces the old one."""
    found = {fault["name"]: fault for results in (old, new) for fault in results["faults"]}
    about = {**new["about"], "made_by": [*old["about"]["made_by"], *new["about"]["made_by"]]}
    return {"about": about, "faults": [found[name] for name in ORDER if name in found]}


def as_page(results: Results) -> str:
    """Format the results as a Markdown page."""
    faults, about = results["faults"], results["about"]
    commands = {fault.name for fault in COMMANDS} - {name for name in ORDER if _is_sync(name)}
    serving = {fault.name for fault in SERVING}
    together = {fault.name for fault in TOGETHER}
    sums = {
        "beside": sum(fault["tried"] for fault in faults if fault["name"] in commands),
        "serving": sum(fault["tried"] for fault in faults if fault["name"] in serving),
        "rounds": sum(fault["tried"] for fault in faults if fault["name"] in together),
        "tried": f"{sum(fault['tried'] for fault in faults):,}",
        "survived": f"{sum(fault['survived'] for fault in faults):,}",
        "lost": sum(fault["rows_lost"] for fault in faults),
        "doubled": sum(fault["rows_doubled"] for fault in faults),
        "made_by": "\n".join(f"python -m faults {words}" for words in about["made_by"]),
    }
    return "\n".join([ABOUT.format(**{**about, **sums}), *_table(faults), *_moments(faults), ""])


def _is_sync(name: str) -> bool:
    return any(name.startswith(f"{sync} killed") for sync in SYNCS)


def _table(faults: Sequence[Mapping[str, Any]]) -> list[str]:
    head = "| fault | how | tried | survived | rows lost | extra rows | exit codes | what the user sees |"
    rows = [head, "|---|---|--:|--:|--:|--:|---|---|"]
    for fault in faults:
        name, how = fault["name"], fault["how"]
        if not fault["tried"]:
            rows.append(f"| {name} | {how} | – | – | – | – | – | cannot be caused here |")
            continue
        codes = ", ".join("killed" if code == "None" else code for code in fault["exit_codes"])
        numbers = " | ".join(str(fault[key]) for key in ("tried", "survived", "rows_lost", "rows_doubled"))
        rows.append(f"| {name} | {how} | {numbers} | {codes} | {_said(fault['said'])} |")
    return rows


def _codes(outcomes: Sequence[Outcome]) -> list[tuple[int | None, int]]:
    counts = Counter(outcome.code for outcome in outcomes)
    return sorted(counts.items(), key=lambda pair: -1 if pair[0] is None else pair[0])


def _said(said: Sequence[str]) -> str:
    """Format the last line of the most frequent message, which is the first one."""
    return f"`{said[0].splitlines()[-1]}`".replace("|", "/") if said else "nothing"


def _anywhere(text: str) -> str:
    """Remove machine-specific paths and port numbers from a message."""
    return re.sub(r"/\S+/site-packages/", "…/", re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", text))


def _moments(faults: Sequence[Mapping[str, Any]]) -> list[str]:
    """Format a table of the number of kills by phase of the command."""
    counts: Counter[str] = Counter()
    for fault in faults:
        if "killed" in fault["name"]:
            counts.update(fault["moments"])
    del counts[TOO_LATE]
    if not counts:
        return []
    rows = [f"| {name} | {count} |" for name, count in counts.most_common()]
    return ["", "## Where the kills fell", "", "| activity | kills |", "|---|--:|", *rows]
