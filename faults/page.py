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
# What happens when things go wrong

Made on {system}, Python {python}, SQLite {sqlite}, by

```
{made_by}
```

You can make it anew by `make faults`, which tries more.

**{tried} trials, {survived} survived; {lost} rows lost, {doubled} rows too many.** {beside} of them killed a
command other than `sync` on SQLite or PostgreSQL, {serving} a server or its worker.

## How it is tried

Each trial takes a history through a fault, looks for damage (`db check`), lets the next sync run, and holds
the history that it leaves against the one of a sync that nobody disturbed: every row of every table, but for
the history's own numbers and the times at which it saw something. A row that is not in both is lost or too
much. The agents folder is small ({runs} runs, {bytes} kB, one stream that is read on from where it ended);
syncs are first ones and later ones (streams grew, retries overwrote some, runs came, went and broke), in one
transaction, in many, and with several reading processes. A trial also fails on a traceback, on an exit code
that is not documented, and on an error of more than one line.

Every command that writes is killed on both engines: after a random time, before a random statement, or when
it has written a random number of bytes. On PostgreSQL, it is sometimes the database's own process that is
killed, or its session that is ended. Then:

1. `db check` must find nothing wrong. A file that the command writes (a backup, an export, settings) must be
   whole or not there.
2. The next command runs: the same one, a sync, or a question. After it, `db check` must find nothing wrong,
   and nothing may be left behind: no temporary folder or file, no lock, no session of the database. Files of
   the user that have similar names must still be there.
3. The command and a sync run once more. The history, and the file that the command writes, must be those of
   a command that nobody disturbed.

Commands that write are also begun at once, in {rounds} rounds on both engines: 3 or 4 of sync, resync, merge,
prune and backup, at random moments, the same one twice at times. All of them must end well, `db check` must
find nothing wrong, no sync may be on record twice, and the history must be that which some order of the same
commands, one after the other, leaves. A resync counts one run at a time: what a run had spent when it was
pruned may be as one order notes it, and of another run as another.

## Every fault
"""

AFTER = """\
## What it says

- **A kill costs nothing but time.** What a batch of runs brings is one transaction; what was not committed
  is read again. Lists of similar runs come with the last batch, and the history knows which are missing.
- **Every step of every command leaves a whole history.** What a step leaves to do (lists of similar runs,
  packed figures, the erasing of what `db scrub` took out) is noted in the history, and the next command that
  writes does it.
- **What a killed command leaves on the disk, the next command removes**, whichever it is: copies and exports
  that are not finished, folders for temporary files, files of locks. A folder in progress is recorded, and
  locked by its process. Only a folder that is recorded by this user on this machine, and whose lock is free,
  is removed.
- **What the system refuses is not taken for read.** A file that could not be opened, for whatever reason, is
  named, and read again by the next sync, though its size and time are the same. `sync` then ends with 3.
- **Exit codes** are 0 done, 1 failed (nothing of the last transaction is stored), 2 wrong usage, 3 stored but
  for what could not be read, 130 stopped by Ctrl-C, 143 told to end.
- **Processes that read are helpers.** Where one is killed, cannot be started, or finds no room in /tmp, the
  sync reads by itself.
- **A clock that was wrong for one sync leaves nothing behind:** what was judged by it is judged again.

## What it does not show

A SIGKILL loses nothing that was handed to the system; a loss of power may. That is tried by cutting and
garbling the write-ahead log, which then ends at its last whole commit. Disks that lie about what they have
written are not tried. Damage in the middle of the database is found, not mended: a backup is, or a new sync
of the files that are still there.
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
    return "\n".join([ABOUT.format(**{**about, **sums}), *_table(faults), "", *_moments(faults), "", AFTER])


def _is_sync(name: str) -> bool:
    return any(name.startswith(f"{sync} killed") for sync in SYNCS)


def _table(faults: Sequence[Mapping[str, Any]]) -> list[str]:
    head = "| fault | how | tried | survived | rows lost | rows too many | exit codes | what the user sees |"
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
    return ["## Where the kills fell", "", "| what it was doing | kills |", "|---|--:|", *rows]
