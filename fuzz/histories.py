"""Create a history of demo runs for a target and make the program use it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from app.server.core.workflow_history import demo, sync

from .seeds import END

BUDGETS = "[budget]\nday = 40.0\n"
_MADE: dict[int, Path] = {}  # history files made by this process, by number of runs


def use(folder: Path) -> Path:
    """Point the program's history, config file and home to `folder`; return the history file."""
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        os.environ[name] = str(folder)
    file = folder / "history.db"
    os.environ["WORKFLOW_HISTORY_DB"] = str(file)
    (folder / "budgets.toml").write_text(BUDGETS)
    os.environ["WORKFLOW_HISTORY_CONFIG"] = str(folder / "budgets.toml")
    return file


def make(folder: Path, runs: int = 40) -> Path:
    """Create a history with demo runs, or copy the one that this process made before; return its file."""
    file = use(folder)
    if before := _MADE.get(runs):
        shutil.copy(before, file)
        return file
    _MADE[runs] = file
    demo.make_agents_folder(folder / "shop" / "agents", runs=runs, end=END, stream_kb=12)
    sync.sync_workflow_history(silent=True, agents_dir=folder / "shop" / "agents")
    return file
