"""Build the JSON lines of a Claude Code stream: values in, one dict per line out. Nothing is written.

Ids come from the random source of the stream, so equal seeds give equal lines.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from ..common.models import TokenUsage

Line = dict[str, Any]

PROJECT_PATH = "/home/dev/projects/stockroom"
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789"
_TOOL_NAMES = (
    "Task TaskOutput Bash Glob Grep ExitPlanMode Read Edit Write NotebookEdit WebFetch TodoWrite WebSearch "
    "KillShell AskUserQuestion Skill EnterPlanMode"
)
_SLASH_COMMANDS = (
    "classify_issue generate_branch_name feature bug chore patch implement test review document commit "
    "pull_request resolve_failed_test prime tools compact context cost init"
)


@dataclass(frozen=True, slots=True)
class Session:
    """Values that all lines of one stream share."""

    source: Random
    model: str
    session_id: str
    compact: bool  # without spaces after separators, as the CLI writes; otherwise as json.dumps does

    def uuid(self) -> str:
        """Return the next random UUID."""
        return random_uuid(self.source)

    def short_id(self, prefix: str) -> str:
        """Return the next id of a message or tool call."""
        return f"{prefix}_01{''.join(self.source.choices(_ALPHABET, k=22))}"

    def encode(self, line: Line) -> str:
        """Encode `line` as one line of text, including its line feed."""
        if self.compact:
            return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
        return json.dumps(line) + "\n"


def random_uuid(source: Random) -> str:
    """Return a version 4 UUID from `source`."""
    digits = f"{source.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def hook_line(session: Session) -> Line:
    """Return the response line of a session-start hook, which can come before init."""
    return {
        "type": "system",
        "subtype": "hook_response",
        "session_id": session.session_id,
        "uuid": session.uuid(),
        "hook_name": "SessionStart:startup",
        "hook_event": "SessionStart",
        "stdout": "",
        "stderr": "",
        "exit_code": 0,
    }


def init_line(session: Session) -> Line:
    """Return the system line that opens a session."""
    return {
        "type": "system",
        "subtype": "init",
        "cwd": PROJECT_PATH,
        "session_id": session.session_id,
        "tools": _TOOL_NAMES.split(),
        "mcp_servers": [{"name": "playwright", "status": "connected"}],
        "model": session.model,
        "permissionMode": "bypassPermissions",
        "slash_commands": _SLASH_COMMANDS.split(),
        "apiKeySource": "ANTHROPIC_API_KEY",
        "claude_code_version": "2.1.9",
        "output_style": "default",
        "agents": ["general-purpose", "Explore", "Plan"],
        "skills": [],
        "plugins": [],
        "uuid": session.uuid(),
    }


def assistant_line(session: Session, message_id: str, content: Line, usage: TokenUsage) -> Line:
    """Return one line of a message; a message of several parts takes several lines with one id."""
    return {
        "type": "assistant",
        "message": {
            "model": session.model,
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "content": [content],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**_usage_fields(usage), "service_tier": "standard"},
            "context_management": None,
        },
        "parent_tool_use_id": None,
        "session_id": session.session_id,
        "uuid": session.uuid(),
    }


def tool_result_line(session: Session, content: Line, details: Any) -> Line:
    """Return the user line with a tool result; `details` is the CLI's own record of it."""
    return {
        "type": "user",
        "message": {"role": "user", "content": [content]},
        "parent_tool_use_id": None,
        "session_id": session.session_id,
        "uuid": session.uuid(),
        "tool_use_result": details,
    }


@dataclass(frozen=True, slots=True)
class Totals:
    """Values that a result line reports."""

    models: Mapping[str, tuple[TokenUsage, Decimal]]  # cumulative usage and US dollars, by model
    main_usage: TokenUsage  # usage of the main thread in this segment only
    duration_ms: int  # milliseconds
    turns: int  # number of turns
    text: str  # final text
    is_error: bool = False  # whether the session ended with an error

    @property
    def cost(self) -> Decimal:
        """Total cost of all models, US dollars."""
        return sum((cost for _, cost in self.models.values()), Decimal())


def result_line(session: Session, totals: Totals) -> Line:
    """Return the last line of a session that was not interrupted."""
    return {
        "type": "result",
        "subtype": "success",
        "is_error": totals.is_error,
        "duration_ms": totals.duration_ms,
        "duration_api_ms": totals.duration_ms * 94 // 100,
        "num_turns": totals.turns,
        "result": totals.text,
        "session_id": session.session_id,
        "total_cost_usd": float(totals.cost),
        "usage": {
            **_usage_fields(totals.main_usage),
            "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
            "service_tier": "standard",
        },
        "modelUsage": {model: _model_usage(*spent) for model, spent in totals.models.items()},
        "permission_denials": [],
        "uuid": session.uuid(),
    }


def text_content(text: str) -> Line:
    """Return the content part for plain text."""
    return {"type": "text", "text": text}


def tool_content(tool_id: str, name: str, arguments: Line) -> Line:
    """Return the content part for a tool call."""
    return {"type": "tool_use", "id": tool_id, "name": name, "input": arguments}


def tool_result_content(tool_id: str, content: str | Sequence[Line], *, failed: bool | None = None) -> Line:
    """Return the content part for a tool's result; `failed` None leaves is_error out, as most tools do."""
    part: Line = {"tool_use_id": tool_id, "type": "tool_result", "content": content}
    if failed is not None:
        part["is_error"] = failed
    return part


def _usage_fields(usage: TokenUsage) -> Line:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output,
    }


def _model_usage(usage: TokenUsage, cost: Decimal) -> Line:
    return {
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "cacheReadInputTokens": usage.cache_read,
        "cacheCreationInputTokens": usage.cache_write,
        "webSearchRequests": usage.web_searches,
        "costUSD": float(cost),
        "contextWindow": 200000,
        "maxOutputTokens": 64000,
    }
