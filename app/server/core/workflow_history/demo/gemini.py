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
        {"type": "init", "timestamp": _timestamp(started), "session_id": session, "model": "gemini-2.5-pro"},
        _message_line(started, "user", f"Review the work on: {request.title}"),
    ]
    for turn in range(calls):
        lines += _tool_call_lines(source, started + step * (turn + 1), turn)
    ended = started + timedelta(seconds=seconds)
    lines += [
        _message_line(ended, "assistant", "No findings, the change follows the plan."),
        _result_line(source, ended, seconds, calls),
    ]
    warning = "YOLO mode is enabled. All tool calls will be automatically approved."
    return "\n".join([warning, *(json.dumps(line) for line in lines)]) + "\n"


def _tool_call_lines(source: Random, moment: datetime, turn: int) -> list[dict[str, Any]]:
    tool_id = f"read_file-{int(moment.timestamp() * 1000)}-{turn}"
    tool_use = {
        "type": "tool_use",
        "timestamp": _timestamp(moment),
        "tool_name": "read_file",
        "tool_id": tool_id,
        "parameters": {"file_path": "README.md"},
    }
    tool_result = {
        "type": "tool_result",
        "timestamp": _timestamp(moment),
        "tool_id": tool_id,
        "status": "success",
        "output": generate_text(source, "code", 900),
    }
    return [tool_use, tool_result]


def _message_line(moment: datetime, role: str, text: str) -> dict[str, Any]:
    return {"type": "message", "timestamp": _timestamp(moment), "role": role, "content": text}


def _result_line(source: Random, moment: datetime, seconds: float, calls: int) -> dict[str, Any]:
    input_tokens, output_tokens = source.randint(30_000, 60_000), source.randint(600, 1_500)
    stats = {
        "total_tokens": input_tokens + output_tokens,
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cached": input_tokens // 2,
        "input": input_tokens - input_tokens // 2,
        "duration_ms": round(seconds * 1000),
        "tool_calls": calls,
    }
    return {"type": "result", "timestamp": _timestamp(moment), "status": "success", "stats": stats}


def _timestamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
