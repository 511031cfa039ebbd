"""Generate the stream of another CLI, Gemini's: a request and times in, text out. It contains no cost."""

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from .filler import generate_text
from .lines import random_uuid
from .tasks import Request


def gemini_stream(source: Random, request: Request, started: datetime, seconds: float) -> str:
    """Return a session of `seconds` that reviews `request`; its first line is plain text, not JSON."""
    calls = source.randint(3, 5)
    step = timedelta(seconds=seconds / (calls + 2))
    session = random_uuid(source)
    lines: list[dict[str, Any]] = [
        {"type": "init", "timestamp": _stamp(started), "session_id": session, "model": "gemini-2.5-pro"},
        _message(started, "user", f"Review the work on: {request.title}"),
    ]
    for turn in range(calls):
        lines += _call(source, started + step * (turn + 1), turn)
    ended = started + timedelta(seconds=seconds)
    lines += [
        _message(ended, "assistant", "No findings, the change follows the plan."),
        _result(source, ended, seconds, calls),
    ]
    warning = "YOLO mode is enabled. All tool calls will be automatically approved."
    return "\n".join([warning, *(json.dumps(line) for line in lines)]) + "\n"


def _call(source: Random, moment: datetime, turn: int) -> list[dict[str, Any]]:
    name = f"read_file-{int(moment.timestamp() * 1000)}-{turn}"
    called = {
        "type": "tool_use",
        "timestamp": _stamp(moment),
        "tool_name": "read_file",
        "tool_id": name,
        "parameters": {"file_path": "README.md"},
    }
    answered = {
        "type": "tool_result",
        "timestamp": _stamp(moment),
        "tool_id": name,
        "status": "success",
        "output": generate_text(source, "code", 900),
    }
    return [called, answered]


def _message(moment: datetime, role: str, text: str) -> dict[str, Any]:
    return {"type": "message", "timestamp": _stamp(moment), "role": role, "content": text}


def _result(source: Random, moment: datetime, seconds: float, calls: int) -> dict[str, Any]:
    prompt, answer = source.randint(30_000, 60_000), source.randint(600, 1_500)
    stats = {
        "total_tokens": prompt + answer,
        "input_tokens": prompt,
        "output_tokens": answer,
        "cached": prompt // 2,
        "input": prompt - prompt // 2,
        "duration_ms": round(seconds * 1000),
        "tool_calls": calls,
    }
    return {"type": "result", "timestamp": _stamp(moment), "status": "success", "stats": stats}


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
