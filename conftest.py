"""Give every test of this tree a history, an agents folder and a home of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Many tests start the program in a process of its own: without stored bytecode, as containers often set it,
# each of them, and each worker of the suite, would compile all of the program and its libraries.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.register_profile("house", deadline=None)  # a busy machine is no failure
settings.load_profile("house")


@pytest.fixture(autouse=True)
def own_surroundings(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No test sees another's database, or anything of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "history.db"))
    monkeypatch.setenv("WORKFLOW_HISTORY_AGENTS", str(tmp_path / "agents"))
    for name in ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
