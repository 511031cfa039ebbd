"""Sessions of opencode: a SQLite database with all of them, or the JSON files that were used before.

A run is a session with the sessions of its subagents. After a migration, a session of the database is not
read again from the JSON files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from ..files.opencode_store import OpencodeSession, list_sessions
from ..runs.folder_walk import FolderScan
from ..runs.records import RunFolder, ScannedFile
from .projects import project_of
from .source import Source

_DATABASES: Final = "opencode*.db"
_JSON_STORE: Final = "storage"
_UNKNOWN_PROJECT: Final = "opencode"


def _places(environment: Mapping[str, str], home: Path) -> list[Path]:
    data_home = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    return [data_home / "opencode"]


def _stores(root: Path) -> list[Path]:
    """Return the databases in a directory, then the JSON store, as the older one."""
    databases = sorted(path for path in root.glob(_DATABASES) if path.is_file())
    json_store = root / _JSON_STORE
    return [*databases, *([json_store] if (json_store / "session").is_dir() else ())]


def _find_runs(walk: FolderScan) -> Iterator[RunFolder]:
    sessions: dict[str, tuple[str, OpencodeSession]] = {}
    for store in _stores(Path(str(walk.root))):
        try:
            for session in list_sessions(store):
                sessions.setdefault(session.id, (store.name, session))
        except OSError as error:
            walk.add_problem(store.name, error)
    files: dict[str, list[ScannedFile]] = {}
    for session_id, (store_name, session) in sorted(sessions.items()):
        name = f"{session_id}.jsonl"
        # The number of messages stands for the size, which is known only when the session is read.
        stat = (session.messages, session.updated_ms * 1_000_000, 0, 0)
        file = ScannedFile(name, f"{store_name}/{name}", session.address, *stat)
        files.setdefault(_root_of(session_id, sessions), []).append(file)
    for session_id, own_files in files.items():
        store_name, session = sessions[session_id]
        project = project_of(session.folder) if session.folder else ""
        folder = str(Path(str(walk.root), store_name))
        yield RunFolder(session_id, folder, tuple(own_files), project=project or _UNKNOWN_PROJECT)


def _root_of(session_id: str, sessions: Mapping[str, tuple[str, OpencodeSession]]) -> str:
    """Return the session at the top of a subagent's session, as far as the sessions are known."""
    seen = {session_id}
    while (parent := sessions[session_id][1].parent) in sessions and parent not in seen:
        session_id = str(parent)
        seen.add(session_id)
    return session_id


SOURCE: Final = Source("opencode", "opencode", _places, "", lambda root: bool(_stores(root)), _find_runs)
