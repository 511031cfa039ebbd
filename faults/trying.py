"""Run one fault trial and collect its problems in an outcome."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .child import Ended, HangsError, Hook, run
from .state import State, damages_of, state_of
from .stories import Bench, Story, as_ever

TOO_LATE = "was done before"  # moment of a kill that came after the command had ended
MOST_SHOWN = 3  # differences reported per trial
MOST_LETTERS = 600  # maximum length of each difference


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one trial."""

    fell: str  # phase of the command when the fault hit it, or the kind of fault
    code: int | None  # exit code of the command; None if it was killed
    said: str  # standard error of the command
    lost: int = 0  # number of rows missing compared with the undisturbed history
    doubled: int = 0  # number of rows that the undisturbed history doesn't have
    wrong: tuple[str, ...] = ()  # problems found; empty if the trial was survived

    def without(self, place: Path) -> Outcome:
        """Return a copy with the scratch directory replaced by "…" in all texts."""
        hidden = tuple(wrong.replace(str(place), "…") for wrong in self.wrong)
        return replace(self, said=self.said.replace(str(place), "…"), wrong=hidden)


@dataclass
class Verdict:
    """Problems collected during one trial."""

    scratch: Path
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)

    def compare(self, found: State, expected: State) -> None:
        """Compare a history with the undisturbed one and record the differences."""
        missing, more = expected - found, found - expected
        self.lost += missing.total()
        self.doubled += more.total()
        self.wrong += differences(missing, more)

    def look_at(self, database: Path, when: str) -> None:
        """Check the history for damage; `when` labels the problems."""
        self.wrong += [f"{when}: {damage}" for damage in damages_of(database, self.scratch)]

    def outcome(self, ended: Ended, fell: str = "") -> Outcome:
        """Build the outcome; `fell` defaults to the last phase of the command."""
        said = ended.err.strip()
        return Outcome(fell or ended.phase, ended.code, said, self.lost, self.doubled, tuple(self.wrong))


def differences(missing: State, more: State) -> list[str]:
    """Format differences between histories; rows that are over half equal list only differing columns."""
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
    """Return the problems of a command's end: a traceback, an unexpected exit code or not one line of error.

    No error line is needed if the command was stopped by a signal while it was opening or leaving.
    """
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
    """Run a command with the fault that `hook` causes, remove the fault, rerun the command and compare.

    `codes` are the allowed exit codes; `heal` removes the fault.
    """
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
    """Run the command again to complete the work and compare the history with the undisturbed one."""
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
