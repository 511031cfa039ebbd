"""Whatever the order in which forks, resumed sessions and subagents are written and synced: one history."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history import open_history
from app.server.core.workflow_history.queries.open_history import OpenHistory
from app.server.tests.support.native_sessions import Session, session_id, subagent
from app.server.tests.support.thoroughness import tries

HOUR = 3_600
OF_ONE_SYNC = {"first_seen_at", "last_changed_at"}


@dataclass(frozen=True)
class Step:
    """A file appears or grows: a session to its first `lines` lines, or the transcript of a subagent."""

    session: int
    lines: int
    subagent: int | None = None


def turns(session: Session, number: int, count: int) -> Session:
    for turn in range(count):
        at = number * HOUR + turn * 60
        session.says(f"Request {number}.{turn}", at).answers(f"m{number}.{turn}", at + 30)
    return session


@st.composite
def families(draw: st.DrawFn) -> tuple[list[Session], list[Step]]:
    """Draw sessions, of which later ones may continue earlier ones, and an order in which files appear."""
    sessions = [turns(Session(session_id(0)), 0, draw(st.integers(1, 3)))]
    for number in range(1, draw(st.integers(2, 4))):
        session = Session(session_id(number))
        if draw(st.booleans()):
            origin = sessions[draw(st.integers(0, number - 1))]
            copied = origin.lines[: draw(st.integers(1, len(origin.lines)))]
            session.lines = [{**line, "sessionId": session.id} for line in copied]
        sessions.append(turns(session, number, draw(st.integers(0, 2)) if session.lines else 1))
    files: list[list[Step]] = []
    for number, session in enumerate(sessions):
        whole = Step(number, len(session.lines))
        half = draw(st.integers(1, len(session.lines)))
        files.append([Step(number, half), whole] if draw(st.booleans()) else [whole])
        files += [[Step(number, 0, name)] for name in range(draw(st.integers(0, 2)))]
    order = draw(st.permutations([number for number, steps in enumerate(files) for _ in steps]))
    rest: list[Iterator[Step]] = [iter(steps) for steps in files]
    return sessions, [next(rest[number]) for number in order]


def write(store: Path, sessions: list[Session], step: Step) -> None:
    session = sessions[step.session]
    if step.subagent is not None:
        subagent(store, session, f"a{step.subagent}", f"n{step.session}.{step.subagent}")
        return
    shown = Session(session.id)
    shown.lines = session.lines[: step.lines]
    shown.write(store)


def runs_of(history: OpenHistory) -> Mapping[str, Mapping[str, Any]]:
    """Return all fields of all runs that do not depend on the time of a sync."""
    found = {run["id"]: dict(run) for run in history.runs(limit=100).workflows}
    return {
        run_id: {name: value for name, value in run.items() if name not in OF_ONE_SYNC}
        for run_id, run in found.items()
    }


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in which two histories differ, by run."""
    assert set(one) == set(other)
    return {
        run_id: {
            name: (run.get(name), other[run_id].get(name))
            for name in run
            if run[name] != other[run_id].get(name)
        }
        for run_id, run in one.items()
        if run != other[run_id]
    }


@tries(20)
@given(families(), st.data())
def test_any_order_of_syncing_forks_resumes_and_subagents_gives_the_same_history(
    family: tuple[list[Session], list[Step]], data: st.DataObject
) -> None:
    sessions, steps = family
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "me" / ".claude" / "projects"
        with open_history(Path(folder) / "often.db") as often, open_history(Path(folder) / "once.db") as once:
            for step in steps:
                write(store, sessions, step)
                if data.draw(st.booleans(), label="sync now"):
                    often.sync(silent=True, agents_dir=store)
            often.sync(silent=True, agents_dir=store)
            once.sync(silent=True, agents_dir=store)
            assert differences(runs_of(often), runs_of(once)) == {}
            messages = {
                line["message"]["id"] for each in sessions for line in each.lines if "id" in line["message"]
            }
            subagents = sum(step.subagent is not None for step in steps)
            assert round(sum(run["total_cost"] or 0 for run in runs_of(once).values()), 6) == round(
                0.03 * (len(messages) + subagents), 6
            )
