"""How to resume a session: a stored run in, the path of its transcript and a shell command out. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any, Final

from .models import SESSION_FORMATS, SourceState, StreamFormat
from .urls import files_folder, is_url, join_url

Run = Mapping[str, Any]

_COMMANDS: Final[Mapping[str, str]] = {
    StreamFormat.CLAUDE_TRANSCRIPT: "claude --resume",
    StreamFormat.CODEX_SESSION: "codex resume",
    StreamFormat.GEMINI_CHAT: "gemini --resume",
    StreamFormat.COPILOT_SESSION: "copilot --resume",
    StreamFormat.OPENCODE_SESSION: "opencode --session",
}
"""Command that resumes a session by its id."""

_ID: Final = re.compile(r"\w[\w.-]*")


def resume_command(run: Run) -> str | None:
    """Return the shell command that resumes a session; None if the run is no session with its files here.

    It changes to the working directory first, as most programs find only the sessions of the current one.
    """
    transcript, folder = _main_transcript(run), run.get("working_directory")
    session = None if transcript is None else transcript.get("session_id")
    if transcript is None or not isinstance(session, str) or not _ID.fullmatch(session):
        return None
    if run.get("source_state") != SourceState.PRESENT or is_url(str(run.get("agents_dir") or "")):
        return None
    command = f"{_COMMANDS[transcript['format']]} {session}"
    is_known = isinstance(folder, str) and bool(folder)
    return f"cd {shlex.quote(str(folder))} && {command}" if is_known else command


def transcript_path(run: Run) -> str | None:
    """Return the full path of a session's transcript, or of the database that has it; None for other runs."""
    transcript, root = _main_transcript(run), run.get("agents_dir")
    if transcript is None or not root:
        return None
    path = transcript.get("path") if transcript["format"] != StreamFormat.OPENCODE_SESSION else ""
    return join_url(str(root), files_folder(run), str(path or ""))


def _main_transcript(run: Run) -> Run | None:
    """Return the agent run of the session itself, not of a subagent or of a former attempt."""
    session = str(run.get("id")).rpartition("/")[2]
    for agent in run.get("phase_costs") or ():
        is_own = agent.get("session_id") == session and "subagents" not in str(agent.get("path")).split("/")
        if is_own and agent.get("format") in SESSION_FORMATS and not agent.get("superseded"):
            return dict(agent)
    return None
