"""Registry of all faults: name, cause and the function that runs one trial."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..kills import WAYS, killed
from ..linux import can_mount
from ..places import ENGINES
from ..stories import Bench
from ..trying import Outcome
from . import commands, damage, files, moments, resources, server, serving, together


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault and the function that runs a trial of it."""

    name: str
    how: str
    once: Callable[[Bench], Outcome]
    times: int  # number of trials in a full run; kills: per 100 kills; commands and rounds: relative weight
    possible: Callable[[], bool] = _always


def _kill(bench: Bench, *, times: int = 1) -> Outcome:
    return killed(bench, bench.chance.choice(bench.syncs), bench.chance.choice(WAYS), times=times)


def _kill_resync(bench: Bench) -> Outcome:
    return killed(bench, bench.resync, bench.chance.choice(WAYS))


HOW_KILLED = {
    "SQLite": "SIGKILL at a random moment, statement or number of bytes written",
    "PostgreSQL": "SIGKILL as on SQLite, sometimes of the database's process instead",
}
POSSIBLE = {"SQLite": _always, "PostgreSQL": server.is_there}

KILLS = (
    Fault("sync killed", "SIGKILL at a random moment, statement or size of the log", _kill, 70),
    Fault(
        "sync killed, and the next one too", "SIGKILL as above, twice in a row", partial(_kill, times=2), 15
    ),
    Fault("resync killed", "SIGKILL as above", _kill_resync, 7),
)

COMMANDS = tuple(
    Fault(
        f"{name} killed, on {engine}",
        HOW_KILLED[engine],
        partial(commands.killed, engine=engine, name=name),
        1 if name in commands.SYNCS else 3,
        POSSIBLE[engine],
    )
    for engine in ENGINES
    for name in commands.NAMES
)

TOGETHER = tuple(
    Fault(
        f"commands at the same time, on {engine}",
        "3 or 4 of sync, reprice, merge, prune and backup, started at random moments",
        partial(together.tried, engine=engine),
        1,
        POSSIBLE[engine],
    )
    for engine in ENGINES
)

SERVING = tuple(
    Fault(
        f"server or its worker killed, on {engine}",
        "SIGKILL to either at a random moment while the worker syncs",
        partial(serving.killed, engine=engine),
        12,
        partial(serving.possible, POSSIBLE[engine]),
    )
    for engine in ENGINES
)

OTHERS = (
    *SERVING,
    Fault("Ctrl-C", "SIGINT at a random moment", moments.interrupted, 25),
    Fault("terminated", "SIGTERM at a random moment", moments.terminated, 25),
    Fault("disk full", "a small tmpfs in a mount namespace", resources.full_disk, 20, can_mount),
    Fault("file size limit", "RLIMIT_FSIZE", resources.file_too_large, 10),
    Fault("database size limit", "max_page_count", resources.few_pages, 10),
    Fault(
        "no space for temporary files", "a full tmpfs in a mount namespace", resources.full_tmp, 5, can_mount
    ),
    Fault("out of file handles", "RLIMIT_NOFILE", resources.few_handles, 20),
    Fault("out of memory", "RLIMIT_AS", resources.little_memory, 20),
    Fault("MemoryError in a sync stage", "raised when a sync stage begins", resources.memory_error, 14),
    Fault("reading process killed", "SIGKILL to a worker", resources.killed_worker, 10),
    Fault("read-only disk", "a tmpfs that is remounted read-only", files.read_only_disk, 3, can_mount),
    Fault("read-only database", "chmod of the file or its directory", files.read_only_database, 6),
    Fault("unreadable files", "chmod 000 of files or runs", files.unreadable_files, 10),
    Fault("vanishing files", "renamed between listing and reading, and back", files.vanishing_files, 10),
    Fault("files that grow while they are read", "a process that keeps writing", files.growing_files, 5),
    Fault(
        "the clock jumps",
        "another current time for one sync, file times in the future",
        moments.clock_jumps,
        20,
    ),
    Fault("write-ahead log truncated", "truncated after a kill", damage.cut_log, 15),
    Fault("write-ahead log corrupted", "random bytes after a kill", damage.garbled_log, 15),
    Fault(
        "PostgreSQL restarted",
        "stopped during a sync, orderly or immediately",
        server.restarted,
        20,
        server.is_there,
    ),
    Fault("database header overwritten", "its first 100 bytes overwritten", damage.no_database, 3),
    Fault("damaged pages", "random pages overwritten", damage.damaged_pages, 15),
    Fault("database truncated", "truncated", damage.cut_database, 10),
)
