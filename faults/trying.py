"""Try one fault once and judge what is left: how a command ended in, what did not hold out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .child import Ended, HangsError, Hook, run
from .state import State, damages_of, state_of
from .stories import Bench, Story, as_ever

TOO_LATE = "was done before"  # where a kill fell that came after the end
MOST_SHOWN = 3  # differences of one trial that are written down
MOST_LETTERS = 600  # of each


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one trial."""

    fell: str  # what the command did when it was struck, or how
    code: int | None  # its exit code; None: it was killed
    said: str  # what the user saw on standard error
    lost: int = 0  # rows that an undisturbed history has
    doubled: int = 0  # rows that it has not
    wrong: tuple[str, ...] = ()  # what did not hold; none: survived

    def without(self, place: Path) -> Outcome:
        """Return it with the scratch folder's name left out of what was said."""
        hidden = tuple(wrong.replace(str(place), "…") for wrong in self.wrong)
        return replace(self, said=self.said.replace(str(place), "…"), wrong=hidden)


@dataclass
class Verdict:
    """What was looked at in one trial."""

    scratch: Path
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    def compare(self, found: State, expected: State) -> None:
        """Hold a history against the undisturbed one."""
        missing, more = expected - found, found - expected
        self.lost += missing.total()
        self.doubled += more.total()
        self.wrong += differences(missing, more)

    def look_at(self, database: Path, when: str) -> None:
        """Look for damage."""
        self.wrong += [f"{when}: {damage}" for damage in damages_of(database, self.scratch)]

    def outcome(self, ended: Ended, fell: str = "") -> Outcome:
        """Return what came of it."""
        said = ended.err.strip()
        return Outcome(fell or ended.phase, ended.code, said, self.lost, self.doubled, tuple(self.wrong))


def differences(missing: State, more: State) -> list[str]:
    """Say how two histories differ: a row that differs a little by what differs in it."""
    wrong = []
    left = list(more)
    for table, row in list(missing)[:MOST_SHOWN]:
        values = json.loads(row)
        near = [(_unlike(values, json.loads(other)), other) for name, other in left if name == table]
        unlike, other = min(near, key=lambda pair: len(pair[0]), default=({}, ""))
        if other and len(unlike) < len(values) / 2:
            left.remove((table, other))
            wrong.append(f"{table}, expected and found: {unlike}"[:MOST_LETTERS])
        else:
            wrong.append(f"lost from {table}: {row}"[:MOST_LETTERS])
    return wrong + [f"too much in {table}: {row}"[:MOST_LETTERS] for table, row in left[:MOST_SHOWN]]


def _unlike(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {name: (value, other.get(name)) for name, value in one.items() if value != other.get(name)}


def calm(ended: Ended, codes: Sequence[int]) -> list[str]:
    """Return what is wrong with how a command ended: a traceback, another exit code, no word or too many."""
    wrong = []
    if "Traceback" in ended.err + ended.out or "Exception ignored" in ended.err:
        wrong.append(f"a traceback: {ended.err[-600:]}")
    if ended.code not in codes:
        wrong.append(f"exit code {ended.code}, signal {ended.signal}: {ended.err[-300:]}")
    early = ended.code in {130, 143} and ended.phase in {"opening", "exiting"} and not ended.err
    if ended.code and ended.err.count("\n") != 1 and not early:
        wrong.append(f"exit code {ended.code} with {ended.err.count(chr(10))} lines: {ended.err[-600:]}")
    return wrong


def struck(
    bench: Bench,
    story: Story,
    hook: Hook,
    codes: Sequence[int],
    *,
    heal: Hook = as_ever,
    database: Path | None = None,
) -> Outcome:
    """Run a command that a fault meets, heal the fault, and have the next one do the rest."""
    file = database or bench.database
    verdict = Verdict(bench.scratch)
    _ = story.end
    try:
        ended = story.start(file, bench.heard, hook).wait()
    finally:
        heal()
    verdict.wrong += calm(ended, codes)
    verdict.look_at(file, "after the fault")
    finish(bench, story, verdict, file)
    return verdict.outcome(ended)


def finish(bench: Bench, story: Story, verdict: Verdict, database: Path | None = None) -> None:
    """Have the next sync do the rest, and hold the history against the undisturbed one."""
    file = database or bench.database
    try:
        ended = run(story.words, file, bench.scratch / "next", hook=story.hook)
    except HangsError as error:
        verdict.wrong.append(f"the next time: {error}")
        return
    verdict.wrong += [f"the next time: {wrong}" for wrong in calm(ended, [0])]
    if ended.err:
        verdict.wrong.append(f"the next time: {ended.err[-300:]}")
    verdict.look_at(file, "in the end")
    verdict.compare(state_of(file), story.end)
