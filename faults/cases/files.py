"""Trials with files that change while they are read, or that can't be read or written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from app.server.core.workflow_history.pipeline import read_run

from ..child import run
from ..linux import apart, mount, obey_permissions, remount
from ..state import remove_history, state_of
from ..stories import Bench, Story
from ..trying import Outcome, Verdict, calm, struck
from ..world import make_run, session
from .resources import ROOM


def read_only_disk(bench: Bench) -> Outcome:
    """Run a sync with the history on a read-only disk."""
    return apart(partial(_on_read_only_disk, bench, _later(bench)))


def _on_read_only_disk(bench: Bench, story: Story) -> Outcome:
    disk = bench.scratch / "disk"
    disk.mkdir(exist_ok=True)
    mount(disk, ROOM)
    database = disk / "history.db"
    story.put(database)
    remount(disk, ROOM, read_only=True)
    heal = partial(remount, disk, ROOM)
    return struck(bench, story, lambda: None, [1], heal=heal, database=database)


def read_only_database(bench: Bench) -> Outcome:
    """Run a sync without write permission for the history file or its directory."""
    story = _later(bench)
    folder = bench.scratch / "locked"
    folder.mkdir(exist_ok=True)
    database = folder / "history.db"
    story.put(database)
    locked, mode = bench.chance.choice(((database, 0o444), (folder, 0o555)))
    was = locked.stat().st_mode
    locked.chmod(mode)
    return struck(bench, story, obey_permissions, [1], heal=partial(locked.chmod, was), database=database)


def unreadable_files(bench: Bench) -> Outcome:
    """Run a sync without permission to read some files or whole runs."""
    story = bench.chance.choice(bench.syncs)
    story.put(bench.database)
    _ = story.end
    places = _files_of(story) if bench.chance.random() < 0.7 else _folders_of(story)
    modes = {place: place.stat().st_mode for place in bench.chance.sample(places, 3)}
    for place in modes:
        place.chmod(0)

    def heal() -> None:
        for place, mode in modes.items():
            place.chmod(mode)

    return struck(bench, story, obey_permissions, [3], heal=heal)


def vanishing_files(bench: Bench) -> Outcome:
    """Move a file away after it was listed and before it is read; move it back later."""
    story = bench.chance.choice(bench.syncs)
    story.put(bench.database)
    number = bench.chance.randint(1, 6)
    away = bench.scratch / "away"
    away.mkdir(exist_ok=True)

    def arm() -> None:
        work = read_run._phase_1_read
        passed: list[int] = []

        def read(task: Any, order: Any) -> Any:
            passed.append(1)
            if len(passed) == number:
                file = Path(order.folder.files[-1].file)
                (away / f"{os.getpid()}.place").write_text(str(file))
                file.rename(away / f"{os.getpid()}.file")  # one file per reading process
            return work(task, order)

        setattr(read_run, "_phase_1_read", read)

    def heal() -> None:
        for file in away.glob("*.file"):
            file.rename(file.with_suffix(".place").read_text())

    return struck(bench, story, arm, [3], heal=heal)


def growing_files(bench: Bench) -> Outcome:
    """Append to transcripts, partial lines too, while syncs run one after another."""
    agents = bench.scratch / "growing" / "shop" / "agents"
    shutil.rmtree(agents, ignore_errors=True)
    for number in range(3):
        make_run(agents / f"run{number}", f"Add the import of part {number}", time.time())
    writer = _writer(bench, agents)
    remove_history(bench.database)
    verdict = Verdict(bench.scratch)
    words = ("sync", str(agents), "--quiet")
    with suppress(ChildProcessError):
        while not os.waitpid(writer, os.WNOHANG)[0]:
            ended = run(words, bench.database, bench.heard)
            verdict.wrong += calm(ended, [0])
            verdict.look_at(bench.database, "while they grow")
    ended = run(words, bench.database, bench.heard)
    verdict.wrong += calm(ended, [0])
    undisturbed = bench.scratch / "undisturbed-growth.db"
    remove_history(undisturbed)
    run(words, undisturbed, bench.heard)
    verdict.compare(state_of(bench.database), state_of(undisturbed))
    return verdict.outcome(ended, "reading")


def _writer(bench: Bench, agents: Path) -> int:
    """Fork a process that writes the transcripts of three agents piece by piece; return its process id."""
    turns: list[Path] = []
    left: dict[Path, list[str]] = {}
    for number in range(3):
        lines = session(f"growing {number}", 0.5)
        text = "".join(json.dumps(line) + "\n" for line in (*lines[:2], *lines[1:3] * 60, lines[3]))
        file = agents / f"run{number}" / "reviewer" / "raw_output.jsonl"
        file.parent.mkdir()
        left[file] = []
        while text:
            size = bench.chance.randint(1, 6000)
            left[file].append(text[:size])
            turns.append(file)
            text = text[size:]
    bench.chance.shuffle(turns)
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for file in turns:
            with file.open("a") as stream:
                stream.write(left[file].pop(0))
            time.sleep(0.01)
        os._exit(0)
    return pid


def _later(bench: Bench) -> Story:
    return bench.chance.choice([story for story in bench.syncs if story.before])


def _files_of(story: Story) -> list[Path]:
    names = ("raw_output.jsonl", "adw_state.json")
    return sorted(path for run in _folders_of(story) for path in run.rglob("*.json*") if path.name in names)


def _folders_of(story: Story) -> list[Path]:
    agents = Path(story.words[1])
    named = (path for path in agents.iterdir() if not path.name.startswith(("_", ".")))
    return sorted(path for path in named if any(path.rglob("raw_output.jsonl")))
