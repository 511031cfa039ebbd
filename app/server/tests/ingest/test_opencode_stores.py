"""Sessions of opencode's own store: its SQLite database, and the JSON files that it kept before."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.workflow_history.common.models import (
    CostBasis,
    Ending,
    StreamFacts,
    StreamFormat,
    TokenUsage,
    ToolCall,
)
from app.server.core.workflow_history.costs.accounting.deduplication import assign_shares, build_spender
from app.server.core.workflow_history.costs.accounting.stream_cost import (
    StreamCost,
    compute_stream_cost,
    uncovered_messages,
)
from app.server.core.workflow_history.ingest.files import file_exists, open_file, opencode_store
from app.server.core.workflow_history.ingest.files.opencode_store import (
    OpencodeSession,
    OpencodeStoreError,
    list_sessions,
    session_address,
)
from app.server.core.workflow_history.ingest.runs.prompts import first_prompt
from app.server.core.workflow_history.ingest.runs.records import ScannedFile
from app.server.core.workflow_history.ingest.streams import read_stream, resume_stream
from app.server.tests.support.build import line

ASK = "Add CSV export to the orders page"
START = 1_782_979_200_000
SONNET = "claude-sonnet-4-5"
SCHEMA = """
    CREATE TABLE session (id text PRIMARY KEY, project_id text NOT NULL, parent_id text, slug text NOT NULL,
        directory text NOT NULL, title text NOT NULL, version text NOT NULL, time_created integer NOT NULL,
        time_updated integer NOT NULL);
    CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, time_created integer NOT NULL,
        time_updated integer NOT NULL, data text NOT NULL);
    CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL, session_id text NOT NULL,
        time_created integer NOT NULL, time_updated integer NOT NULL, data text NOT NULL);
    CREATE INDEX message_session_time_created_id_idx ON message (session_id, time_created, id);
    CREATE INDEX part_message_id_id_idx ON part (message_id, id);
    CREATE INDEX part_session_idx ON part (session_id);
"""


class Session:
    """One session, which can be written to either store."""

    def __init__(
        self,
        session_id: str = "ses_1",
        parent: str | None = None,
        title: str = "CSV export",
        created: int = 0,
    ) -> None:
        self.id, self.parent, self.title, self.created = session_id, parent, title, START + created
        self.messages: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = []

    def ask(self, text: str = ASK, message_id: str = "msg_1", *parts: dict[str, Any]) -> Session:
        data = {"role": "user", "time": {"created": self.created}, "agent": "build"}
        self.messages.append((message_id, data, [{"type": "text", "text": text}, *parts]))
        return self

    def answer(
        self,
        *parts: dict[str, Any],
        message_id: str = "msg_2",
        cost: float = 0.0421,
        tokens: dict[str, Any] | None = None,
        at: int = 1_000,
        **more: Any,
    ) -> Session:
        data = {
            "role": "assistant", "time": {"created": START + at, "completed": START + at + 30_000},
            "modelID": SONNET, "providerID": "anthropic", "mode": "build", "cost": cost,
            "tokens": tokens if tokens is not None else counts(1_000, 800, 0, 20_000, 5_000), **more,
        }  # fmt: skip
        self.messages.append((message_id, data, list(parts)))
        return self

    def write_database(self, database: sqlite3.Connection) -> None:
        row = (
            self.id, "prj", self.parent, "x", "/srv/shop", self.title, "1.2.0", self.created, self.created,
        )  # fmt: skip
        database.execute("INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        for message_id, data, parts in self.messages:
            created = data["time"]["created"]
            values = (message_id, self.id, created, created, json.dumps(data))
            database.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", values)
            for number, part in enumerate(parts):
                part_id = f"prt_{self.id}_{message_id}_{number}"
                database.execute(
                    "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)",
                    (part_id, message_id, self.id, created, created, json.dumps(part)),
                )

    def write_files(self, storage: Path) -> None:
        info = {
            "id": self.id, "parentID": self.parent, "directory": "/srv/shop", "title": self.title,
            "time": {"created": self.created, "updated": self.created},
        }  # fmt: skip
        write(storage / "session" / "prj" / f"{self.id}.json", info)
        for message_id, data, parts in self.messages:
            write(storage / "message" / self.id / f"{message_id}.json", {"id": message_id, **data})
            for number, part in enumerate(parts):
                part_id = f"prt_{self.id}_{message_id}_{number}"
                write(storage / "part" / message_id / f"{part_id}.json", {"id": part_id, **part})


def counts(
    input_tokens: int, output: int, reasoning: int = 0, read: int = 0, write: int = 0
) -> dict[str, Any]:
    return {
        "input": input_tokens, "output": output, "reasoning": reasoning,
        "cache": {"read": read, "write": write},
    }  # fmt: skip


def tool(name: str, status: str = "completed", **arguments: Any) -> dict[str, Any]:
    state = {"status": status, "input": arguments, "output": "x" * 10_000}
    return {"type": "tool", "callID": f"call_{name}", "tool": name, "state": state}


def step(*given_counts: int, cost: float = 0.01) -> dict[str, Any]:
    return {"type": "step-finish", "reason": "stop", "tokens": counts(*given_counts), "cost": cost}


def text(content: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": content, **more}


def write(file: Path, data: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(data, indent=2))


def open_database(path: Path) -> sqlite3.Connection:
    """Open a database as opencode does: with a write-ahead log."""
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(SCHEMA)
    return database


def write_database(path: Path, *sessions: Session) -> Path:
    with closing(open_database(path)) as database:
        for session in sessions:
            session.write_database(database)
    return path


def write_files(storage: Path, *sessions: Session) -> Path:
    for session in sessions:
        session.write_files(storage)
    return storage


def read(store: Path, session_id: str = "ses_1") -> StreamFacts:
    facts = read_stream(session_address(store, session_id), f"{session_id}.jsonl", "main")
    assert facts is not None
    assert facts.format == StreamFormat.OPENCODE_SESSION
    return facts


def content(session: OpencodeSession) -> list[dict[str, Any]]:
    handle, status = open_file(session.address)
    raw = handle.read()
    assert len(raw) == status.st_size
    return [json.loads(row) for row in raw.splitlines()]


def cost_of(facts: StreamFacts) -> StreamCost:
    return compute_stream_cost(facts, uncovered_messages(facts), facts.started_at)


def found_cost(facts: StreamFacts) -> tuple[Decimal | None, CostBasis | None]:
    cost = cost_of(facts)
    return cost.cost, cost.basis


def counted_once(*streams: StreamFacts) -> TokenUsage:
    shares = assign_shares({number: build_spender(facts) for number, facts in enumerate(streams)})
    return sum([message.usage for share in shares.values() for message in share.messages], TokenUsage())


def usage_by_id(facts: StreamFacts) -> dict[str, TokenUsage]:
    return {message.message_id: message.usage for message in facts.messages}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "opencode.db"


@pytest.fixture(params=["database", "files"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / ("opencode.db" if request.param == "database" else "storage")


def write_store(store: Path, *sessions: Session) -> Path:
    return (write_database if store.suffix == ".db" else write_files)(store, *sessions)


def test_a_store_lists_its_sessions_with_their_parents(store: Path) -> None:
    write_store(store, Session().ask().answer(), Session("ses_2", parent="ses_1", title="Look at orders"))
    first, second = list_sessions(store)
    assert first[:4] == ("ses_1", None, "/srv/shop", "CSV export")
    assert first.messages == 2
    assert second[:4] == ("ses_2", "ses_1", "/srv/shop", "Look at orders")
    assert second.address == session_address(store, "ses_2")


def test_both_stores_show_the_same_lines(tmp_path: Path, path: Path) -> None:
    session = Session().ask().answer(text("Done."), tool("bash", command="make"), step(9, 8))
    of_database, of_files = (
        content(list_sessions(found)[0])
        for found in (write_database(path, session), write_files(tmp_path / "storage", session))
    )
    assert of_database[0] == of_files[0]
    assert of_database[2:] == of_files[2:]


def test_a_message_has_its_tokens_and_its_reported_cost(store: Path) -> None:
    write_store(store, Session().ask().answer(tokens=counts(1_000, 800, 50, 20_000, 5_000)))
    (message,) = read(store).messages
    assert message.message_id == "msg_2"
    assert message.model == f"anthropic/{SONNET}"
    assert message.usage == TokenUsage(
        input=1_000, output=850, cache_read=20_000, cache_write_5m=5_000
    )  # reasoning is billed as output
    assert message.cost == Decimal("0.0421")
    assert message.timestamp == datetime.fromtimestamp((START + 1_000) / 1000, UTC)
    assert found_cost(read(store)) == (Decimal("0.0421"), CostBasis.REPORTED)


def test_a_cost_of_zero_is_a_subscription_and_priced_by_the_list(store: Path) -> None:
    write_store(store, Session().ask().answer(cost=0, tokens=counts(1_000, 1_000)))
    facts = read(store)
    assert facts.messages[0].cost is None
    assert found_cost(facts) == (Decimal("0.018"), CostBasis.COMPUTED)


def test_times_are_milliseconds_and_gaps_under_five_minutes_are_active_time(store: Path) -> None:
    write_store(store, Session().ask().answer().answer(message_id="msg_3", at=3_600_000))
    facts = read(store)
    assert facts.started_at == datetime(2026, 7, 2, 8, tzinfo=UTC)
    assert facts.ended_at == datetime(2026, 7, 2, 9, 0, 30, tzinfo=UTC)
    assert facts.session is not None
    assert facts.session.active_seconds == 61


def test_a_session_has_its_directory_title_and_parent(store: Path) -> None:
    write_store(store, Session("ses_2", parent="ses_1", title="Look").ask().answer(agent="explore"))
    session = read(store, "ses_2").session
    assert session is not None
    assert (session.id, session.parent, session.role) == ("ses_2", "ses_1", "explore")
    assert (session.folder, session.title) == ("/srv/shop", "Look")


def test_tools_have_their_arguments_and_outcomes_without_their_outputs(store: Path) -> None:
    parts = [
        tool("bash", "error", command="npm test"),
        tool("read", filePath="a.py"),
        tool("task", "running"),
    ]
    write_store(store, Session().ask().answer(*parts))
    facts = read(store)
    assert facts.tools == (
        ToolCall("Bash", "npm test", 4, "msg_2", True),
        ToolCall("read", "a.py", 4, "msg_2", False),
        ToolCall("task", None, 4, "msg_2", None),
    )
    assert facts.size < 2_000


def test_each_request_of_a_message_counts(store: Path) -> None:
    steps = [step(100, 10, cost=0.01), step(200, 20, cost=0.02)]
    write_store(store, Session().ask().answer(*steps, tokens=counts(200, 20), cost=0.03))
    facts = read(store)
    assert usage_by_id(facts) == {"msg_2": TokenUsage(100, 10), "msg_2#2": TokenUsage(200, 20)}
    assert cost_of(facts).cost == Decimal("0.03")


@pytest.mark.parametrize(
    ("more", "parts", "ending"),
    [
        ({"finish": "stop"}, [text("Done.")], Ending.ANSWERED),
        ({}, [text("Done.")], Ending.ANSWERED),
        ({"finish": "tool-calls"}, [text("Look"), tool("read")], Ending.UNANSWERED),
        ({}, [tool("read")], Ending.UNANSWERED),
        ({"finish": "length"}, [text("Do")], Ending.UNANSWERED),
        ({"time": {"created": START}}, [text("Do")], Ending.UNANSWERED),
        ({"error": {"name": "MessageAbortedError", "data": {"message": "x"}}}, [], Ending.STOPPED),
        ({"error": {"name": "APIError", "data": {"message": "Overloaded"}}}, [], Ending.ERROR),
    ],
)
def test_the_last_message_shows_how_a_session_ended(
    path: Path, more: dict[str, Any], parts: list[dict[str, Any]], ending: Ending
) -> None:
    facts = read(write_database(path, Session().ask().answer(*parts, **more)))
    assert facts.ending == ending
    assert facts.ending_text == ("Overloaded" if ending == Ending.ERROR else "")
    assert read(write_database(path.with_name("b.db"), Session().ask())).ending == Ending.UNANSWERED


@pytest.mark.parametrize(
    "more", [{"time": {"created": START}}, {"error": {"name": "MessageAbortedError", "data": {}}}]
)
def test_the_cost_of_an_interrupted_message_is_a_lower_bound(path: Path, more: dict[str, Any]) -> None:
    session = Session().ask().answer().answer(message_id="msg_3", tokens=counts(0, 0), cost=0, **more)
    facts = read(write_database(path, session))
    assert found_cost(facts) == (Decimal("0.0421"), CostBasis.LOWER_BOUND)


def test_messages_in_an_open_write_ahead_log_are_read(path: Path) -> None:
    with closing(open_database(path)) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        Session().ask().answer().write_database(writer)
        assert path.with_name("opencode.db-wal").stat().st_size > 0
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM message")  # not committed
        assert list_sessions(path)[0].messages == 2
        assert usage_by_id(read(path)).keys() == {"msg_2"}
        writer.execute("ROLLBACK")


def test_reading_changes_nothing_in_the_database(path: Path) -> None:
    write_database(path, Session().ask().answer())
    before = path.read_bytes(), path.stat().st_mtime_ns
    list_sessions(path)
    read(path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_locked_database_is_an_error_by_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opencode_store, "LOCK_TIMEOUT", 0)
    write_database(path, Session().ask().answer())
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = DELETE")
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(
            OpencodeStoreError, match="opencode's database cannot be read: database is locked"
        ):
            list_sessions(path)
        facts = read_stream(session_address(path, "ses_1"), "ses_1.jsonl", "main")
        assert facts is not None
        assert facts.format == StreamFormat.UNREAD
        assert [problem.reason for problem in facts.problems] == [
            "cannot be read: opencode's database cannot be read: database is locked"
        ]
        assert file_exists(session_address(path, "ses_1")) is None
    assert usage_by_id(read(path)).keys() == {"msg_2"}


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b""])
def test_a_damaged_database_is_an_error_by_name(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    with pytest.raises(OpencodeStoreError, match="opencode's database cannot be read"):
        list_sessions(path)


def test_a_database_with_a_damaged_schema_is_an_error_by_name(path: Path) -> None:
    raw = write_database(path, Session().ask().answer()).read_bytes()
    path.write_bytes(raw.replace(b"part_session_idx ON part", b"part_session_idx ON p\xb1rt"))
    with pytest.raises(OpencodeStoreError, match="its schema is damaged"):
        list_sessions(path)


def test_answers_in_a_newer_format_are_reported(path: Path) -> None:
    write_database(path, Session(), Session("ses_2").ask().answer())
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE session_message (id text, session_id text, type text, data text)")
        for name in ("ses_1", "ses_2"):
            database.execute("INSERT INTO session_message VALUES ('m', ?, 'assistant', '{}')", (name,))
    assert [problem.reason for problem in read(path).problems] == [
        "not read: answers in a newer format of opencode (1)"
    ]
    assert read(path, "ses_2").problems == ()


def test_a_store_that_does_not_exist_is_an_error_and_is_not_created(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list_sessions(path)
    assert not path.exists()


def test_a_session_that_was_deleted_does_not_exist(store: Path) -> None:
    write_store(store, Session())
    assert file_exists(session_address(store, "ses_1")) is True
    assert file_exists(session_address(store, "ses_9")) is False
    assert file_exists(session_address(store.with_name("other.db"), "ses_1")) is False
    facts = read_stream(session_address(store, "ses_9"), "ses_9.jsonl", "main")
    assert facts is not None
    assert facts.format == StreamFormat.UNREAD


def test_a_damaged_message_costs_no_other(store: Path) -> None:
    write_store(store, Session().ask().answer().answer(message_id="msg_3", at=2_000))
    if store.suffix == ".db":
        with closing(sqlite3.connect(store, isolation_level=None)) as database:
            database.execute("UPDATE message SET data = '{\"role\":' WHERE id = 'msg_2'")
    else:
        (store / "message" / "ses_1" / "msg_2.json").write_bytes(b'{"role":')
    facts = read(store)
    assert usage_by_id(facts).keys() == {"msg_3"}
    assert [problem.reason for problem in facts.problems] == [
        "unreadable line: the message msg_2 is not JSON of a message"
    ]
    assert cost_of(facts).basis == CostBasis.LOWER_BOUND


def test_a_damaged_part_costs_nothing_else(store: Path) -> None:
    write_store(store, Session().ask().answer(tool("bash", command="make"), text("Done."), finish="stop"))
    if store.suffix == ".db":
        with closing(sqlite3.connect(store, isolation_level=None)) as database:
            database.execute("UPDATE part SET data = '{' WHERE id = 'prt_ses_1_msg_2_0'")
    else:
        (store / "part" / "msg_2" / "prt_ses_1_msg_2_0.json").write_bytes(b"{")
    facts = read(store)
    assert usage_by_id(facts).keys() == {"msg_2"}
    assert facts.ending == Ending.ANSWERED
    assert [problem.reason.partition(":")[0] for problem in facts.problems] == [
        "its part prt_ses_1_msg_2_0 cannot be read"
    ]


def test_a_damaged_session_file_costs_no_message(tmp_path: Path) -> None:
    storage = write_files(tmp_path / "storage", Session().ask().answer())
    (storage / "session" / "prj" / "ses_1.json").write_text("{")
    assert [session.id for session in list_sessions(storage)] == ["ses_1"]
    assert usage_by_id(read(storage)).keys() == {"msg_2"}


def test_after_a_migration_a_session_in_both_stores_counts_once(tmp_path: Path, path: Path) -> None:
    session = Session().ask().answer()
    old = read(write_files(tmp_path / "storage", session))
    new = read(write_database(path, session.answer(message_id="msg_3", tokens=counts(7, 5), at=9_000)))
    assert old.identity == new.identity
    expected = TokenUsage(input=1_007, output=805, cache_read=20_000, cache_write_5m=5_000)
    assert counted_once(old, new) == counted_once(new, old) == counted_once(new) == expected


def test_a_captured_run_is_the_same_spending_as_its_session(path: Path, tmp_path: Path) -> None:
    session = Session().ask().answer(step(100, 10), step(200, 20))
    rows = [
        line(
            type="step_finish", timestamp=START, sessionID="ses_1",
            part={**part, "id": f"prt_{number}", "messageID": "msg_2", "sessionID": "ses_1"},
        )
        for number, part in enumerate(session.messages[1][2])
    ]  # fmt: skip
    output = tmp_path / "raw_output.jsonl"
    output.write_text("\n".join([*rows, rows[0]]) + "\n")
    captured = read_stream(output, "raw_output.jsonl", "main")
    assert captured is not None
    assert captured.format == StreamFormat.OPENCODE
    assert counted_once(captured, read(write_database(path, session))) == TokenUsage(300, 30)


def forked(session: Session, session_id: str = "ses_2", created: int = 100_000) -> Session:
    """Return a fork: its messages have new ids and the times of the originals."""
    fork = Session(session_id, title=f"{session.title} (fork #1)", created=created)
    fork.messages = [(f"{name}_{session_id}", data, parts) for name, data, parts in session.messages]
    return fork


def test_a_fork_adds_only_its_own_messages(store: Path) -> None:
    session = Session().ask().answer(tool("bash", command="make"))
    fork = forked(session).answer(message_id="msg_9", tokens=counts(7, 5), at=200_000)
    again = forked(fork, "ses_3", 300_000)
    write_store(store, session, fork, again)
    streams = [read(store, name) for name in ("ses_1", "ses_2", "ses_3")]
    assert [[message.copied for message in facts.messages] for facts in streams] == [
        [False], [True, False], [True, True],
    ]  # fmt: skip
    assert streams[2].messages[1].message_id == "msg_9"
    assert streams[1].tools == ()
    assert streams[1].started_at == datetime.fromtimestamp((START + 100_000) / 1000, UTC)
    expected = TokenUsage(input=1_007, output=805, cache_read=20_000, cache_write_5m=5_000)
    assert {counted_once(*order) for order in permutations(streams)} == {expected}


def test_a_fork_of_a_deleted_session_counts_what_it_copied(store: Path) -> None:
    write_store(store, forked(Session().ask().answer(tokens=counts(7, 5))))
    assert counted_once(read(store, "ses_2")) == TokenUsage(7, 5)


def change_message(store: Path, message_id: str, data: dict[str, Any]) -> None:
    if store.suffix == ".db":
        with closing(sqlite3.connect(store, isolation_level=None)) as database:
            values = (json.dumps(data), START + 9_000_000, message_id)
            database.execute("UPDATE message SET data = ?, time_updated = ? WHERE id = ?", values)
    else:
        file = store / "message" / "ses_1" / f"{message_id}.json"
        write(file, data)
        later = file.stat().st_mtime + 60
        os.utime(file, (later, later))


def test_a_changed_message_shows_in_the_listing_and_is_read_again(store: Path) -> None:
    session = Session().ask().answer(message_id="msg_2", tokens=counts(1, 1))
    for number in range(3, 900):
        session.answer(text("x" * 500), message_id=f"msg_{number:04}", tokens=counts(1, 1), at=number * 1_000)
    write_store(store, session)
    (before,) = list_sessions(store)
    checkpoint = resume_stream(before.address, "ses_1.jsonl", "main").checkpoint
    assert checkpoint is not None
    data = session.messages[400][1]
    change_message(store, session.messages[400][0], {**data, "tokens": counts(2, 2)})
    (after,) = list_sessions(store)
    assert (after.updated_ms, after.messages) != (before.updated_ms, before.messages)
    resumed = resume_stream(after.address, "ses_1.jsonl", "main", checkpoint).facts
    assert resumed == read(store)
    assert counted_once(read(store)).input == 898 + 1


def test_a_part_that_changes_after_its_message_shows_in_the_listing(path: Path) -> None:
    write_database(path, Session().ask().answer(tool("bash", "running", command="make")))
    (before,) = list_sessions(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE part SET time_updated = time_updated + 90000")
    (after,) = list_sessions(path)
    assert after.updated_ms > before.updated_ms


def test_the_request_is_what_the_user_typed(store: Path) -> None:
    added = text("Called the Read tool with a.py", synthetic=True)
    write_store(store, Session().ask(ASK, "msg_1", added).answer(text("Done.")))
    (listed,) = list_sessions(store)
    file = ScannedFile("ses_1.jsonl", "ses_1.jsonl", listed.address, listed.messages, 0, 0, 0)
    assert first_prompt([file], [read(store)]) == (ASK, "ses_1.jsonl: its first message")


def test_the_request_of_a_fork_is_its_own(path: Path) -> None:
    session = Session().ask().answer()
    fork = forked(session)
    fork.ask("Also for invoices", "msg_8").answer(message_id="msg_9", at=200_000)
    write_database(path, session, fork)
    file = ScannedFile("ses_2.jsonl", "ses_2.jsonl", session_address(path, "ses_2"), 0, 0, 0, 0)
    found = first_prompt([file], [read(path, "ses_2")])
    assert found is not None
    assert found[0] == "Also for invoices"


@given(given_counts=st.lists(st.tuples(*[st.integers(0, 9_999)] * 5), max_size=6), migrated=st.integers(0, 6))
def test_any_order_of_both_stores_gives_the_same_sums(
    tmp_path_factory: pytest.TempPathFactory, given_counts: list[tuple[int, ...]], migrated: int
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    session, before = Session().ask(), Session().ask()
    for number, one in enumerate(given_counts):
        for found in (session, before) if number < migrated else (session,):
            found.answer(message_id=f"msg_{number + 2}", tokens=counts(*one), at=number * 1_000)
    streams = [read(write_database(folder / "opencode.db", session))]
    streams.append(read(write_files(folder / "storage", before)))
    expected = TokenUsage(
        input=sum(one[0] for one in given_counts),
        output=sum(one[1] + one[2] for one in given_counts),
        cache_read=sum(one[3] for one in given_counts),
        cache_write_5m=sum(one[4] for one in given_counts),
    )
    assert {counted_once(*order) for order in permutations(streams)} == {expected}
