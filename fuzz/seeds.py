"""Valid run files of the demo, parsed as seeds for hostile variants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.server.core.workflow_history import demo

END = datetime(2026, 3, 31, 18, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Seeds:
    """Parsed files of valid runs."""

    states: tuple[dict[str, Any], ...]
    streams: tuple[tuple[Any, ...], ...]  # parsed lines of each stream
    prompts: tuple[str, ...]
    logs: tuple[str, ...]


def make_seeds(folder: Path, runs: int = 24) -> Seeds:
    """Create demo runs in a directory and return a few files of each kind."""
    demo.make_agents_folder(folder, runs=runs, end=END, stream_kb=12)
    every = sorted(folder.rglob("*.jsonl"), key=lambda file: (file.stat().st_size, file))
    streams = [lines for file in every if (lines := _lines(file))]
    states = [
        json.loads(file.read_text()) for file in sorted(folder.rglob("adw_state.json"))[:12] if _whole(file)
    ]
    prompts = [file.read_text() for file in sorted(folder.rglob("prompts/*"))[:12]]
    logs = [file.read_text() for file in sorted(folder.rglob("execution.log"))[:4]]
    return Seeds(tuple(states), tuple(streams[:24]), tuple(prompts), tuple(logs))


def other_streams() -> tuple[tuple[Any, ...], ...]:
    """Return streams in the Gemini and Codex formats and a native Claude Code transcript."""
    gemini = (
        {"type": "init", "session_id": "s1", "model": "gemini-2.5-pro", "timestamp": "2026-03-01T10:00:00Z"},
        {"type": "message", "role": "assistant", "content": "Done."},
        {"type": "tool_use", "tool_name": "run", "tool_id": "t1", "parameters": {"command": "pytest -q"}},
        {"type": "tool_result", "tool_id": "t1", "status": "error"},
        {
            "type": "result",
            "status": "success",
            "timestamp": "2026-03-01T10:01:00Z",
            "stats": {"input_tokens": 900, "output_tokens": 90, "cached": 400, "duration_ms": 60000},
        },
    )
    codex = (
        {"type": "thread.started", "thread_id": "t1"},
        {
            "type": "item.completed",
            "item": {"id": "i1", "type": "command_execution", "command": "ls", "exit_code": 1},
        },
        {"type": "item.completed", "item": {"id": "i2", "type": "agent_message", "text": "Done."}},
        {
            "type": "turn.completed",
            "usage": {"input_tokens": 900, "cached_input_tokens": 400, "output_tokens": 90},
        },
        {"type": "turn.failed", "error": {"message": "out of quota"}},
    )
    use = {"input_tokens": 10, "output_tokens": 5, "cache_creation": {"ephemeral_1h_input_tokens": 4}}
    transcript = (
        {
            "type": "user",
            "sessionId": "s1",
            "timestamp": "2026-03-01T10:00:00Z",
            "message": {"content": "Add x"},
        },
        {
            "type": "assistant",
            "sessionId": "s1",
            "timestamp": "2026-03-01T10:00:05Z",
            "message": {
                "id": "m1",
                "model": "claude-sonnet-4-5-20250929",
                "stop_reason": "end_turn",
                "usage": use,
                "content": [{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}],
            },
        },
        {
            "type": "user",
            "sessionId": "s1",
            "timestamp": "2026-03-01T10:00:06Z",
            "message": {"content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True}]},
        },
    )
    return gemini, codex, transcript


def _lines(file: Path) -> tuple[Any, ...] | None:
    try:
        found = [json.loads(line) for line in file.read_bytes().splitlines()[:40]]
    except ValueError:
        return None
    return tuple(found) if found and file.stat().st_size < 60_000 else None


def _whole(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except ValueError:
        return False
