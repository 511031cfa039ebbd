"""Native transcripts of Claude Code, as it writes them to a store of sessions."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

BEGAN = datetime(2026, 7, 1, 9, tzinfo=UTC)
OPUS = "claude-opus-4-5-20251101"


def at(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


class Session:
    """Lines of one session, which is written to `<store>/<slug>/<id>.jsonl`."""

    def __init__(self, session: str, cwd: str = "/nowhere/shop", **common: Any) -> None:
        self.id, self.cwd = session, cwd
        self.common = {"sessionId": session, "cwd": cwd, "version": "2.1.220", "gitBranch": "main", **common}
        self.lines: list[dict[str, Any]] = []

    def says(self, text: str, seconds: float = 0, **more: Any) -> Session:
        content = {"role": "user", "content": text}
        return self.line(type="user", message=content, uuid=f"u{seconds}", timestamp=at(seconds), **more)

    def answers(
        self,
        message: str = "m1",
        seconds: float = 5,
        *,
        stop: str | None = "end_turn",
        block: dict[str, Any] | None = None,
        usage: dict[str, Any] | None = None,
        model: str = OPUS,
        **more: Any,
    ) -> Session:
        said = {
            "model": model,
            "id": message,
            "type": "message",
            "role": "assistant",
            "content": [block or {"type": "text", "text": "Done."}],
            "stop_reason": stop,
            "usage": usage or {"input_tokens": 1_000, "output_tokens": 1_000},
        }
        return self.line(type="assistant", message=said, uuid=f"a{seconds}", timestamp=at(seconds), **more)

    def line(self, **fields: Any) -> Session:
        self.lines.append({**self.common, **fields})
        return self

    def write(self, store: Path) -> Path:
        return self.write_to(store / self.cwd.replace("/", "-") / f"{self.id}.jsonl")

    def write_to(self, file: Path) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(line) + "\n" for line in self.lines))
        return file


def session_id(number: int) -> str:
    return f"{number:08d}-aaaa-4bbb-8ccc-111111111111"


def subagent(store: Path, parent: Session, name: str, message: str, *, below: str = "subagents") -> Path:
    """Write the transcript of a subagent below its session's directory."""
    own = Session(parent.id, parent.cwd, isSidechain=True, agentId=name)
    own.says("Look at the orders", 6).answers(message, 9)
    slug = parent.cwd.replace("/", "-")
    return own.write_to(store / slug / parent.id / below / f"agent-{name}.jsonl")
