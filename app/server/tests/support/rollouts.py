"""Build sessions as Codex stores them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 7, 2, 8, tzinfo=UTC)
THREAD, CHILD, SIBLING = (f"019c0000-0000-7000-8000-00000000000{number}" for number in (1, 2, 3))

Record = dict[str, Any]
Counts = tuple[int, int, int]
"""Input tokens with the cached ones, cached tokens, output tokens."""


def at(seconds: float, kind: str, payload: Record, **more: Any) -> Record:
    """Return a line, `seconds` after START."""
    moment = (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"timestamp": moment, "type": kind, "payload": payload, **more}


def event(seconds: float, kind: str, **fields: Any) -> Record:
    return at(seconds, "event_msg", {"type": kind, **fields})


def item(seconds: float, kind: str, **fields: Any) -> Record:
    return at(seconds, "response_item", {"type": kind, **fields})


def meta(seconds: float = 0, thread: str = THREAD, source: Any = "exec", **fields: Any) -> Record:
    moment = at(seconds, "", {})["timestamp"]
    payload = {
        "id": thread, "timestamp": moment, "cwd": "/home/me/shop", "originator": "codex_cli_rs",
        "source": source, "git": {"branch": "main", "commit_hash": "abc"}, **fields,
    }  # fmt: skip
    return at(seconds, "session_meta", payload)


def spawned(parent: str = THREAD, role: str = "explorer") -> Record:
    return {"subagent": {"thread_spawn": {"parent_thread_id": parent, "depth": 1, "agent_role": role}}}


def turn(seconds: float, turn_id: str | None, model: str | None = "gpt-5-codex") -> Record:
    fields = {"turn_id": turn_id, "model": model}
    return at(seconds, "turn_context", {name: value for name, value in fields.items() if value})


def counts(counted: Counts, reasoning: int = 0) -> Record:
    return {
        "input_tokens": counted[0], "cached_input_tokens": counted[1], "output_tokens": counted[2],
        "reasoning_output_tokens": reasoning, "total_tokens": counted[0] + counted[2],
    }  # fmt: skip


def total(seconds: float, counted: Counts, last: Counts | None = None, reasoning: int = 0) -> Record:
    info = {"total_token_usage": counts(counted, reasoning), "model_context_window": 272_000}
    if last is not None:
        info["last_token_usage"] = counts(last)
    return event(seconds, "token_count", info=info)


def replay(records: list[Record], seconds: float | None) -> list[Record]:
    """Return the lines as another thread repeats them, with its own time or with theirs (None)."""
    copies: list[Record] = json.loads(json.dumps(records))
    moment = None if seconds is None else at(seconds, "", {})["timestamp"]
    return [{**copy, "timestamp": moment or copy["timestamp"]} for copy in copies]


def session(folder: Path, thread: str, *records: Record) -> Path:
    """Write a session's file and return it."""
    file = folder / "sessions/2026/07/02" / f"rollout-2026-07-02T08-00-00-{thread}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def exec_output(*totals: Counts, thread: str = THREAD) -> list[str]:
    """Return what `codex exec --json` prints: one process, with the thread's total after each turn."""
    turns = [{"type": "turn.completed", "usage": counts(spent)} for spent in totals]
    return [json.dumps(line) for line in ({"type": "thread.started", "thread_id": thread}, *turns)]


PARENT = [
    meta(),
    turn(0.01, "t1"),
    event(0.02, "task_started", turn_id="t1"),
    event(0.03, "user_message", message="Add CSV export"),
    total(19, (10_000, 2_000, 300), (10_000, 2_000, 300)),
    total(40, (24_000, 12_000, 900), (14_000, 10_000, 600)),
    event(41, "task_complete", turn_id="t1", last_agent_message="Done."),
]
PARENT_COST = 0.0255  # USD: 12,000 x $1.25, 12,000 x $0.125 and 900 x $10 a million

OWN = [
    turn(61, "t2", "gpt-5-mini"),
    total(80, (26_000, 12_500, 1_000), (2_000, 500, 100)),
]
OWN_COST = 0.0005875  # USD: 1,500 x $0.25, 500 x $0.025 and 100 x $2 a million
