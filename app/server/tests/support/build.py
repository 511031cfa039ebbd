"""Build run directories and transcripts."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

SONNET = "claude-sonnet-4-5-20250929"
OPUS = "claude-opus-4-5-20251101"
HAIKU = "claude-haiku-4-5-20251001"


def line(**fields: Any) -> str:
    """Return one stream line as JSON with spaces, like real ones."""
    return json.dumps(fields)


def init(session: str = "session-1", model: str = SONNET) -> str:
    return line(
        type="system", subtype="init", session_id=session, model=model, tools=["Bash"], uuid=f"init-{session}"
    )


def usage(**tokens: Any) -> dict[str, Any]:
    names = {
        "input": "input_tokens",
        "output": "output_tokens",
        "read": "cache_read_input_tokens",
        "write": "cache_creation_input_tokens",
    }
    counts: dict[str, Any] = {names[name]: value for name, value in tokens.items() if name in names}
    if "five_minutes" in tokens or "one_hour" in tokens:
        five, hour = tokens.get("five_minutes", 0), tokens.get("one_hour", 0)
        counts["cache_creation_input_tokens"] = five + hour
        counts["cache_creation"] = {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour}
    if "searches" in tokens:
        counts["server_tool_use"] = {"web_search_requests": tokens["searches"]}
    return counts


def assistant(
    message_id: str,
    spent: dict[str, Any] | None = None,
    *,
    model: str = SONNET,
    session: str = "session-1",
    content: list[dict[str, Any]] | None = None,
    **more: Any,
) -> str:
    message = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content if content is not None else [{"type": "text", "text": "Working on it."}],
        "stop_reason": None,
        "usage": spent or usage(input=3, output=1),
    }
    return line(type="assistant", message=message, parent_tool_use_id=None, session_id=session, **more)


def tool_use(tool_id: str, name: str = "Bash", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": tool_id, "name": name, "input": given}


def tool_result(tool_id: str, *, is_error: bool = False, text: str = "ok", session: str = "session-1") -> str:
    block = {"tool_use_id": tool_id, "type": "tool_result", "content": text, "is_error": is_error}
    return line(type="user", message={"role": "user", "content": [block]}, session_id=session)


def result(cost: float | None = 0.25, *, model: str = SONNET, session: str = "session-1", **more: Any) -> str:
    tokens = {
        "inputTokens": 10,
        "outputTokens": 400,
        "cacheReadInputTokens": 30000,
        "cacheCreationInputTokens": 2000,
    }
    fields: dict[str, Any] = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "duration_ms": 60000,
        "duration_api_ms": 50000,
        "num_turns": 3,
        "result": "done",
        "session_id": session,
        "total_cost_usd": cost,
        "usage": usage(input=10, output=400, read=30000, write=2000),
        "modelUsage": {model: {**tokens, "webSearchRequests": 0, "costUSD": cost, "contextWindow": 200000}},
        "permission_denials": [],
    }
    return json.dumps(fields | more)


def stream(
    run: Path, agent: str, *lines: str, name: str = "raw_output.jsonl", at: datetime | None = None
) -> Path:
    """Write an agent's stream; set its modification time to `at` if given."""
    file = run / agent / name if agent else run / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{text}\n" for text in lines))
    if at is not None:
        os.utime(file, (at.timestamp(), at.timestamp()))
    return file


def prompt(run: Path, agent: str, text: str, name: str = "prompt.txt") -> Path:
    file = run / agent / "prompts" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def run(agents: Path, run_id: str, state: dict[str, Any] | None = None) -> Path:
    """Create a run's directory, with a state file if a state is given."""
    folder = agents / run_id
    folder.mkdir(parents=True, exist_ok=True)
    if state is not None:
        (folder / "adw_state.json").write_text(json.dumps(state))
    return folder


PLACES = ("request", "error", "state", "branch", "tool output", "result")
"""Parts of a run that can contain a text."""


def run_with_texts(agents: Path, run_id: str, text: dict[str, str], **state: Any) -> Path:
    """Write a failed run with a text in each of PLACES; `state` contains those of state and branch."""
    folder = run(agents, run_id, {
        "adw_id": run_id, "nl_input": f"Add a login. {text['request']}", "status": "failed",
        "error_message": text["error"], **state,
    })  # fmt: skip
    return stream(
        folder,
        "builder",
        init(),
        assistant("m1", content=[tool_use("t1", command=f"echo {text['tool output']}")]),
        tool_result("t1", text=text["tool output"], is_error=True),
        result(is_error=True, subtype="error", result=text["result"]),
    )
