"""REST answers equal the command line's and match the published shapes."""

import asyncio
import csv
import html
import inspect
import io
import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet
import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient
from typer.testing import CliRunner

from app.server.core.workflow_history import database
from app.server.core.workflow_history.cli.app import app as command_line
from app.server.core.workflow_history.common.errors import WorkflowNotFoundError
from app.server.core.workflow_history.queries.json.schemas import SCHEMAS, get_schema
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.web import caches
from app.server.core.workflow_history.web.api import export
from app.server.core.workflow_history.web.api.parameters import MAX_TEXT_CHARS
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.context import MAX_CONCURRENT_EXPORTS
from app.server.core.workflow_history.web.logs import log_to_stderr
from app.server.core.workflow_history.web.middleware import response_cache
from app.server.core.workflow_history.web.middleware.run_id_paths import SUBRESOURCES
from app.server.core.workflow_history.web.settings import ServerSettings
from app.server.tests.support.patience import PATIENCE
from app.server.tests.support.web import CHANGING, Stalled, asked, client_of, make_history, reading

V1 = "/api/v1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_history(tmp_path_factory.mktemp("rest"))


@pytest.fixture
def client(made, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(made))
    (tmp_path / "budgets.toml").write_text("[budget]\nrun = 1.0\nday = 40.0\n")
    monkeypatch.setenv("WORKFLOW_HISTORY_CONFIG", str(tmp_path / "budgets.toml"))
    with client_of() as client:
        yield client


@pytest.fixture
def own(tmp_path):
    """Give a client of an empty history of its own, and the history's place."""
    with History.open(tmp_path / "history.db"), client_of() as client:
        yield client


def given_by(*words: str) -> dict:
    result = CliRunner().invoke(command_line, [*words, "--json"], prog_name="workflow-history")
    assert result.exit_code in {0, 1}, result.output
    return json.loads(result.stdout)


def answer(client: TestClient, path: str) -> dict:
    reply = client.get(V1 + path)
    assert reply.status_code == 200, (path, reply.text)
    assert reply.headers["content-type"] == "application/json"
    return reply.json()


def problem(reply) -> str:
    """Check that an answer is a problem; return what it says."""
    assert reply.headers["content-type"] == "application/problem+json"
    said = reply.json()
    assert said["status"] == reply.status_code
    assert said["type"] == "about:blank"
    assert said["title"]
    return said["detail"]


def first_run(client: TestClient) -> str:
    return answer(client, "/runs?limit=1")["workflows"][0]["id"]


# --- the same answers as the command line, in the published shapes

ANSWERS = [
    ("show", "/runs/{run}", ["show", "{run}"]),
    ("explain", "/runs/{run}/explain", ["explain", "{run}"]),
    ("explain", "/runs/{run}/explain?field=cost", ["explain", "{run}", "cost"]),
    ("similar", "/runs/{run}/similar?limit=3", ["similar", "{run}", "--limit", "3"]),
    ("forecast-run", "/runs/{run}/forecast?limit=8", ["forecast", "{run}"]),
    ("compare", "/compare?a={run}&b={other}", ["compare", "{run}", "{other}"]),
    ("similar", "/similar?text=csv&status=failed", ["similar", "--text", "csv", "--status", "failed"]),
    ("stats", "/statistics?by=phase&tz=UTC", ["stats", "--by", "phase", "--tz", "UTC"]),
    ("stats", "/statistics?by=workflow&across=month", ["stats", "--by", "workflow", "--across", "month"]),
    ("stats-overview", "/statistics/overview?since=2026-01-01", ["stats", "--since", "2026-01-01"]),
    ("stats-waste", "/statistics/waste?status=failed", ["stats", "--waste", "--status", "failed"]),
    ("forecast", "/forecast?text=csv+export&limit=8", ["forecast", "--text", "csv export"]),
    ("forecast-calibration", "/forecast/calibration", ["forecast", "--backtest"]),
    ("anomalies", "/anomalies?window=20", ["anomalies", "--window", "20"]),
    ("patterns", "/patterns?limit=5", ["patterns", "--limit", "5"]),
    ("patterns", "/patterns?kind=phases&all=true", ["patterns", "--kind", "phases", "--all"]),
    ("patterns-show", "/patterns/{pattern}", ["patterns", "show", "{pattern}"]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "path", "words"), ANSWERS, ids=[path for _, path, _ in ANSWERS])
def test_an_operation_gives_what_the_command_gives(client, schema, path, words):
    runs = answer(client, "/runs?limit=2&status=completed")["workflows"]
    names = {
        "run": runs[0]["id"],
        "other": runs[1]["id"],
        "pattern": answer(client, "/patterns?limit=1")["patterns"][0]["id"],
    }
    found = answer(client, path.format(**names))
    Draft202012Validator(get_schema(schema)).validate(found)
    assert found == given_by(*(word.format(**names) for word in words))


def test_a_trend_is_that_of_the_command_but_for_its_moment(client):
    found = answer(client, "/statistics/trend?period=300d")
    Draft202012Validator(get_schema("stats-trend")).validate(found)
    assert found["changes"] == given_by("stats", "--trend", "300d")["changes"]


def test_budgets_are_those_of_the_command_but_for_the_folder_of_their_file(client, tmp_path):
    found = answer(client, "/budgets?as_of=2026-03-31&since=9d")
    Draft202012Validator(get_schema("budget-check")).validate(found)
    said = given_by("budget", "check", "--as-of", "2026-03-31", "--since", "9d")
    assert (said.pop("config"), found.pop("config")) == (str(tmp_path / "budgets.toml"), "budgets.toml")
    assert found == said


def test_what_has_no_command_has_its_schema(client):
    run = first_run(client)
    for schema, path in [
        ("runs", "/runs?limit=60"),
        ("agent-runs", f"/runs/{run}/agent-runs"),
        ("syncs", "/syncs"),
        ("health", "/health"),
        ("schemas", "/schemas"),
    ]:
        Draft202012Validator(get_schema(schema)).validate(answer(client, path))
    assert (
        answer(client, f"/runs/{run}/agent-runs")["phase_costs"]
        == answer(client, f"/runs/{run}")["phase_costs"]
    )


def test_a_runs_costs_are_counted_anew_as_the_command_does(client):
    run = first_run(client)
    reply = client.post(f"{V1}/runs/{run}/resync", headers=CHANGING)
    assert reply.status_code == 200
    Draft202012Validator(get_schema("reprice-one")).validate(reply.json())
    assert reply.json() == given_by("reprice", run)
    assert "No run matches" in problem(client.post(f"{V1}/runs/nobody/resync", headers=CHANGING))


# --- a list of runs


def test_a_list_is_narrowed_sorted_and_paged_as_on_the_command_line(client):
    ours = answer(
        client, "/runs?status=failed&status=completed&sort=cost&order=asc&limit=7&offset=3&error=false"
    )
    words = "--status failed --status completed --sort cost --order asc --limit 7 --offset 3 --no-error"
    theirs = given_by("list", *words.split())
    assert [run["id"] for run in ours["workflows"]] == [run["id"] for run in theirs["workflows"]]
    assert {key: ours[key] for key in ("total", "limit", "offset", "next_cursor")} == {
        key: theirs[key] for key in ("total", "limit", "offset", "next_cursor")
    }
    for brief, whole in zip(ours["workflows"], theirs["workflows"], strict=True):
        assert brief.items() - {("nl_input", brief["nl_input"])} <= {
            (key, value) for key, value in whole.items() if isinstance(value, str | int | float | None)
        } | {(name, brief[name]) for name in ("time_zone_known", "error_message")}


def test_the_header_link_leads_through_all_pages_and_ends(client):
    seen, path = [], f"{V1}/runs?limit=25&sort=cost&status=completed"
    while path:
        reply = client.get(path)
        seen += [run["id"] for run in reply.json()["workflows"]]
        link = re.fullmatch(r'<(.+)>; rel="next"', reply.headers.get("link", ""))
        path = link[1] if link else None
        assert bool(path) == bool(reply.json()["next_cursor"])
    whole = answer(client, "/runs?limit=500&sort=cost&status=completed")["workflows"]
    assert seen == [run["id"] for run in whole]
    assert len(seen) > 25


@pytest.mark.parametrize(
    ("former", "present"),
    [
        ("/runs?template=adw_sdlc_iso", "/runs?workflow=adw_sdlc_iso"),
        ("/runs?gone=false", "/runs?missing=false"),
        ("/forecast?template=adw_patch", "/forecast?workflow=adw_patch"),
        ("/anomalies?recent=20", "/anomalies?window=20"),
        ("/budgets?at=2026-03-31", "/budgets?as_of=2026-03-31"),
    ],
)
def test_a_parameter_with_its_former_name_has_the_same_result(client, former, present):
    assert answer(client, former) == answer(client, present)


def test_a_former_name_is_deprecated_in_the_description_and_no_error_suggests_it(client):
    parameters = client.get(f"{V1}/openapi.json").json()["paths"][f"{V1}/runs"]["get"]["parameters"]
    assert {one["name"] for one in parameters if one.get("deprecated")} == {"template", "gone"}
    assert "template" not in problem(client.get(f"{V1}/runs?tenplate=x"))


def test_a_list_that_moves_with_the_clock_is_gone_through_by_its_cursors(own, tmp_path):
    now = datetime.now(UTC)
    with History.open(tmp_path / "history.db") as history:
        made = [(now - timedelta(hours=hours)).isoformat() for hours in range(5)]
        history.save([{"id": f"run-{at}", "created_at": text} for at, text in enumerate(made)])
    path, seen = f"{V1}/runs?since=2d&until=1h&limit=2", []
    while path:
        reply = own.get(path)
        assert reply.status_code == 200, reply.text
        seen += [run["id"] for run in reply.json()["workflows"]]
        path = reply.links.get("next", {}).get("url")
    assert seen == ["run-1", "run-2", "run-3", "run-4"]
    cursor = own.get(f"{V1}/runs?since=2d&limit=2").json()["next_cursor"]
    assert own.get(f"{V1}/runs?since=48h&limit=2&after={cursor}").status_code == 422


def test_a_cursor_of_another_list_or_a_made_up_one_is_refused(client):
    cursor = answer(client, "/runs?limit=2")["next_cursor"]
    assert answer(client, f"/runs?limit=2&after={cursor}")["workflows"]
    for query in (f"after={cursor}&sort=cost", "after=xyz", f"after={cursor}&offset=3", "after=%F0%9F%98%80"):
        reply = client.get(f"{V1}/runs?{query}")
        assert reply.status_code == 422
        assert "cursor" in problem(reply)


def test_a_run_of_several_projects_is_asked_for_by_its_project(own, tmp_path):
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": "a", "project": "shop"}, {"id": "a", "project": "blog"}])
    reply = own.get(f"{V1}/runs/a")
    assert reply.status_code == 409
    assert "shop/a" in problem(reply)
    assert answer(own, "/runs/a?project=shop")["project"] == "shop"
    assert answer(own, "/runs/a/explain?project=blog")["project"] == "blog"
    assert own.get(f"{V1}/runs/a?project=else").status_code == 404


def test_every_address_of_a_run_that_is_not_there_says_so_in_the_words_of_the_commands(client):
    near = first_run(client)[:-1] + "~"
    with pytest.raises(WorkflowNotFoundError) as missing:
        database.require_workflow(near)
    assert "Did you mean " in str(missing.value)
    parts = ("", "/agent-runs", "/similar", "/explain", "/forecast")
    replies = [client.get(f"{V1}/runs/{near}{part}") for part in parts]
    replies.append(client.post(f"{V1}/runs/{near}/resync", headers=CHANGING))
    assert {reply.status_code for reply in replies} == {404}
    assert {problem(reply) for reply in replies} == {str(missing.value)}


# --- other operations


@pytest.mark.parametrize(
    "run_id", ["a/b", "a/b/", "/a", "id\nnl", "id\n", "a/forecasts", "resync", "a b?c#d", "similar/x"]
)
def test_a_run_is_found_whatever_its_id_holds(own, tmp_path, run_id):
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": run_id, "project": "shop"}])
    for path in (f"{V1}/runs/{quote(run_id, safe='')}", f"{V1}/runs/{quote(run_id)}"):
        assert own.get(f"{path}?project=shop").json()["id"] == run_id
        for part in ("agent-runs", "similar", "explain", "forecast", "progress"):
            reply = own.get(f"{path}/{part}")
            assert (reply.status_code, part in reply.url.path) == (200, True), (path, part, reply.text)
        assert own.post(f"{path}/resync", headers=CHANGING).json()["success"], path
        assert own.get(f"{path}/resync").headers["allow"] == "POST"
    page = own.get(f"/runs/{quote(run_id, safe='')}?project=shop", headers={"Accept": "text/html"})
    assert page.status_code == 200
    (link,) = re.findall(r'href="(/api/v1/runs/[^"]+)">JSON', page.text)
    assert own.get(html.unescape(link)).json()["id"] == run_id


@pytest.mark.parametrize("run_id", ["a/forecast", "similar/similar", "a/b/resync", "/explain"])
def test_a_run_whose_id_ends_as_a_question_does_is_found_by_its_id_in_code(own, tmp_path, run_id):
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": run_id, "project": "shop"}])
    in_code = quote(run_id, safe="")
    assert own.get(f"{V1}/runs/{in_code}").json()["id"] == run_id
    for part in ("agent-runs", "similar", "explain", "forecast", "progress"):
        assert own.get(f"{V1}/runs/{in_code}/{part}").status_code == 200, part
    assert own.post(f"{V1}/runs/{in_code}/resync", headers=CHANGING).json()["workflow_id"] == run_id
    for path in (f"/runs/{in_code}?project=shop", f"/runs/{in_code}/forecast?project=shop"):
        page = own.get(path, headers={"Accept": "text/html"}, follow_redirects=False)
        assert page.status_code == 200, path
        assert in_code in page.text


def test_an_answer_for_an_id_in_code_is_not_given_for_what_is_asked_of_another_run(own, tmp_path):
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": "a/forecast", "project": "shop"}, {"id": "a", "project": "shop"}])
    for _ in range(2):  # the second time it is kept
        assert answer(own, "/runs/a%2fforecast")["id"] == "a/forecast"
        assert "forecast" in answer(own, "/runs/a/forecast")


def test_all_that_is_asked_of_a_run_is_told_from_its_id(client):
    paths = client.get(f"{V1}/openapi.json").json()["paths"]
    beginning = f"{V1}/runs/{{id}}/"
    assert {path.removeprefix(beginning) for path in paths if path.startswith(beginning)} == set(SUBRESOURCES)


def test_a_pattern_is_decided_on_and_that_is_taken_back(own, made, monkeypatch, tmp_path):
    copy = tmp_path / "copy.db"
    with sqlite3.connect(made) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(copy))
    pattern = answer(own, "/patterns?limit=1")["patterns"][0]["id"]
    path = f"{V1}/patterns/{pattern}"
    done = own.post(path, json={"status": "dismissed", "note": "different each time"}, headers=CHANGING)
    assert done.status_code == 200
    Draft202012Validator(get_schema("patterns-decide")).validate(done.json())
    assert (done.json()["before"], done.json()["note"]) == ("detected", "different each time")
    assert pattern not in [one["id"] for one in answer(own, "/patterns?limit=100")["patterns"]]
    assert answer(own, "/patterns?state=dismissed")["patterns"][0]["id"] == pattern
    own.post(path, json={"status": "detected"}, headers=CHANGING)
    assert answer(own, "/patterns?limit=1")["patterns"][0]["id"] == pattern


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"status": "loved"}', "status"),
        ('{"status": "accepted", "note": "\\ud800"}', "note"),
        ('{"status": "accepted", "note": "a\\u0000"}', "note"),
        (json.dumps({"status": "accepted", "note": "x" * 2_001}), "note"),
        ('{"status": "accepted", "stat": 1}', "stat"),
        ('{"status": NaN}', "status"),
        ('{"status": 1e999}', "status"),
        ("[]", "a JSON object"),
        ("{", "Invalid JSON"),
        ("", "request: Field required"),
    ],
)
def test_a_decision_that_is_none_says_what_is_wrong(client, body, said):
    headers = {**CHANGING, "Content-Type": "application/json"}
    reply = client.post(f"{V1}/patterns/abcd1234", content=body, headers=headers)
    assert reply.status_code == 422
    assert said in problem(reply)


def test_a_decision_that_is_sent_as_a_form_is_told_how_it_is_sent(client):
    reply = client.post(f"{V1}/patterns/abcd1234", data={"status": "accepted"}, headers=CHANGING)
    assert reply.status_code == 422
    assert "Content-Type: application/json" in problem(reply)


def test_syncs_are_paged_the_latest_first(own, tmp_path):
    assert answer(own, "/syncs") == {
        "schema_version": 2,
        "syncs": [],
        "total": 0,
        "limit": 20,
        "next_cursor": None,
    }
    with History.open(tmp_path / "history.db") as history:
        for scanned in range(5):
            errors = [{"path": "x", "line": None, "reason": "odd", "severity": "error", "id": None}] * 150
            history.record_sync(
                {"started_at": datetime(2026, 3, 1, tzinfo=UTC), "scanned": scanned, "errors": errors}
            )
    first = own.get(f"{V1}/syncs?limit=3")
    Draft202012Validator(get_schema("syncs")).validate(first.json())
    assert [one["scanned"] for one in first.json()["syncs"]] == [4, 3, 2]
    assert {(len(one["errors"]), one["errors_found"]) for one in first.json()["syncs"]} == {(100, 150)}
    link = re.fullmatch(r'<(.+)>; rel="next"', first.headers["link"])
    rest = own.get(link[1])
    assert [one["scanned"] for one in rest.json()["syncs"]] == [1, 0]
    assert rest.json()["total"] == 5
    assert "link" not in rest.headers
    for wrong in ("-1", "x", "9" * 20, "%D9%A3"):
        assert own.get(f"{V1}/syncs?after={wrong}").status_code == 422


@pytest.mark.parametrize("what", ["runs", "agent-runs", "patterns", "statistics"])
def test_a_table_is_taken_out_as_the_command_does(client, tmp_path, what):
    for kind in ("csv", "jsonl", "parquet"):
        file = tmp_path / f"{what}.{kind}"
        CliRunner().invoke(command_line, ["export", what, "--status", "failed", "--output", str(file)])
        reply = client.get(f"{V1}/export/{what}?format={kind}&status=failed")
        assert reply.status_code == 200
        assert reply.headers["content-disposition"] == f'attachment; filename="{what}.{kind}"'
        if kind == "parquet":
            assert pyarrow.parquet.read_table(io.BytesIO(reply.content)).equals(
                pyarrow.parquet.read_table(file)
            )
        else:
            assert reply.content == file.read_bytes()


def test_columns_and_groupings_of_a_table_are_chosen(client):
    rows = list(csv.reader(io.StringIO(client.get(f"{V1}/export/runs?columns=id,total_cost").text)))
    assert rows[0] == ["id", "total_cost"]
    assert len(rows) == 61
    lines = client.get(f"{V1}/export/statistics?format=jsonl&by=phase&columns=name").text.splitlines()
    assert "build" in [json.loads(line)["name"] for line in lines]
    for wrong in (
        "runs?columns=dreams",
        "runs?by=phase",
        "dreams",
        "runs?format=xlsx",
        "statistics?by=dreams",
    ):
        reply = client.get(f"{V1}/export/{wrong}")
        assert reply.status_code == 422
        problem(reply)


def test_a_large_table_comes_in_pieces(own, tmp_path):
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": f"run-{number:05}"} for number in range(4_500)])
    with own.stream("GET", f"{V1}/export/runs?columns=id", headers={"Accept-Encoding": "identity"}) as reply:
        assert "content-length" not in reply.headers
        assert len(b"".join(reply.iter_bytes()).splitlines()) == 4_501


# --- clients that read slowly, or not at all

EXPORT = f"{V1}/export/agent-runs?columns=all"


@pytest.mark.parametrize("path", [EXPORT, f"{V1}/runs", f"{V1}/syncs/current"])
def test_who_reads_nothing_holds_up_nobody_who_asks_the_same(client, path):
    async def both() -> Stalled:
        app, stalled, other = create_app(), Stalled(), reading()
        first = asyncio.create_task(asked(app, path, stalled))
        await stalled.stands.wait()
        async with asyncio.timeout(PATIENCE):
            await asked(app, path, other)
        stalled.reads.set()
        await first
        assert stalled.body == other.body
        return other

    assert asyncio.run(both()).status == 200


def test_so_many_exports_go_on_at_once_and_the_next_is_told_to_ask_later(client):
    async def crowd() -> None:
        app = create_app()
        stalled = [Stalled() for _ in range(MAX_CONCURRENT_EXPORTS)]
        waiting = [asyncio.create_task(asked(app, EXPORT, one)) for one in stalled]
        for one in stalled:
            await one.stands.wait()
        late, health = reading(), reading()
        await asked(app, EXPORT, late)
        await asked(app, f"{V1}/health", health)
        assert (late.status, int(late.headers["retry-after"]) > 0, health.status) == (503, True, 200)
        for one in stalled:
            one.reads.set()
        await asyncio.gather(*waiting)
        await asked(app, EXPORT, again := reading())
        assert again.status == 200
        assert {one.body for one in stalled} == {again.body}

    asyncio.run(crowd())


def test_an_export_that_its_client_does_not_read_ends_and_frees_its_place(client, monkeypatch):
    monkeypatch.setattr(export, "CLIENT_TIMEOUT", 0.05)

    async def slow() -> None:
        app = create_app()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(asked(app, EXPORT, Stalled()) for _ in range(MAX_CONCURRENT_EXPORTS)))
            monkeypatch.setattr(export, "CLIENT_TIMEOUT", PATIENCE)
            await asked(app, EXPORT, again := reading())
        assert again.status == 200

    asyncio.run(slow())


def test_an_export_that_its_client_does_not_read_lets_go_of_the_history_at_once(client, monkeypatch):
    def endless():
        while True:
            yield b"a piece"

    rows = endless()
    monkeypatch.setattr(export, "CLIENT_TIMEOUT", 0.05)
    monkeypatch.setattr(export, "iter_chunks", lambda *_asked, **_how: rows)

    async def slow() -> None:
        async with asyncio.timeout(PATIENCE):
            await asked(create_app(), EXPORT, Stalled())

    asyncio.run(slow())
    assert inspect.getgeneratorstate(rows) == inspect.GEN_CLOSED


def test_an_export_that_is_refused_frees_its_place(client):
    for _ in range(MAX_CONCURRENT_EXPORTS + 1):
        assert client.get(f"{V1}/export/runs?columns=dreams").status_code == 422
    assert client.get(EXPORT).status_code == 200


def test_every_published_schema_is_given_by_its_name(client):
    for name in answer(client, "/schemas")["names"]:
        assert client.get(f"{V1}/schemas/{name}").json() == json.loads(json.dumps(get_schema(name)))
    assert set(SCHEMAS) == set(answer(client, "/schemas")["names"])
    assert 'No schema "x". Use one of: sync' in problem(client.get(f"{V1}/schemas/x"))
    assert client.get(f"{V1}/schemas/..%2f..%2fetc%2fpasswd").status_code == 404


def test_without_a_history_answers_are_empty_and_nothing_is_made(tmp_path):
    with client_of() as client:
        assert answer(client, "/health") == {"schema_version": 2, "ok": True, "database_version": None}
        assert answer(client, "/runs")["total"] == 0
        assert answer(client, "/statistics")["total"]["runs"] == 0
        assert client.get(f"{V1}/runs/a").status_code == 404
        assert client.get(f"{V1}/budgets").status_code == 404
        assert "workflow_history_runs 0.0" in client.get("/metrics").text
    assert not (tmp_path / "history.db").exists()


def test_a_database_that_cannot_be_read_is_503_and_names_no_secret(tmp_path):
    (tmp_path / "history.db").write_text("this is no database, and long enough to be looked at")
    with client_of() as client:
        for path in ("/health", "/runs", "/statistics"):
            reply = client.get(V1 + path)
            assert reply.status_code == 503
            assert "not an SQLite database" in problem(reply)
            assert "history.db" in reply.text
            assert str(tmp_path) not in reply.text
        assert client.get(f"{V1}/budgets").status_code == 404
        assert str(tmp_path) not in client.get(f"{V1}/budgets").text


def test_a_history_that_is_gone_is_no_empty_one(own, tmp_path):
    (tmp_path / "history.db").unlink()
    for path in ("/api/v1/health", "/api/v1/runs", "/", "/insights"):
        reply = own.get(path)
        assert (reply.status_code, "is missing" in reply.text) == (503, True), path
        assert str(tmp_path) not in reply.text
    for path in ("/api/v1/syncs/current", "/syncs", "/login"):
        assert own.get(path).status_code == 200, path
    with History.open(tmp_path / "history.db"):
        assert own.get("/").status_code == 200


# --- answers that are kept, and those that a client has


def test_a_client_that_has_an_answer_gets_none(client):
    for path in (
        "/runs",
        f"/runs/{first_run(client)}",
        "/statistics",
        "/schemas/run",
        "/health",
        "/openapi.json",
        "/patterns",
    ):
        first = client.get(V1 + path)
        again = client.get(V1 + path, headers={"If-None-Match": f'W/"x", {first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["etag"] == first.headers["etag"]
        assert client.get(V1 + path, headers={"If-None-Match": 'W/"x"'}).status_code == 200


def test_what_is_stored_meanwhile_is_in_the_next_answer(own, tmp_path):
    assert answer(own, "/runs")["total"] == 0
    for number in range(1, 4):
        with History.open(tmp_path / "history.db") as history:
            history.save([{"id": f"run-{number}"}])
        assert answer(own, "/runs")["total"] == number


def test_an_answer_is_given_again_while_nothing_was_stored_and_for_a_moment_only(own, tmp_path, monkeypatch):
    now = 1_000.0
    monkeypatch.setattr(caches, "monotonic", lambda: now)
    asked = []
    page_of = History.summary_page
    monkeypatch.setattr(
        History, "summary_page", lambda self, query: asked.append(query) or page_of(self, query)
    )
    first = own.get(f"{V1}/runs?limit=1")
    for _ in range(3):
        again = own.get(f"{V1}/runs?limit=1")
        assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    assert own.get(f"{V1}/runs?limit=1", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert own.head(f"{V1}/runs?limit=1").headers["content-length"] == str(len(first.content))
    assert len(asked) == 1
    now += 2.5
    own.get(f"{V1}/runs?limit=1")
    assert len(asked) == 2
    own.get(f"{V1}/runs?limit=2")
    assert len(asked) == 3
    for _ in range(2):
        assert own.get(f"{V1}/runs?limit=x").status_code == 422


def test_kept_answers_are_bounded_by_their_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(response_cache, "MAX_CACHE_BYTES", 600)
    asked = []
    page_of = History.summary_page
    monkeypatch.setattr(
        History, "summary_page", lambda self, query: asked.append(query) or page_of(self, query)
    )
    with History.open(tmp_path / "history.db"), client_of() as client:
        for limit in (*range(1, 20), 1):
            client.get(f"{V1}/runs?limit={limit}")
    assert len(asked) == 20


def test_a_history_that_was_replaced_is_the_new_one(own, tmp_path):
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": "old"}])
    assert answer(own, "/runs")["workflows"][0]["id"] == "old"
    with History.open(tmp_path / "new.db") as history:
        history.save([{"id": "new"}])
    for ending in ("-wal", "-shm"):
        (tmp_path / f"history.db{ending}").unlink(missing_ok=True)
    (tmp_path / "new.db").replace(tmp_path / "history.db")
    assert answer(own, "/runs")["workflows"][0]["id"] == "new"
    (tmp_path / "history.db").unlink()
    assert own.get(f"{V1}/runs").status_code == 503


def test_a_long_answer_is_compressed_where_the_client_takes_that(client):
    plain = client.get(f"{V1}/runs", headers={"Accept-Encoding": "identity"})
    for _ in range(2):  # the second one is a kept answer
        packed = client.get(f"{V1}/runs", headers={"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.headers["vary"] == "Accept-Encoding"
        assert int(packed.headers["content-length"]) < len(plain.content) / 3
        assert packed.json() == plain.json()
        for refused in ("gzip;q=0", "br, gzip; q=0.000", "identity", "gzip;q=x", "*"):
            reply = client.get(f"{V1}/runs", headers={"Accept-Encoding": refused})
            assert "content-encoding" not in reply.headers, refused
    assert "content-encoding" not in plain.headers


def test_a_tag_is_known_with_its_mark_of_weakness_and_without(client):
    tag = client.get(f"{V1}/runs").headers["etag"]
    for given in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        assert client.get(f"{V1}/runs", headers={"If-None-Match": given}).status_code == 304, given
    assert client.get(f"{V1}/runs", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_long_task_is_forecast_as_a_page_too(client):
    for length, status in ((MAX_TEXT_CHARS, 200), (MAX_TEXT_CHARS + 1, 422)):
        for path in ("/forecast", f"{V1}/forecast"):
            assert client.get(path, params={"text": "x" * length}).status_code == status, path


# --- methods, parameters, problems


def test_every_operation_that_is_got_answers_head_with_the_same_headers(client):
    names = {"id": first_run(client), "name": "run", "table": "patterns"}
    pattern = answer(client, "/patterns?limit=1")["patterns"][0]["id"]
    queries = {
        "/api/v1/compare": f"?a={names['id']}&b={names['id']}",
        "/api/v1/similar": "?text=csv",
        "/api/v1/forecast": "?text=csv",
    }
    for template, methods in client.get(f"{V1}/openapi.json").json()["paths"].items():
        if "get" not in methods or template == f"{V1}/events":  # that one never ends
            continue
        path = template.format(**{**names, "id": pattern if "patterns" in template else names["id"]})
        path += queries.get(template, "")
        got, head = client.get(path), client.head(path)
        assert got.status_code == 200, path
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-type", "content-length", "cache-control", "link"):
            assert head.headers.get(name) == got.headers.get(name), (path, name)


def test_a_wrong_method_is_told_which_are_right(client):
    for path, allowed in [
        ("/runs", "GET, HEAD"),
        ("/patterns/abcd", "GET, POST, HEAD"),
        ("/runs/a/resync", "POST"),
        ("/runs/a", "GET, HEAD"),
        ("/events", "GET"),
    ]:
        for method in ("PUT", "DELETE", "OPTIONS", "TRACE") + (("GET",) if allowed == "POST" else ()):
            reply = client.request(method, V1 + path, headers=CHANGING)
            assert reply.status_code == 405, (method, path)
            assert reply.headers["allow"] == allowed
            problem(reply)
    assert client.head(f"{V1}/events").headers["allow"] == "GET"
    for page, allowed in [
        ("/", "GET, HEAD"),
        ("/runs/a", "GET, HEAD"),
        ("/login", "GET, POST, HEAD"),
        ("/static/app.js", "GET, HEAD"),
    ]:
        reply = client.delete(page, headers=CHANGING)
        assert (reply.status_code, reply.headers["allow"]) == (405, allowed), page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("/runs?stauts=failed", 'Unknown parameter "stauts". Did you mean status?'),
        ("/runs?limit=1&limit=2", "Repeated parameter limit"),
        ("/runs?cost=1..&cost=2..", "Repeated parameter cost"),
        ("/runs?status=done", 'No run has status "done". '),
        ("/runs?sort=beauty", 'Invalid sort "beauty". Use one of: when'),
        ("/runs?order=up", "order: "),
        ("/runs?limit=501", "limit: "),
        ("/runs?limit=-1", "limit: "),
        ("/runs?limit=" + "9" * 5_000, "limit: "),
        ("/runs?limit=1e2", "limit: "),
        ("/runs?limit=NaN", "limit: "),
        ("/runs?offset=99999999", "offset: "),
        ("/runs?cost=nan", "Use a range of numbers"),
        ("/runs?cost=1e999..", "Use a range of numbers"),
        ("/runs?cost=5..1", 'Invalid cost "5..1"'),
        ("/runs?tokens=many", "Invalid tokens"),
        ("/runs?score=quality", "quality"),
        ("/runs?score=beauty:1..", 'Invalid score "beauty"'),
        ("/runs?since=soon", "Invalid since"),
        ("/runs?since=99999999999999d", "beyond the calendar"),
        ("/runs?since=0001-01-01T00:00%2B14:00", "beyond the calendar"),
        ("/runs?until=9999-12-31", "beyond the calendar"),
        ("/runs?since=0001-01-01", "beyond the calendar"),
        ("/export/runs?until=0001-01-01", "beyond the calendar"),
        ("/budgets?as_of=0001-01-01", "beyond the calendar"),
        ("/runs?error=maybe", 'Invalid error "maybe". Use true or false.'),
        ("/runs?search=%00", "NUL"),
        ("/runs?search=" + "x" * 501, "at most 500 characters"),
        ("/runs?" + "&".join(["status=failed"] * 51), "at most 50"),
        ("/runs/a%00b", "NUL"),
        ("/statistics?by=dreams", "dreams"),
        ("/statistics?tz=Mars/Olympus", "Invalid tz"),
        ("/statistics?tz=../../etc/passwd", "Invalid tz"),
        ("/statistics?tz=Europe", "Invalid tz"),
        ("/statistics/trend?period=99999999d", ""),
        ("/statistics/trend?period=1y", "Invalid period"),
        ("/statistics/trend?since=7d", "sets the period itself"),
        ("/anomalies?window=0", "Invalid window"),
        ("/anomalies?window=99999999999d", "Invalid window"),
        ("/similar", "text: "),
        ("/similar?text=", "text: "),
        ("/similar?text=a&threshold=nan", "threshold: "),
        ("/similar?text=a&threshold=1.5", "threshold: "),
        ("/forecast", ""),
        ("/forecast?text=" + "a" * 20_001, "text: "),
        ("/forecast/calibration?runs=0", "runs: "),
        ("/patterns?residual_cost=inf", "residual_cost: "),
        ("/patterns?kind=dreams", "kind"),
        ("/patterns/xyz", "id: "),
        ("/compare?a=1", "b: "),
        ("/budgets?since=2001-01-01", "366 days"),
        ("/budgets?as_of=0001-01-02T00:00Z", "beyond the calendar"),
        ("/budgets?config=/etc/passwd", 'Unknown parameter "config"'),
    ],
)  # fmt: skip
def test_a_wrong_parameter_says_what_is_right(client, query, said):
    reply = client.get(V1 + query)
    assert reply.status_code == 422, reply.text
    assert said in problem(reply)
    assert len(reply.text) < 3_000


def test_half_of_a_pair_and_odd_bytes_ask_for_nothing_and_break_nothing(client):
    for odd in ("%ED%A0%80", "%FF%FE", "%C0%80", "%E2%80%AE", quote("\U0001f600"), "%25%27%22%3B--"):
        assert client.get(f"{V1}/runs?search={odd}").status_code == 200
        assert client.get(f"{V1}/runs/{odd}").status_code == 404
        assert client.get(f"{V1}/runs?workflow={odd}").status_code == 422
        assert client.get(f"{V1}/similar?text={odd}").status_code == 200


def test_nothing_of_the_database_can_be_named_or_written_by_a_parameter(client):
    for odd in ("id;DROP TABLE workflows", "key", "fingerprint", "1=1", "created_at DESC"):
        assert client.get(f"{V1}/runs?sort={quote(odd)}").status_code == 422
    quoted = quote("' OR 1=1 --")
    assert client.get(f"{V1}/runs/{quoted}").status_code == 404
    assert client.get(f"{V1}/runs?project={quoted}").status_code == 422
    assert answer(client, "/runs")["total"] == 60


def test_what_is_not_served_is_a_problem_for_programs_and_a_page_for_people(client):
    for path in ("/api/v1", "/api/v1/", "/api/v2/runs", "/api/v1/runs/", "/api/v1/Runs"):
        reply = client.get(path, headers={"Accept": "text/html"})
        assert reply.status_code == 404
        problem(reply)
    page = client.get("/nothing", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_what_nobody_foresaw_is_a_problem_without_a_trace(client, monkeypatch, caplog):
    def broken() -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(database, "schema_version", broken)
    reply = client.get(f"{V1}/health")
    assert reply.status_code == 500
    assert "secret" not in problem(reply)
    assert "path=/api/v1/health" in caplog.text


def test_what_nobody_foresaw_stands_once_in_the_servers_own_output(client, monkeypatch, capsys):
    def broken() -> None:
        raise RuntimeError("odd \x1b[2J words")

    monkeypatch.setattr(database, "schema_version", broken)
    with log_to_stderr():
        client.get(f"{V1}/health")
    said = capsys.readouterr().err
    assert "path=/api/v1/health" in said
    assert (said.count("Traceback"), said.count("RuntimeError: odd")) == (1, 1)
    assert "\x1b" not in said


# --- the description, the page of it, and the figures


def test_the_description_names_every_operation_once_with_an_example_of_its_shape(client):
    told = client.get(f"{V1}/openapi.json").json()
    names = [one["operationId"] for methods in told["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names))
    assert len(names) >= 25
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            assert one["summary"]
            assert one["description"], path
            done = next(told for status, told in one["responses"].items() if status.startswith("2"))
            media = done["content"]
            assert any("example" in shown for shown in media.values()), (method, path)
            reference = media.get("application/json", {}).get("schema", {}).get("$ref", "")
            if reference:
                example = media["application/json"]["example"]
                Draft202012Validator(get_schema(reference.rsplit("/", 1)[1])).validate(example)
            header = [each for each in one.get("parameters", ()) if each["in"] == "header"]
            assert bool(header) == (method == "post")
            if header:
                assert (header[0]["name"], header[0]["required"]) == ("X-Workflow-History", True)


def test_every_parameter_of_the_description_is_bounded(client):
    for path, methods in client.get(f"{V1}/openapi.json").json()["paths"].items():
        for one in methods.values():
            for parameter in one.get("parameters", ()):
                for part in (parameter["schema"], *parameter["schema"].get("anyOf", ())):
                    kind = part.get("type")
                    if kind == "string":
                        assert {"maxLength", "enum", "pattern", "const"} & part.keys(), (path, parameter)
                    if kind == "array":
                        assert "maxItems" in part, (path, parameter)
                    if kind in {"integer", "number"}:
                        assert {"minimum", "maximum"} <= part.keys(), (path, parameter)


def test_the_page_lists_every_operation_with_a_line_to_try(client):
    page = client.get("/api").text.replace("<wbr>", "")  # places for line breaks
    told = client.get(f"{V1}/openapi.json").json()
    for path, methods in told["paths"].items():
        for method, one in methods.items():
            assert f"<code>{method.upper()} {path}</code>" in page
            assert f'id="{one["operationId"]}"' in page
    assert not re.search(r"<script(?! src=\"/static/)", page)
    assert "curl -s http://127.0.0.1:8765/api/v1/" in page
    assert "Authorization" not in page
    secret = "a-word-of-our-own-1"  # noqa: S105 - of this test
    with client_of(ServerSettings(token=secret), headers={"Authorization": f"Bearer {secret}"}) as own:
        shown = own.get("/api").text.replace("<wbr>", "")
        assert "Authorization: Bearer TOKEN" in shown
        assert secret not in shown


def test_figures_count_requests_by_route_and_never_by_a_clients_words(client):
    for _ in range(3):
        client.get(f"{V1}/runs")
    client.get(f"{V1}/runs/secret-id")
    client.get("/secret-path")
    client.request("BREW", f"{V1}/runs", headers=CHANGING)
    client.get("/static/style.css")
    text = client.get("/metrics").text
    assert 'workflow_history_requests_total{method="GET",route="/api/v1/runs",status="200"} 3.0' in text
    assert 'workflow_history_requests_total{method="GET",route="/api/v1/runs/{id}",status="404"} 1.0' in text
    assert 'method="other",route="/api/v1/runs",status="405"' in text
    assert 'workflow_history_request_seconds_count{method="GET",route="/api/v1/runs"} 3.0' in text
    assert "workflow_history_runs 60.0" in text
    assert re.search(r"workflow_history_last_sync_timestamp_seconds 1\.\d+e\+09", text)
    assert "secret" not in text
