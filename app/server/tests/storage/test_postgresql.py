"""Histories on PostgreSQL: addresses, permissions, lost connections."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, event
from typer.testing import CliRunner

from app.server.core.workflow_history import database, demo, resync, sync
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import ConnectionLostError
from app.server.core.workflow_history.common.filters import RunFilter
from app.server.core.workflow_history.storage.connection.engine import display_name, engine_for
from app.server.core.workflow_history.storage.connection.url import database_url
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.reading.page_query import PageQuery
from app.server.tests.support.live_server import serving
from app.server.tests.support.paths import ROOT
from scripts import postgresql as postgresql_server
from scripts.postgresql import Server

PACKAGE = "app.server.core.workflow_history"
END = datetime(2026, 3, 31, 18, tzinfo=UTC)
PASSWORD = "-".join(("not", "to", "be", "shown"))


@pytest.fixture
def place(postgresql: Server) -> URL:
    """A place for one history."""
    return postgresql.empty()


@pytest.fixture
def own_server(postgresql: Server) -> Iterator[Server]:
    """A server of the test's own, which it may stop."""
    with postgresql_server.running() as server:
        yield server


def address(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def typed(url: URL | str, *words: str) -> tuple[int, str]:
    where = url if isinstance(url, str) else address(url)
    result = CliRunner().invoke(app, ["--db", where, *words], prog_name="workflow-history")
    assert result.exception is None or isinstance(
        result.exception, SystemExit
    )  # else a person sees a traceback
    return result.exit_code, result.output


# --- how it is named


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:{p}@h:5433/d",
        "postgres://u:{p}@h:5433/d",
        "postgresql+psycopg://u:{p}@h:5433/d",
        "postgresql+psycopg2://u:{p}@h:5433/d",
        "postgresql://u@h:5433/d?password={p}",
    ],
)
def test_every_form_of_the_url_means_the_same_and_none_shows_the_password(text: str) -> None:
    url = database_url(text.format(p=PASSWORD))
    assert url == URL.create("postgresql+psycopg", "u", PASSWORD, "h", 5433, "d")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "DB_PATH", url)
        assert database.database_name() == "postgresql+psycopg://u:***@h:5433/d"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:{p}@127.0.0.1:1/d",
        "postgresql://127.0.0.1:1/d?user=u&password={p}&sslpassword={p}",
        "postgresql://u:{p}@no.such.host.invalid/d",
        "postgresql://u:{p}@h:port/d",
        "postgresql://u:a@b:{p}/c@h/d",
        "mysql://u:{p}@h/d",
        "postgresql://u:a@{p}@127.0.0.1:1/d",
        "postgresql://u:a@b/{p}@127.0.0.1:1/d",
        "postgresql://u@{p}@127.0.0.1:1/d",
        "postgresql://u:a?{p}@127.0.0.1:1/d",
        "postgresql://u:a@b?{p}@127.0.0.1:1/d",
        "postgresql://127.0.0.1:1/d?user=u@{p}",
        "mysql://u:a@{p}@h/d",
        "postgresql:/u:a@{p}@127.0.0.1:1/d",
        "host=127.0.0.1 user=u password={p}",
    ],
)
@pytest.mark.parametrize("words", [["list"], ["sync"], ["stats"], ["db", "verify"]], ids=" ".join)
def test_a_server_that_does_not_answer_is_named_without_the_password(text: str, words: list[str]) -> None:
    code, said = typed(text.format(p=PASSWORD), *words)
    assert code in {1, 2}
    assert PASSWORD not in said
    assert "Traceback" not in said


def test_password_part_shown() -> None:
    url = database_url("postgresql://hist:p@SECRET@host/db")
    assert (url.username, url.password, url.host) == ("hist", "p@SECRET", "host")
    for text in ("postgresql://hist:p@SECRET@host/db", "postgresql://hist@p@SECRET@host/db"):
        assert "SECRET" not in display_name(database_url(text))


def test_what_to_type_next_names_the_database_without_the_password(place: URL, tmp_path: Path) -> None:
    inside, after = place.set(password=PASSWORD), place.update_query_dict({"password": PASSWORD})
    for project, url in {"inside": inside, "after": after}.items():
        demo.make_agents_folder(tmp_path / project / "agents", runs=2, end=END)
        code, said = typed(url, "sync", str(tmp_path / project))
        assert code == 0
        assert "--db 'postgresql+psycopg://postgres:***@127.0.0.1" in said
        assert PASSWORD not in said


def test_a_server_that_is_not_there_says_what_to_do() -> None:
    code, said = typed("postgresql://127.0.0.1:1/d", "list")
    assert code == 1
    assert "no PostgreSQL server answers there; start it, or check host and port of the URL" in " ".join(
        said.split()
    )


def test_without_the_driver_it_says_what_to_install() -> None:
    code = (
        "import sys, importlib.abc\n"
        "class Missing(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.startswith('psycopg'): raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        f"from {PACKAGE}.__main__ import main\n"
        "sys.argv = ['workflow-history', '--db', 'postgresql://127.0.0.1:1/d', 'list']\n"
        "main()"
    )
    found = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 1
    assert 'pip install "workflow-history[postgres]"' in " ".join(found.stderr.split())


def test_a_database_without_a_history_is_as_empty_as_a_missing_file(place: URL) -> None:
    assert typed(place, "list", "--json")[0] == 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "DB_PATH", place)
        assert not database.history_exists()
        assert database.get_workflow_history()["total"] == 0
        assert database.change_token() is None
        assert not database.history_exists()  # asking made no tables
        database.init_db()
        assert database.history_exists()


def test_a_database_of_another_encoding_is_refused(own_server: Server, tmp_path: Path) -> None:
    demo.make_agents_folder(tmp_path / "agents", runs=2, end=END)
    own_server.run("CREATE DATABASE old ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    code, said = typed(own_server.url(database="old"), "sync", str(tmp_path / "agents"))
    assert code == 1
    assert "has the encoding LATIN1. Create one with ENCODING 'UTF8'" in " ".join(said.split())


def test_histories_in_two_schemas_know_nothing_of_each_other(postgresql: Server) -> None:
    one, other = postgresql.empty(), postgresql.empty()
    with History.open(one) as first, History.open(other) as second, first.transaction():
        first.insert({"id": "a"})
        second.insert({"id": "b"})  # does not wait for the first to end
        assert [ref.id for ref in second.list_refs()] == ["b"]


# --- who may do what


@pytest.fixture
def reader(postgresql: Server, place: URL) -> Iterator[URL]:
    """The same history, of one run, for a role that may only read."""
    with History.open(place) as history:
        history.save([{"id": "aaaa1111", "project": "shop", "nl_input": "Add CSV export", "total_cost": 1.5}])
        history.build_column_cache()
    schema = str(place.query["options"]).rpartition("=")[2]
    role = f"reader_{schema}"
    postgresql.run(
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
    )
    yield postgresql.url(user=role, schema=schema)
    postgresql.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize(
    "words",
    [
        ["list", "-q"],
        ["list", "--search", '"csv export"', "-q"],
        ["show", "aaaa1111"],
        ["stats"],
        ["db", "verify"],
        ["similar", "--text", "CSV"],
        ["patterns"],
        ["export", "runs"],
    ],
    ids=" ".join,
)
def test_a_role_that_may_only_read_asks_everything(reader: URL, words: list[str]) -> None:
    assert typed(reader, *words)[0] == 0


def test_a_role_that_may_only_read_is_told_so_when_it_syncs(reader: URL, tmp_path: Path) -> None:
    demo.make_agents_folder(tmp_path / "agents", runs=2, end=END)
    code, said = typed(reader, "sync", str(tmp_path / "agents"))
    assert code == 1
    assert "this role is read-only; use one with write permission" in " ".join(said.split())


def test_a_role_that_may_make_no_tables_is_told_so(postgresql: Server, place: URL, tmp_path: Path) -> None:
    postgresql.run("CREATE ROLE guest LOGIN")
    demo.make_agents_folder(tmp_path / "agents", runs=2, end=END)
    code, said = typed(postgresql.url(user="guest"), "sync", str(tmp_path / "agents"))
    postgresql.run("DROP ROLE guest")
    assert code == 1
    assert "this role may not create tables" in " ".join(said.split())


# --- when it goes away


def fail_after_writing(history: History) -> None:
    with history.transaction():
        history.insert({"id": "undone"})
        raise RuntimeError


def test_a_change_is_noticed_by_others_and_not_by_its_maker(place: URL) -> None:
    with History.open(place) as one, History.open(place) as other:
        before = one.data_version(), other.data_version()
        one.insert({"id": "a"})
        assert (one.data_version(), other.data_version()) == (before[0], before[1] + 1)
        with pytest.raises(RuntimeError):
            fail_after_writing(one)
        one.insert({"id": "c"})
        assert (one.data_version(), other.data_version()) == (before[0], before[1] + 2)
        other.insert({"id": "d"})
        assert (one.data_version(), other.data_version()) == (before[0] + 1, before[1] + 2)
        assert [ref.key for ref in one.list_refs()] == [1, 2, 3]


def test_a_server_that_restarts_midway_ends_a_sync_clearly_and_the_next_one_completes_it(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = own_server.empty()
    agents = tmp_path / "agents"
    demo.make_agents_folder(agents, runs=12, end=END)
    monkeypatch.setattr(database, "DB_PATH", url)
    with History.open(url):
        pass

    def restart(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO agent_runs"):
            event.remove(engine_for(url), "before_cursor_execute", restart)
            own_server.stop()
            own_server.start()

    event.listen(engine_for(url), "before_cursor_execute", restart)
    with pytest.raises(ConnectionLostError, match="retry when it is running"):
        sync.sync_workflow_history(silent=True, agents_dir=agents)
    with History.open(url) as history:
        assert history.list_refs() == []
        assert history.check() == []
    assert sync.sync_workflow_history(silent=True, agents_dir=agents)["inserted"] == 12


def test_a_server_that_stops_midway_ends_a_resync_of_many_runs_with_one_error(
    own_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = own_server.empty()
    agents = tmp_path / "agents"
    demo.make_agents_folder(agents, runs=12, end=END)
    monkeypatch.setattr(database, "DB_PATH", url)
    sync.sync_workflow_history(silent=True, agents_dir=agents)
    with History.open(url) as history, history._writing() as connection:
        connection.exec_driver_sql("UPDATE workflows SET computed_cost_nanodollars = 1")

    def stop(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO agent_runs"):
            event.remove(engine_for(url), "before_cursor_execute", stop)
            own_server.stop()

    event.listen(engine_for(url), "before_cursor_execute", stop)
    with pytest.raises(ConnectionLostError):
        resync.resync_all_completed_workflows()
    assert "resync_failed" not in caplog.text
    with pytest.raises(ConnectionLostError), History.open(url):
        pass
    own_server.start()
    assert resync.resync_all_completed_workflows()["failed"] == 0
    with History.open(url) as history:
        assert history.check() == []


def test_a_process_that_serves_takes_up_a_server_that_was_away(own_server: Server, tmp_path: Path) -> None:
    url = own_server.empty()
    with History.open(url) as history:
        history.insert({"id": "a"})
    agents = tmp_path / "agents"
    agents.mkdir()
    with serving(agents, "--no-watch", history=address(url)) as served:

        def ids() -> list[str]:
            return [run["id"] for run in served.get("/api/v1/runs").json()["workflows"]]

        assert ids() == ["a"]
        own_server.stop("fast")
        away = served.get("/api/v1/runs")
        assert away.status_code >= 500
        assert "PostgreSQL" in json.dumps(away.json())
        own_server.start()
        assert ids() == ["a"]
        with History.open(url) as history:
            history.insert({"id": "b"})
        assert ids() == ["b", "a"]


# --- how it is asked


QUESTIONS = {
    "the newest": PageQuery(limit=5),
    "the costliest": PageQuery(sort_by="total_cost", limit=5),
    "by id": PageQuery(sort_by="id", sort_order="ASC", limit=5),
    "those of a status": PageQuery(RunFilter(status=("failed",)), limit=5),
    "those with a word": PageQuery(RunFilter(search="export"), limit=5),
    "those with a phrase": PageQuery(RunFilter(search='"csv export"'), limit=5),
}


@pytest.mark.parametrize("query", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_a_page_is_found_by_an_index(place: URL, query: PageQuery) -> None:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    with History.open(place) as history:
        run = {"nl_input": "Add CSV export", "status": "failed"}
        history.save([{**run, "id": f"run-{number}"} for number in range(40)])
        event.listen(history._connection, "before_cursor_execute", note)
        assert history.summary_page(query).total == 40
        event.remove(history._connection, "before_cursor_execute", note)
        with history._reading() as connection:
            # Of so few rows a server would rather read all: is there a way without, for when there are many?
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_sort = off")
            plans = [
                "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", values).scalars())
                for statement, values in asked
                if not statement.startswith("SELECT count(*)")
            ]
    assert plans
    assert not [plan for plan in plans if "Seq Scan" in plan]
    if query.run_filter.search is None:
        assert not [plan for plan in plans if "Sort" in plan]
    else:
        assert any("ix_run_search_words" in plan for plan in plans)
