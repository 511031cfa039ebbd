"""Phase 1, scan: an agents folder in, workflow dicts out; the contract's names for it. Never writes there."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path

from .models import Workflow
from .scanning import Scan, read_one, scan
from .scanning.walk import STATE_FILE

_DEFAULT = Path(os.environ.get("WORKFLOW_HISTORY_AGENTS") or "agents")

AGENTS_DIR: Path | str = _DEFAULT
"""The agents folder. A patched value wins; else the environment's WORKFLOW_HISTORY_AGENTS, else `agents`."""

_SCRIPTS_FOLDER = re.compile(r"\.?adws?(?:[-_]\w+)?", re.IGNORECASE)

__all__ = [
    "AGENTS_DIR",
    "Scan",
    "agents_dir",
    "agents_folders_of",
    "parse_workflow_directory",
    "project_of",
    "scan",
    "scan_agents_directory",
    "validate_workflow_data",
]


def agents_dir() -> Path:
    """Return the agents folder to scan, read at call time."""
    if AGENTS_DIR is not _DEFAULT:
        return Path(AGENTS_DIR)
    return Path(os.environ.get("WORKFLOW_HISTORY_AGENTS") or "agents")


def agents_folders_of(path: Path) -> list[Path]:
    """Return the agents folders that a path means: itself, or those inside a project's folder, if any."""
    if path.name == "agents":
        return [path]
    candidates = [path / "agents", path / "adws" / "agents", *sorted(path.glob("adws-*/agents"))]
    return [folder for folder in candidates if folder.is_dir()] or [path]


def project_of(agents: Path) -> str:
    """Return the project of an agents folder: the folder that holds it; its own name if it is no `agents`.

    >>> project_of(Path("/home/me/shop/adws/agents")), project_of(Path("/archive/shop-2025"))
    ('shop', 'shop-2025')
    """
    folder = agents if agents.is_absolute() else agents.absolute()
    if folder.name != "agents":
        return folder.name
    parent = folder.parent
    return (parent.parent if _SCRIPTS_FOLDER.fullmatch(parent.name) else parent).name


def scan_agents_directory() -> list[Workflow]:
    """Return every run below AGENTS_DIR; an agents folder that does not exist holds none."""
    root = agents_dir()
    if not root.exists():
        return []
    return [run.workflow for run in scan(root, datetime.now(UTC)).runs]


def parse_workflow_directory(path: Path | str) -> Workflow | None:
    """Return the run in one folder of an agents folder, or None where it holds none."""
    folder = Path(path)
    run = read_one(folder.parent, folder.name, datetime.now(UTC)) if folder.is_dir() else None
    return run.workflow if run is not None else None


def validate_workflow_data(workflow: Workflow) -> bool:
    """Tell whether a workflow dict can be stored: it has an id that is text and no path out of its folder.

    >>> validate_workflow_data({"id": "a1b2c3d4"}), validate_workflow_data({"status": "completed"})
    (True, False)
    """
    given = workflow.get("id") if isinstance(workflow, dict) else None
    return isinstance(given, str) and bool(given.strip()) and given != STATE_FILE and "\0" not in given
