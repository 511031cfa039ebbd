"""Trials that run writing commands concurrently and compare the history with sequential execution."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import permutations

from sqlalchemy import select

from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import pruned_runs, sync_runs

from ..child import Child
from ..places import Place
from ..state import State
from ..stories import Bench, miscount
from ..trying import Outcome, Verdict, calm
from ..yard import Command, Yard
from .commands import yard_of

FROM = "at-once"  # name of the kept history they start from; every command has something to do on it
POOL = ("sync", "sync", "resync", "resync", "merge", "merge", "db prune", "db prune", "db backup")
FEWEST, MOST = 3, 4  # commands at once
LONGEST = 0.5  # seconds, upper limit of the random delay before a command starts

Order = tuple[str, ...]


def tried(bench: Bench, engine: str) -> Outcome:
    """Run 3 or 4 commands from random moments on; the history must equal that of some sequential order."""
    yard = yard_of(bench, engine)
    commands = bench.kept_value(f"commands on {engine}", partial(_commands, yard))
    chosen = bench.chance.sample(POOL, bench.chance.randint(FEWEST, MOST))
    verdict = Verdict(bench.scratch)
    yard.put(commands["sync"])
    ended = _all_at_once(yard, [commands[name] for name in chosen], verdict)
    verdict.wrong += [f"in the end: {what}" for what in (*yard.place.damages(), *_left(yard, commands))]
    verdict.wrong += _twice(yard.place)
    found = yard.place.state()
    copy = commands["db backup"].made
    if "db backup" in chosen and copy is not None and copy() is None:
        verdict.wrong.append("in the end: there is no backup")
    if not _is_one_of(found, _serial_ends(bench, yard, commands, ended)):
        order = _writers(ended)
        verdict.compare(found, _serial_end(bench, yard, commands, order))
        verdict.wrong.append(f"no order of them ends so: {', '.join(sorted(chosen))}")
    return Outcome("at once", 0, "", verdict.lost, verdict.doubled, tuple(verdict.wrong))


def _is_one_of(found: State, ends: Iterator[State]) -> bool:
    """Return whether a history equals the result of one sequential order.

    A resync reprices one run at a time. The cost noted for a pruned run may therefore be that of one order,
    and the cost noted for another run that of another order.
    """
    runs, noted = _parted(found)
    alike, possible = False, set()
    for end in ends:
        if found == end:
            return True
        its_runs, its_noted = _parted(end)
        alike |= runs == its_runs and _named(noted) == _named(its_noted)
        possible |= set(its_noted)
    return alike and set(noted) <= possible


def _parted(state: State) -> tuple[State, State]:
    """Split a state into the rows of all other tables and the notes about pruned runs."""
    noted = Counter({row: count for row, count in state.items() if row[0] == pruned_runs.name})
    return state - noted, noted


def _named(noted: State) -> Counter[tuple[str, str]]:
    rows = [json.loads(row) for _, row in noted.elements()]
    return Counter((row["project"], row["id"]) for row in rows)


def _commands(yard: Yard) -> dict[str, Command]:
    """Create the history that the commands start from; return the commands by name."""
    yard.place.put("known")  # the history of the unchanged agents directory
    miscount(yard.place.typed())
    yard.place.keep(FROM)
    known = yard.commands
    older = ("db", "prune", "--older-than", "1d", "--keep", "6", "--yes", "--quiet")
    return {
        "sync": Command("sync", yard.sync, FROM),
        "resync": Command("resync", known["resync"].words, FROM),
        "merge": Command("merge", known["merge"].words, FROM),
        "db prune": Command("db prune", older, FROM),
        "db backup": Command("db backup", known["db backup"].words, FROM, made=known["db backup"].made),
    }


def _all_at_once(yard: Yard, commands: Sequence[Command], verdict: Verdict) -> list[str]:
    """Run the commands concurrently; return their names in the order in which they ended."""
    at_work: dict[str, Child] = {}
    for number, command in enumerate(commands):
        hook = partial(time.sleep, yard.chance.random() * LONGEST)
        at_work[f"{number} {command.name}"] = yard.start(command.words, hook=hook, heard=f"heard-{number}")
    order: list[str] = []
    while at_work:
        for name in [name for name, child in at_work.items() if child.ended]:
            ended = at_work.pop(name).wait()
            order.append(name.partition(" ")[2])
            verdict.wrong += [f"{name}: {wrong}" for wrong in calm(ended, [0])]
        time.sleep(0.002)
    return order


def _left(yard: Yard, commands: dict[str, Command]) -> list[str]:
    return yard.left(commands["db backup"])


def _twice(place: Place) -> list[str]:
    """Report syncs that are recorded more than once."""
    with History.open(place.typed()) as history, history._reading() as connection:
        columns = [column for column in sync_runs.columns if column.name != "key"]
        rows = Counter(repr(tuple(row)) for row in connection.execute(select(*columns)))
    return [f"in the end: {count} times the same sync: {row}" for row, count in rows.items() if count > 1]


def _writers(names: Sequence[str]) -> Order:
    return tuple(name for name in names if name != "db backup")


def _serial_ends(
    bench: Bench, yard: Yard, commands: dict[str, Command], ended: Sequence[str]
) -> Iterator[State]:
    """Yield the final state of each order of the commands, starting with the order in which they ended."""
    seen: set[Order] = set()
    for order in permutations(_writers(ended)):
        if order not in seen:
            seen.add(order)
            yield _serial_end(bench, yard, commands, order)


def _serial_end(bench: Bench, yard: Yard, commands: dict[str, Command], order: Order) -> State:
    """Return the history that the commands leave if they run one after another; cached by order."""
    ends: dict[Order, State] = bench.kept_value(f"ends on {yard.folder.name}", dict)
    if order not in ends:
        yard.put(commands["sync"])
        for name in order:
            ended = yard.start(commands[name].words).wait()
            if wrong := calm(ended, [0]):
                raise RuntimeError(f"{name} in {order}: {wrong}")
        ends[order] = yard.place.state()
    return ends[order]
