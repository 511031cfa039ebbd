"""Present the sessions of opencode's store as files of JSON lines. Never writes.

opencode keeps its sessions in a SQLite database, and before version 1.2 in many small JSON files. Both give
the same lines: the session, its details that change, and one line per message with its tool calls and texts.
The address of a session is `opencode:///path/opencode.db#ses_1`, or with the path of the `storage` directory.
"""

from __future__ import annotations

import io
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from glob import escape
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol
from urllib.parse import quote, unquote

import msgspec

from .file_stat import RemoteStatus
from .open_local import open_no_follow

_SCHEME = "opencode://"
LOCK_TIMEOUT = 2.0  # seconds to wait for a locked database
_MAX_MS = 4_102_444_800_000  # milliseconds from 1970 to 2100
_MAX_TEXT = 4_000  # characters kept of an argument of a tool, and of a text of the agent

_MESSAGE_FIELDS = (
    "role", "time", "modelID", "providerID", "agent", "mode", "cost", "tokens", "finish", "error",
)  # fmt: skip
"""Fields of a message that describe its spending and its outcome; others are long."""

_COPIED_FIELDS = ("role", "time", "modelID", "cost", "tokens")
"""Fields in which a message and its copy in a forked session are equal."""


class OpencodeStoreError(OSError):
    """A store of opencode cannot be read: it is locked, damaged or no such store."""


class OpencodeSession(NamedTuple):
    """One session of a store."""

    id: str
    parent: str | None  # session that started this one as a subagent
    folder: str | None  # working directory
    title: str | None
    updated_ms: int  # latest change of the session or of one of its messages, milliseconds since 1970
    messages: int  # number of messages; it and `updated_ms` change with the session
    address: str  # of its file of JSON lines


class _Session(msgspec.Struct, frozen=True):
    id: str
    parent: str | None
    folder: str | None
    title: str | None
    project: str | None
    created_ms: int
    updated_ms: int  # of the session or of one of its messages
    messages: int


class _Row(NamedTuple):
    """A message or a part as it is stored."""

    id: str
    data: bytes  # JSON


class _Store(Protocol):
    def sessions(self) -> Iterable[_Session]: ...
    def session(self, session_id: str) -> _Session: ...
    def messages(self, session_id: str) -> Iterable[_Row]: ...
    def parts(self, session_id: str, message_ids: Iterable[str]) -> Iterable[tuple[str, _Row]]: ...
    def count_unread(self, session_id: str) -> int: ...


def is_session_address(address: str) -> bool:
    """Return whether an address is one of a session in opencode's store."""
    return address.startswith(_SCHEME)


def session_address(store: Path, session_id: str) -> str:
    """Return the address of a session's file of JSON lines.

    >>> session_address(Path("/data/open code/opencode.db"), "ses_1")
    'opencode:///data/open%20code/opencode.db#ses_1'
    """
    path = store.absolute().as_uri().removeprefix("file://")
    return f"{_SCHEME}{path}#{quote(session_id, safe='')}"


def _parse_address(address: str) -> tuple[Path, str]:
    path, _, session_id = address.removeprefix(_SCHEME).partition("#")
    return Path(unquote(path.removeprefix("/") if os.name == "nt" else path)), unquote(session_id)


def list_sessions(store: Path) -> list[OpencodeSession]:
    """List the sessions of a store: a database `opencode*.db`, or a `storage` directory of JSON files.

    Raises OpencodeStoreError if it is locked or damaged, FileNotFoundError if it does not exist.
    """
    with _opened(store) as source:
        return [
            OpencodeSession(
                session.id,
                session.parent,
                session.folder,
                session.title,
                session.updated_ms,
                session.messages,
                session_address(store, session.id),
            )
            for session in sorted(source.sessions(), key=attrgetter("id"))
        ]


def open_session(address: str) -> tuple[BinaryIO, RemoteStatus]:
    """Open the file of JSON lines of a session, in memory, with its size and the time of its last change.

    Raises OpencodeStoreError if the store is locked or damaged, FileNotFoundError if it or the session does
    not exist.
    """
    path, session_id = _parse_address(address)
    with _opened(path) as source:
        session = source.session(session_id)
        content = b"".join(b"%b\n" % line for line in _session_lines(source, session))
    return io.BytesIO(content), RemoteStatus(len(content), session.updated_ms / 1000)


def session_exists(address: str) -> bool | None:
    """Return whether a session exists now; None if its store cannot be read."""
    path, session_id = _parse_address(address)
    try:
        with _opened(path) as source:
            source.session(session_id)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    return True


@contextmanager
def _opened(path: Path) -> Iterator[_Store]:
    if path.is_dir():
        yield _JsonFiles(path)
        return
    if not path.exists():
        raise FileNotFoundError(2, "opencode's store does not exist", str(path))
    try:
        # Not `immutable`: that ignores the write-ahead log, which has the latest messages.
        uri = f"{path.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=LOCK_TIMEOUT, isolation_level=None)
        with closing(connection):
            connection.text_factory = bytes  # a text may be no valid UTF-8
            connection.execute("BEGIN")  # all queries see the same state
            yield _Database(connection)
    except sqlite3.Error as error:
        raise OpencodeStoreError(0, f"opencode's database cannot be read: {error}") from error
    except UnicodeDecodeError as error:  # from an error message that quotes a damaged schema
        raise OpencodeStoreError(0, "opencode's database cannot be read: its schema is damaged") from error


def _text(value: Any) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else None


def _number(value: Any) -> int:
    """Return a count or a time as an integer; 0 if it is none, or a time after 2099."""
    return int(value) if isinstance(value, int | float) and 0 <= value < _MAX_MS else 0


_SESSIONS = """
    SELECT s.id, s.parent_id, s.directory, s.title, s.project_id, s.time_created, s.time_updated,
        (SELECT max(time_updated) FROM message WHERE session_id = s.id),
        (SELECT max(time_updated) FROM part WHERE message_id = (
            SELECT id FROM message WHERE session_id = s.id ORDER BY time_created DESC, id DESC LIMIT 1)),
        (SELECT count(*) FROM message WHERE session_id = s.id)
    FROM session s
"""
"""Sessions with their latest change: of the parts, only those of the last message can have changed last."""


class _Database:
    """Sessions in a SQLite database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def sessions(self) -> Iterator[_Session]:
        return map(self._build, self._connection.execute(_SESSIONS))

    def session(self, session_id: str) -> _Session:
        row = self._connection.execute(f"{_SESSIONS} WHERE s.id = ?", (session_id,)).fetchone()
        if row is None:
            raise FileNotFoundError(2, "the session does not exist any more", session_id)
        return self._build(row)

    def _build(self, row: tuple[Any, ...]) -> _Session:
        session_id, parent, folder, title, project = map(_text, row[:5])
        created_ms, updated_ms, message_ms, part_ms, messages = map(_number, row[5:])
        changed_ms = max(updated_ms, message_ms, part_ms)
        return _Session(
            session_id or "", parent or None, folder or None, title or None, project, created_ms, changed_ms,
            messages,
        )  # fmt: skip

    def messages(self, session_id: str) -> Iterator[_Row]:
        query = "SELECT id, data FROM message WHERE session_id = ? ORDER BY time_created, id"
        for message_id, data in self._connection.execute(query, (session_id,)):
            yield _Row(_text(message_id) or "", data or b"")

    def parts(self, session_id: str, message_ids: Iterable[str]) -> Iterator[tuple[str, _Row]]:  # noqa: ARG002 - for all
        query = "SELECT message_id, id, data FROM part WHERE session_id = ? ORDER BY message_id, id"
        for message_id, part_id, data in self._connection.execute(query, (session_id,)):
            yield _text(message_id) or "", _Row(_text(part_id) or "", data or b"")

    def count_unread(self, session_id: str) -> int:
        """Return the number of answers that newer versions of opencode keep in a table of their own."""
        table = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'session_message'"
        if not self._connection.execute(table).fetchone()[0]:
            return 0
        query = "SELECT count(*) FROM session_message WHERE session_id = ? AND type = 'assistant'"
        return _number(self._connection.execute(query, (session_id,)).fetchone()[0])


class _SessionTime(msgspec.Struct):
    created: int | float | None = None
    updated: int | float | None = None


class _SessionFile(msgspec.Struct):
    parentID: str | None = None  # noqa: N815 - the file's own spelling
    directory: str | None = None
    title: str | None = None
    time: _SessionTime | None = None


class _JsonFiles:
    """Sessions in JSON files: `session/<project>/<id>.json`, `message/<session>/…`, `part/<message>/…`.

    Ids come from the names of files. A file that vanishes while it is read is left out.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sessions(self) -> Iterator[_Session]:
        return map(self._read_session, self._folder.glob("session/*/*.json"))

    def session(self, session_id: str) -> _Session:
        file = next(self._folder.glob(f"session/*/{escape(session_id)}.json"), None)
        if file is None:
            raise FileNotFoundError(2, "the session does not exist any more", session_id)
        return self._read_session(file)

    def _read_session(self, file: Path) -> _Session:
        try:
            fields = msgspec.json.decode(_read_file(file), type=_SessionFile)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            fields = _SessionFile()  # its messages can be read nevertheless
        times = fields.time or _SessionTime()
        written_ms = [int(message.stat().st_mtime * 1000) for message in self._message_files(file.stem)]
        return _Session(
            file.stem, fields.parentID, fields.directory, fields.title, file.parent.name,
            _number(times.created), max(_number(times.updated), *written_ms, 0), len(written_ms),
        )  # fmt: skip

    def _message_files(self, session_id: str) -> list[Path]:
        return sorted((self._folder / "message" / session_id).glob("*.json"))

    def messages(self, session_id: str) -> Iterator[_Row]:
        return _read_rows(self._message_files(session_id))

    def parts(self, session_id: str, message_ids: Iterable[str]) -> Iterator[tuple[str, _Row]]:  # noqa: ARG002 - by message
        for message_id in message_ids:
            for row in _read_rows(sorted((self._folder / "part" / message_id).glob("*.json"))):
                yield message_id, row

    def count_unread(self, session_id: str) -> int:  # noqa: ARG002 - only a database has unread answers
        return 0


def _read_rows(files: Iterable[Path]) -> Iterator[_Row]:
    for file in files:
        try:
            yield _Row(file.stem, _read_file(file))
        except FileNotFoundError:
            continue
        except OSError:
            yield _Row(file.stem, b"")  # reported as unreadable


def _read_file(file: Path) -> bytes:
    handle, _ = open_no_follow(str(file))
    with handle:
        return handle.read()


class _State(msgspec.Struct, omit_defaults=True):
    status: str | None = None
    input: Any = None
    time: Any = None


class _Part(msgspec.Struct, omit_defaults=True):
    """The fields of a part that are read; its outputs, files and thoughts are left out."""

    id: str | None = None
    type: str | None = None
    text: str | None = None
    synthetic: bool | None = None
    ignored: bool | None = None
    callID: str | None = None  # noqa: N815
    tool: str | None = None
    state: _State | None = None
    reason: str | None = None
    cost: Any = None
    tokens: Any = None


_PART_DECODER = msgspec.json.Decoder(_Part)
_READ_PARTS = frozenset({"text", "tool", "step-finish"})


class _Message(NamedTuple):
    id: str
    fields: dict[str, Any] | None  # None: unreadable
    created_ms: int


def _session_lines(store: _Store, session: _Session) -> Iterator[bytes]:
    """Yield the lines of a session. The first one never changes, and the second one does with any other."""
    first = {"type": "opencode.session", "id": session.id, "created": session.created_ms}
    yield msgspec.json.encode(first)
    unread = 0 if session.messages else store.count_unread(session.id)
    yield msgspec.json.encode({
        "type": "opencode.info", "parentID": session.parent, "directory": session.folder,
        "title": session.title, "updated": session.updated_ms, "messages": session.messages,
        "problems": [f"not read: answers in a newer format of opencode ({unread:,})"] if unread else [],
    })  # fmt: skip
    messages = sorted(map(_decode_message, store.messages(session.id)), key=_message_order)
    originals = _find_originals(store, session, messages)
    parts: dict[str, list[_Part]] = {}
    unreadable: dict[str, list[str]] = {}
    for message_id, row in store.parts(session.id, [message.id for message in messages]):
        try:
            part = _PART_DECODER.decode(row.data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            unreadable.setdefault(message_id, []).append(f"its part {row.id} cannot be read: {error}")
            continue
        if part.type in _READ_PARTS and not part.synthetic and not part.ignored:
            part.id = row.id
            parts.setdefault(message_id, []).append(part)
    for message in messages:
        if message.fields is None:
            yield msgspec.json.encode({"type": "opencode.message", "id": message.id, "unreadable": True})
            continue
        shortened = [_shorten(part, message.fields.get("role")) for part in parts.get(message.id, ())]
        line = {"type": "opencode.message", "id": message.id, **message.fields, "parts": shortened}
        if 0 < message.created_ms < session.created_ms:
            line["isCopy"] = True
        if message.id in originals:
            line["copyOf"] = originals[message.id]
        if message.id in unreadable:
            line["problems"] = unreadable[message.id]
        yield msgspec.json.encode(line)


def _decode_message(row: _Row) -> _Message:
    try:
        data = msgspec.json.decode(row.data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _Message(row.id, None, 0)
    fields = {name: data[name] for name in _MESSAGE_FIELDS if name in data}
    times = fields.get("time")
    return _Message(row.id, fields, _number(times.get("created")) if isinstance(times, dict) else 0)


def _message_order(message: _Message) -> tuple[int, bool, str]:
    """Order messages by time; a prompt comes before an answer of the same time."""
    is_prompt = message.fields is not None and message.fields.get("role") == "user"
    return message.created_ms, not is_prompt, message.id


def _find_originals(store: _Store, session: _Session, messages: Iterable[_Message]) -> dict[str, str]:
    """Return the ids of the messages that a forked session copied, by the ids of the copies.

    A fork has the earlier messages with new ids, but with their times: they are older than the session.
    """
    copies = {
        _copied_content(message): message.id
        for message in messages
        if message.fields is not None and 0 < message.created_ms < session.created_ms
    }
    if not copies:
        return {}
    earlier = [
        other
        for other in store.sessions()
        if other.project == session.project and other.created_ms < session.created_ms
    ]
    originals: dict[str, str] = {}
    for other in sorted(earlier, key=attrgetter("created_ms", "id")):
        for message in map(_decode_message, store.messages(other.id)):
            if message.fields is not None and (copy := copies.get(_copied_content(message))) is not None:
                originals.setdefault(copy, message.id)
    return originals


def _copied_content(message: _Message) -> bytes:
    fields = message.fields or {}
    return msgspec.json.encode([fields.get(name) for name in _COPIED_FIELDS])


def _shorten(part: _Part, role: Any) -> _Part:
    if part.text is not None and role != "user":
        part.text = part.text[:_MAX_TEXT]
    if part.state is not None and isinstance(part.state.input, dict):
        arguments = part.state.input.items()
        part.state.input = {name: value[:_MAX_TEXT] for name, value in arguments if isinstance(value, str)}
    return part
