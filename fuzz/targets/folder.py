"""Fuzz target: an agents directory with odd names, files and streams next to a valid run.

The valid run must be stored as usual.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from app.server.core.workflow_history import database, sync
from app.server.core.workflow_history.common.errors import WorkflowHistoryError

from .. import histories, hostile
from ..dice import Dice
from ..oracle import Broken, money_and_counts_are_sane, numbers_are_numbers
from ..seeds import make_seeds, other_streams
from .stream import lines_from

HONEST = "h0ne5700"
_SAME = ("status", "nl_input", "total_cost", "total_tokens", "phase_costs", "created_at", "quality_score")


def made(folder: Path) -> Callable[[bytes], None]:
    """Return a function that builds an agents directory and syncs it twice into a new history."""
    file = histories.use(folder)
    seeds = make_seeds(folder / "seeds")
    streams = (*seeds.streams, *other_streams())
    honest, root = _honest(folder), folder.resolve() / "shop" / "agents"
    template = folder / "template.db"
    database.init_db()
    shutil.copy(file, template)
    expected: dict[str, Any] = {}

    def once(data: bytes) -> None:
        _emptied(root)
        shutil.copytree(honest, root / HONEST)
        dice = Dice(data)
        for _ in range(dice.whole(0, 6)):
            _run(dice, root, seeds.states, streams)
        if not expected:
            _emptied(root)
            shutil.copytree(honest, root / HONEST)
        _with_new_history(file, template)
        before = _listing(root)
        first = sync.sync_workflow_history(silent=True, agents_dir=root)
        _is_whole(first, expected)
        again = sync.sync_workflow_history(silent=True, agents_dir=root)
        if again["inserted"] or again["failed"] > first["failed"]:
            raise Broken(f"a second sync says something else: {first} {again}")
        if _listing(root) != before:
            raise Broken("the scanned folder was written to")

    once(b"")
    return once


def _honest(folder: Path) -> Path:
    """Return the directory of the seed run with a state file that has the most streams."""
    every = sorted((folder / "seeds").iterdir(), key=lambda run: (-len(list(run.rglob("*.jsonl"))), run.name))
    return next(run for run in every if (run / "adw_state.json").is_file())


def _emptied(root: Path) -> None:
    if root.exists():
        for found in os.scandir(root):
            shutil.rmtree(found.path) if found.is_dir(follow_symlinks=False) else Path(found.path).unlink()
    root.mkdir(parents=True, exist_ok=True)


def _with_new_history(file: Path, template: Path) -> None:
    for name in ("-wal", "-shm"):
        Path(f"{file}{name}").unlink(missing_ok=True)
    shutil.copy(template, file)


def _run(dice: Dice, root: Path, states: tuple[Any, ...], streams: tuple[tuple[Any, ...], ...]) -> None:
    """Create something in the agents directory that may be a run."""
    run = root / dice.pick(hostile.NAMES)
    with suppress(OSError):  # the name exists already, or this file system rejects it
        run.mkdir(exist_ok=True)
        if not dice.one_in(5):
            state = hostile.mutated(dice, dice.pick(states), dice.pick((8, 30)))
            _write(run / "adw_state.json", hostile.encoded(dice, state))
        for _ in range(dice.whole(0, 5)):
            _entry(dice, run, streams)


def _write(file: Path, data: bytes) -> None:
    """Write a file; raise FileExistsError if a symbolic link leads elsewhere, to protect other files."""
    if file.is_symlink() or file.parent.resolve() != file.parent:
        raise FileExistsError(file)
    file.write_bytes(data)


def _entry(dice: Dice, folder: Path, streams: tuple[tuple[Any, ...], ...], depth: int = 0) -> None:
    if folder.is_symlink():
        return
    place = folder / dice.pick(hostile.NAMES)
    kind = dice.whole(0, 9)
    if kind <= 3:
        place.mkdir(exist_ok=True)
        stream = place / dice.pick(("raw_output.jsonl", "a.jsonl", "adw_state.json"))
        _write(stream, b"".join(lines_from(dice, streams)))
    elif kind == 4:
        _write(place, hostile.encoded(dice, hostile.value(dice)))
    elif kind == 5:
        prompts = folder / "planner" / "prompts"
        prompts.mkdir(parents=True, exist_ok=True)
        _write(prompts / "a.txt", hostile.text(dice).encode("utf-8", "surrogatepass"))
    elif kind == 6:
        os.mkfifo(place if dice.one_in(2) else folder / "b.jsonl")
    elif kind == 7:
        place.symlink_to(dice.pick((".", "..", "/dev/zero", "/no/such/file", str(place))))
    elif kind == 8:
        _socket(folder / "c.jsonl")
    elif depth < 8:
        place.mkdir(exist_ok=True)
        _entry(dice, place, streams, depth + 1)


def _socket(place: Path) -> None:
    before = Path.cwd()
    os.chdir(place.parent)  # the path of a socket is limited to about 100 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made_here:
            made_here.bind(place.name)
    finally:
        os.chdir(before)


def _listing(root: Path) -> list[tuple[str, int]]:
    return sorted((folder, len(names) + len(files)) for folder, names, files in os.walk(root))


def _is_whole(done: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise Broken if the valid run is not stored as usual or the history is damaged.

    The first call stores the usual values in `expected`.
    """
    numbers_are_numbers(done, "sync")
    with database.open_if_exists() as history:
        if history is None or (damage := history.check()):
            raise Broken(f"the history is damaged: {damage}")
    honest = database.load_workflow(HONEST)
    if honest is None:
        raise Broken("the honest run was not stored")
    told = {name: honest.get(name) for name in _SAME}
    if not expected:
        expected.update(told)
    if told != expected:
        raise Broken(f"the honest run says something else: {told} {expected}")
    for run in database.get_workflow_history(limit=100)["workflows"]:
        numbers_are_numbers(run, "run")
        money_and_counts_are_sane(run)
        _is_found(run)
    if any(not entry.get("reason") for entry in done["errors"]):
        raise Broken(f"an error tells no reason: {done['errors']}")


def _is_found(run: dict[str, Any]) -> None:
    try:
        found = database.get_workflow_by_id(f"{run['project']}/{run['id']}")
    except WorkflowHistoryError as error:
        raise Broken(f"a stored run is not found: {error}") from error
    if found is None or found["id"] != run["id"]:
        raise Broken(f"{run['id']!r} is stored and not found by its name")
