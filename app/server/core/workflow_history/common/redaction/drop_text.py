"""What stays of a run whose texts are not to be kept: a workflow dict in, one without free text out. Pure.

Ids, names, numbers, times and the paths of files stay. A name is one word: a state file may hold a sentence
where a status or a phase is expected. What nobody knows the meaning of stays where it is no text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

TEXT_FIELDS: Final = "text_kept"
"""The key that says False of a run whose texts were not kept."""

TEXT_SCORES: Final = ("nl_input", "error_message", "branch_name", "plan_file", "status_reason")
"""Texts of a run. A branch and a plan's file are called by the words of the request."""

_NAMES: Final = ("status", "current_phase", "issue_class", "issue_number", "workflow_template", "model_used")
_OURS: Final = frozenset({
    "id", "project", "adw_id", "nl_input_source", "created_at", "started_at", "completed_at", "times_basis",
    "duration_basis", "bottleneck_phase", "price_version", "agents_dir", "source_state", "gone_at",
    "fingerprint", "file_times", "first_seen_at", "last_changed_at", "score_parts", "phase_durations",
    "cost_basis", "cost_data", "phase_costs", "similar_workflows", "times_source", "duration_source",
    "agents_without_stream", "files_folder", "phases_without_stream", "patterns", "problems", *_NAMES,
})  # fmt: skip
"""What is made here, and tells how a figure came to be: no text of a file's."""

_OF_FILES: Final = frozenset({"phase", "agent", "path", "duplicate_of"})
"""What an agent's folder is called, and where its files are."""

_NAME: Final = re.compile(r"[\w./:@+#-]{1,100}")
_WORKING_TOOLS: Final = re.compile(r"(?:[A-Z][A-Za-z]{1,30}|mcp__[\w-]{1,100})")
_BETWEEN: Final = " → "


def strip_texts(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workflow without its texts, marked as such.

    >>> strip_texts({"id": "a1", "nl_input": "Add x", "port": 9100, "tree": "/home/me", "status": "failed"})
    {'id': 'a1', 'port': 9100, 'status': 'failed', 'text_kept': False}
    """
    kept = {
        key: value
        for key, value in workflow.items()
        if key not in TEXT_SCORES and (key in _OURS or not _holds_text(value))
    }
    for key in _NAMES:
        if isinstance(value := kept.get(key), str) and not _NAME.fullmatch(value):
            kept[key] = "unknown" if key == "status" else None
    for key in ("cost_data", "phase_costs"):
        if key in kept:
            kept[key] = _of_costs(kept[key])
    return {**kept, TEXT_FIELDS: False}


def strip_agent_texts(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an agent run, or one model's part of it, without what was said.

    >>> strip_agent_texts({"agent": "builder", "cost": 0.5, "error": "no such file", "turns": 3})
    {'agent': 'builder', 'cost': 0.5, 'turns': 3}
    """
    return dict(_of_costs(entry))


def names_alone(value: Any) -> Any:
    """Return a value with an empty text in the place of each that is no name.

    >>> names_alone({"model": "claude-opus-4-1", "session": "add a login"})
    {'model': 'claude-opus-4-1', 'session': ''}
    """
    if isinstance(value, str):
        return value if _NAME.fullmatch(value) else ""
    if isinstance(value, Mapping):
        return {key: names_alone(item) for key, item in value.items()}
    return [names_alone(item) for item in value] if isinstance(value, list | tuple) else value


def _holds_text(value: Any) -> bool:
    return not (value is None or isinstance(value, bool | int | float))


def _of_costs(value: Any) -> Any:
    """Return costs, or a list of agents or models, without what was said in them."""
    if isinstance(value, Mapping):
        return {key: _of_cost(key, item) for key, item in value.items() if key != "error"}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_of_costs(entry) for entry in value]
    return None


def _of_cost(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return value if key in _OF_FILES or _NAME.fullmatch(value) else None
    return _of_costs(value) if _holds_text(value) else value


def strip_quotes(reason: str) -> str:
    """Return what is wrong with a file without the words of the file that it quotes.

    >>> strip_quotes("the state says id 'add a login'; the folder's name is the key")
    "the state says id '…'; the folder's name is the key"
    """
    return re.sub(r"(?<!\w)'[^']*'|\"[^\"]*\"", "'…'", reason)


def has_no_text(kind: str, signature: str) -> bool:
    """Return whether a pattern names phases or an agent's own tools alone, and no command that was typed.

    >>> has_no_text("sequence", "Read → Edit"), has_no_text("operation", "git commit")
    (True, False)
    """
    if kind == "phases":
        return True
    parts = signature.split(_BETWEEN)
    return kind in ("operation", "sequence") and all(map(_WORKING_TOOLS.fullmatch, parts))
