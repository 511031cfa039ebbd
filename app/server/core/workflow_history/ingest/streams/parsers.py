"""All parsers of streams, by the dialect of the stream."""

from __future__ import annotations

from .claude import ClaudeParser
from .codex import CodexParser
from .codex_session import CodexSessionParser
from .copilot_session import CopilotSessionParser
from .cursor import CursorParser
from .gemini import GeminiParser
from .gemini_chat import GeminiChatParser
from .opencode import OpencodeParser
from .opencode_session import OpencodeSessionParser

StreamParser = (
    ClaudeParser
    | GeminiParser
    | GeminiChatParser
    | CodexParser
    | CodexSessionParser
    | CursorParser
    | OpencodeParser
    | OpencodeSessionParser
    | CopilotSessionParser
)

PARSERS: dict[str, type[StreamParser]] = {
    "claude": ClaudeParser,
    "gemini": GeminiParser,
    "gemini_chat": GeminiChatParser,
    "codex": CodexParser,
    "cursor": CursorParser,
    "opencode": OpencodeParser,
    "opencode_session": OpencodeSessionParser,
    "codex_session": CodexSessionParser,
    "copilot_session": CopilotSessionParser,
}
"""Parsers by the dialect that `Sniffer` detects."""
