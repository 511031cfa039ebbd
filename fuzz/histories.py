"""Make and set the history that a target asks: a folder in, a history of demo runs in use out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from app.server.core.workflow_history import demo, sync

from .seeds import END

BUDGETS = "[budget]\nday = 40.0\n"
_MADE: dict[int, Path] = {}  # by the number of runs


def use(folder: Path) -> Path:
    """Have the program use a history, settings and a home in a folder; return the history's file."""
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        os.environ[name] = str(folder)
    file = folder / "history.db"
    os.environ["WORKFLOW_HISTORY_DB"] = str(file)
    (folder / "budgets.toml").write_text(BUDGETS)
    os.environ["WORKFLOW_HISTORY_CONFIG"] = str(folder / "budgets.toml")
    return file


def make(folder: Path, runs: int = 40) -> Path:
    """Fill such a history with a demo, or copy it from where this process did that before."""
    file = use(folder)
    if before := _MADE.get(runs):
        shutil.copy(before, file)
        return file
    _MADE[runs] = file
    demo.make_agents_folder(folder / "shop" / "agents", runs=runs, end=END, stream_kb=12)
    sync.sync_workflow_history(silent=True, agents_dir=folder / "shop" / "agents")
    return file
