"""Create a small agents directory and simulate a day of changes in it."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.server.core.workflow_history.demo.folder import make_agents_folder

RUNS = 24
SEED = 3
END = datetime(2026, 3, 1, 12, tzinfo=UTC)  # long enough ago that no run of the demo counts as running
DAY = 86_400  # seconds
MODEL = "claude-sonnet-4-5-20250929"
GROWING = "growing1"  # a run with a stream so long that a later sync reads only the appended part
LINES = 320  # number of lines of that stream, about 1 kB each


def make_world(agents: Path, began: float) -> None:
    """Create an agents directory whose long stream ends a day before `began` (seconds since 1970)."""
    make_agents_folder(agents, runs=RUNS, seed=SEED, end=END, stream_kb=10)
    grow(agents, LINES, began - DAY)


def change_world(agents: Path, began: float) -> None:
    """Simulate a day: a stream grows, retries overwrite others, runs appear, disappear and break."""
    runs = sorted(path for path in agents.iterdir() if any(path.rglob("raw_output.jsonl")))
    runs = [run for run in runs if run.name != GROWING]
    grow(agents, LINES // 4, began - DAY / 2, first=LINES)
    for run in runs[:3]:  # a retry overwrites its stream
        stream = next(run.rglob("raw_output.jsonl"))
        write(stream, [*session(f"retry of {run.name}", 0.125)], began - DAY / 2)
    shutil.rmtree(runs[3])
    shutil.rmtree(runs[4])
    next(runs[5].rglob("raw_output.jsonl")).unlink()
    with next(runs[6].rglob("raw_output.jsonl")).open("a") as broken:
        broken.write('{"type": "assistant", "mess\n')
    for number in range(4):
        make_run(agents / f"new{number}", f"Add the export of part {number}", began - DAY / 2)


def make_run(folder: Path, request: str, at: float) -> None:
    """Create a small completed run; `at` is the modification time of its streams."""
    state = {"adw_id": folder.name, "status": "completed", "nl_input": request}
    folder.mkdir(parents=True)
    (folder / "adw_state.json").write_text(json.dumps(state))
    for agent in ("sdlc_planner", "sdlc_implementor"):
        write(folder / agent / "raw_output.jsonl", session(f"{folder.name} {agent}", 0.25), at)


def grow(agents: Path, lines: int, at: float, *, first: int = 0) -> None:
    """Append `lines` lines to the long stream, numbered from `first`; 0 starts the stream."""
    stream = agents / GROWING / "sdlc_implementor" / "raw_output.jsonl"
    stream.parent.mkdir(parents=True, exist_ok=True)
    with stream.open("a") as file:
        if not first:
            file.write(json.dumps(_init("long")) + "\n")
        for number in range(first, first + lines):
            file.write(json.dumps(_said("long", number, "x" * 800)) + "\n")
    os.utime(stream, (at, at))


def write(file: Path, lines: list[dict[str, Any]], at: float) -> None:
    """Write a JSON Lines file with the modification time `at`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    os.utime(file, (at, at))


def session(name: str, dollars: float) -> list[dict[str, Any]]:
    """Return the lines of a complete stream of one session with its cost in dollars."""
    usage = {"inputTokens": 10, "outputTokens": 40, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0}
    result = {
        "type": "result", "subtype": "success", "is_error": False, "duration_ms": 60_000,
        "duration_api_ms": 50_000, "num_turns": 2, "result": "done", "session_id": name,
        "total_cost_usd": dollars, "usage": {"input_tokens": 10, "output_tokens": 40},
        "modelUsage": {MODEL: {**usage, "costUSD": dollars}},
    }  # fmt: skip
    return [_init(name), _said(name, 0, "Working on it."), _called(name), result]


def _init(name: str) -> dict[str, Any]:
    return {"type": "system", "subtype": "init", "session_id": name, "model": MODEL, "tools": ["Bash"]}


def _said(name: str, number: int, text: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": text}]
    return _message(name, f"{name}-{number}", content)


def _called(name: str) -> dict[str, Any]:
    call = {"type": "tool_use", "id": f"{name}-call", "name": "Bash", "input": {"command": "npm test"}}
    return _message(name, f"{name}-calls", [call])


def _message(name: str, number: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    message = {
        "id": number, "type": "message", "role": "assistant", "model": MODEL, "content": content,
        "stop_reason": None, "usage": {"input_tokens": 3, "output_tokens": 5},
    }  # fmt: skip
    return {"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": name}
