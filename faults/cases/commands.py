"""Trials that kill each writing command on both engines and check the remaining history and files."""

from __future__ import annotations

import signal
import time
from functools import partial

from ..child import Ended
from ..kills import kill_before
from ..stories import Bench
from ..trying import TOO_LATE, Outcome, Verdict, calm
from ..yard import Command, Yard

QUESTION = ("list", "--json")

SYNCS = ("first sync", "first sync, with workers", "later sync", "later sync, with workers")

NAMES = (
    *SYNCS,
    "resync",
    "merge",
    "merge into a new history",
    "db prune",
    "db backup",
    "db vacuum",
    "db scrub",
    "patterns accept",
    "export",
    "check --init",
    "insert and update in Python",
)


def killed(bench: Bench, engine: str, name: str) -> Outcome:
    """Kill a command, check history and files, run another command, then complete the work and compare."""
    yard = yard_of(bench, engine)
    command = yard.commands[name]
    undisturbed = yard.undisturbed(command)
    verdict = Verdict(bench.scratch)
    yard.put(command)
    ended, struck = bench.chance.choice((_at_a_time, _at_a_statement, _at_a_size))(yard, command)
    yard.place.recover()
    if struck:  # only its database session was killed: the program has to report the error
        verdict.wrong += calm(ended, [0, 1])
    verdict.wrong += [f"after the kill: {damage}" for damage in yard.place.damages()]
    if command.made is not None and command.made() not in (None, undisturbed.made):
        verdict.wrong.append("after the kill: a file is there that is not whole")
    _run_the_next(yard, command, verdict)
    for words, of, codes in (
        (command.words, command, command.again),
        (command.then or yard.sync, None, (0,)),
    ):
        again = yard.start(words, of).wait()
        verdict.wrong += [f"once more: {wrong}" for wrong in calm(again, codes)]
    verdict.wrong += [f"in the end: {damage}" for damage in (*yard.place.damages(), *yard.left(command))]
    if command.made is not None and command.made() != undisturbed.made:
        verdict.wrong.append("in the end: its file is not what an undisturbed one is")
    verdict.compare(yard.place.state(), undisturbed.end)
    return verdict.outcome(ended, struck or (ended.phase if ended.signal else TOO_LATE))


def _run_the_next(yard: Yard, command: Command, verdict: Verdict) -> None:
    """Run the same command, a sync or a query, and check that it removes leftovers of the killed command.

    A query need not erase secrets that a killed `db scrub` left in the file.
    """
    choices: list[tuple[tuple[str, ...], Command | None, tuple[int, ...]]] = [
        (command.words, command, command.again),
        (QUESTION, None, (0, 1) if command.before is None else (0,)),
    ]
    if command.before is not None:  # without a history, a sync would create one and change the merge
        choices.append((command.then or yard.sync, None, (0,)))
    words, of, codes = yard.chance.choice(choices)
    following = yard.start(words, of).wait()
    verdict.wrong += [f"the next command: {wrong}" for wrong in calm(following, codes)]
    is_question = words is QUESTION
    left = [what for what in yard.left(command) if not (is_question and what.startswith("a secret"))]
    verdict.wrong += [f"after the next command: {what}" for what in (*yard.place.damages(), *left)]


def yard_of(bench: Bench, engine: str) -> Yard:
    """Return the cached yard of an engine; the first call creates it."""
    return bench.kept_value(f"yard of {engine}", lambda: Yard(bench, engine))


def _at_a_time(yard: Yard, command: Command) -> tuple[Ended, str | None]:
    """Kill a command, or its database session, after a random part of its usual duration."""
    delay = yard.chance.random() * yard.undisturbed(command).ended.seconds * 1.05
    child = yard.start(command.words, command)
    child.wait_until_ready()
    time.sleep(delay)
    struck = yard.place.strike(yard.chance) if yard.chance.random() < 0.3 else None
    if struck is None:
        child.send(signal.SIGKILL)
    return child.wait(), struck


def _at_a_statement(yard: Yard, command: Command) -> tuple[Ended, str | None]:
    """Kill a command before a random one of its SQL statements."""
    last = yard.chance.randint(1, max(1, yard.undisturbed(command).ended.statements))
    return yard.start(command.words, command, partial(kill_before, last)).wait(), None


def _at_a_size(yard: Yard, command: Command) -> tuple[Ended, str | None]:
    """Kill a command after it has written a random number of bytes to the database or other files."""
    size = yard.chance.randint(1, yard.undisturbed(command).written)
    before = yard.written()
    child = yard.start(command.words, command)
    while not child.ended:
        if yard.written() - before >= size:
            child.send(signal.SIGKILL)
            break
    return child.wait(), None
