"""Remove free text from runs for the metadata-only mode: workflow dict in, workflow dict out. Pure.

Ids, names, numbers, times and file paths are kept. A name is a single word, because a state file may contain
a sentence in place of a status or phase. Unknown fields are kept only if they are not text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..models import PatternKind, RunStatus

TEXT_FIELDS: Final = "text_kept"
"""Key that is False on a run stored without its texts."""

_TEXT_KEYS: Final = ("nl_input", "error_message", "branch_name", "plan_file", "status_reason")
"""Text fields of a run. Branch and plan file are named after words of the request."""

_NAME_KEYS: Final = (
    "status",
    "current_phase",
    "issue_class",
    "issue_number",
    "workflow_template",
    "model_used",
    "pull_request",
)
_KEPT_KEYS: Final = frozenset({
    "id", "project", "adw_id", "nl_input_source", "created_at", "started_at", "completed_at", "times_basis",
    "duration_basis", "bottleneck_phase", "price_version", "agents_dir", "source_state", "missing_since",
    "fingerprint", "file_times", "first_seen_at", "last_changed_at", "score_parts", "phase_durations",
    "cost_basis", "cost_data", "phase_costs", "similar_workflows", "times_source", "duration_source",
    "agents_without_stream", "files_folder", "phases_without_stream", "patterns", "problems", *_NAME_KEYS,
})  # fmt: skip
"""Fields that this package computes or that are not free text from files."""

_PATH_KEYS: Final = frozenset({"phase", "agent", "path", "duplicate_of"})
"""Fields with the name of an agent's directory or the paths of its files."""

_NAME_PATTERN: Final = re.compile(r"[\w./:@+#-]{1,100}")
_TOOL_NAME: Final = re.compile(r"(?:[A-Z][A-Za-z]{1,30}|mcp__[\w-]{1,100})")
_STEP_SEPARATOR: Final = " → "


def strip_texts(workflow: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workflow without its texts, marked by `text_kept`.

    >>> strip_texts({"id": "a1", "nl_input": "Add x", "port": 9100, "tree": "/home/me", "status": "failed"})
    {'id': 'a1', 'port': 9100, 'status': 'failed', 'text_kept': False}
    """
    stripped = {
        key: value
        for key, value in workflow.items()
        if key not in _TEXT_KEYS and (key in _KEPT_KEYS or not _may_contain_text(value))
    }
    for key in _NAME_KEYS:
        if isinstance(value := stripped.get(key), str) and not _NAME_PATTERN.fullmatch(value):
            stripped[key] = RunStatus.UNKNOWN.value if key == "status" else None
    for key in ("cost_data", "phase_costs"):
        if key in stripped:
            stripped[key] = _strip_costs(stripped[key])
    return {**stripped, TEXT_FIELDS: False}


def strip_agent_texts(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an agent run, or one model's share of it, without error messages and free text.

    >>> strip_agent_texts({"agent": "builder", "cost": 0.5, "error": "no such file", "turns": 3})
    {'agent': 'builder', 'cost': 0.5, 'turns': 3}
    """
    return dict(_strip_costs(entry))


def keep_only_names(value: Any) -> Any:
    """Replace each text in a value that is not a name by an empty text.

    >>> keep_only_names({"model": "claude-opus-4-1", "session": "add a login"})
    {'model': 'claude-opus-4-1', 'session': ''}
    """
    if isinstance(value, str):
        return value if _NAME_PATTERN.fullmatch(value) else ""
    if isinstance(value, Mapping):
        return {key: keep_only_names(item) for key, item in value.items()}
    return [keep_only_names(item) for item in value] if isinstance(value, list | tuple) else value


def _may_contain_text(value: Any) -> bool:
    return not (value is None or isinstance(value, bool | int | float))


def _strip_costs(value: Any) -> Any:
    """Return costs, or a list of agents or models, without error messages and free text."""
    if isinstance(value, Mapping):
        return {key: _strip_cost_field(key, item) for key, item in value.items() if key != "error"}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_strip_costs(entry) for entry in value]
    return None


def _strip_cost_field(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return value if key in _PATH_KEYS or _NAME_PATTERN.fullmatch(value) else None
    return _strip_costs(value) if _may_contain_text(value) else value


def strip_quotes(reason: str) -> str:
    """Remove quoted words of a file from the description of a problem.

    >>> strip_quotes("the state says id 'add a login'; the folder's name is the key")
    "the state says id '…'; the folder's name is the key"
    """
    return re.sub(r"(?<!\w)'[^']*'|\"[^\"]*\"", "'…'", reason)


def has_no_text(kind: str, signature: str) -> bool:
    """Return whether a pattern consists only of phases or of an agent's own tools, without typed commands.

    >>> has_no_text("sequence", "Read → Edit"), has_no_text("operation", "git commit")
    (True, False)
    """
    if kind == PatternKind.PHASES:
        return True
    parts = signature.split(_STEP_SEPARATOR)
    return kind in (PatternKind.OPERATION, PatternKind.SEQUENCE) and all(map(_TOOL_NAME.fullmatch, parts))
