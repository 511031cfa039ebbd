"""No secret of a scanned file is stored, and ordinary text stays as it is."""

from __future__ import annotations

import gc
import json
import random
import sqlite3
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.server.core.workflow_history import database
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.common.redaction import find, gitleaks, redact_json, redact_text
from app.server.core.workflow_history.pipeline import read_run
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.writing import redact_stored
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import (
    PLACES,
    assistant,
    init,
    prompt,
    result,
    run,
    run_with_texts,
    stream,
    tool_result,
    tool_use,
)
from app.server.tests.support.secret_list import ordinary, shapes
from app.server.tests.support.secret_shapes import TOKENS, texts
from app.server.tests.support.thoroughness import tries
from scripts.make_gitleaks_rules import sample

TOKEN = "gh" + "p_" + "a1B2c3D4e5F6" * 3

ORDINARY = (
    "commit 8a348f7c2d1e4b5a6978c0d1e2f3a4b5c6d7e8f9 of feature-issue-12-adw-e2a5d817-add-login",
    "id 550e8400-e29b-41d4-a716-446655440000, model claude-sonnet-4-5-20250929, gpt-4o-mini-2024-07-18",
    "input_tokens: 123456, max_tokens=4096, token_count: 12_000, cache_key=a1b2",
    "the password must be at least 8 characters: letters and digits; token: str | None = None",
    'password = os.environ["DB_PASSWORD"]; api_key = settings.api_key; secret = get_secret(name)',
    "PASSWORD=${DB_PASSWORD} TOKEN=<your-token> API_KEY=your-api-key-1234567 postgres://user:password@host/db",
    "see app/server/tests/test_auth_token_v2.py and https://example.org:8080/a/b?c=d@e",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5",
    "look for -----BEGIN PRIVATE KEY----- in the file; task-management-with-many-hyphenated-words-in-it",
    "uv run pytest tests/test_token.py -q --token-file=secrets.json --password-stdin",
    "secret santa: Monday; the key: value pairs; tokens => numbers; bearer of bad news",
    "the password field is required. Password: at least 8 characters. token: a string. Passwords are hashed.",
    "password: string\ntoken: str = None\nmax_tokens=4096\npassword: SecretStr\nsecret: Optional[str]",
    "TOKEN=$TOKEN\nexport API_KEY=${API_KEY}\npassword: ${{ secrets.DB_PASSWORD }}\nkey: process.env.API_KEY",
    "api_key=os.getenv('API_KEY'), password=getpass(), token=self.token, secret=settings.SECRET_KEY",
    'if password == other.password or token != request.headers["token"]: raise InvalidToken("bad token")',
    '"js-tokens": "^4.0.0", "secretstorage==3.3.3", token-types@^6.0.0: version "6.0.0"',
    '<input type="password" name="password" placeholder="Password"> <label for="token">Token</label>',
    '"AWS::IAM::AccessKey": "bf29289b78d371e3", arn:aws:secretsmanager:eu-west-1:1:secret:the-name-of-it',
    'nextToken: "RW5DdDJkMWYwZjM2MzM2VHVpOHJIUXlDUXlhc2Qz", "PasswordLastUsed": "2016-09-08T21:47:36Z"',
    "private_key: PKCS7PrivateKeyTypes, from .oauth2 import OAuth2PasswordBearer as OAuth2PasswordBearer",
    "docker run -p 8080:80 -e TOKEN app; mysql -u root -p shop; ssh -p 2222 host; curl -u $USER:$PASS x",
    "openssl rsa -passin env:KEY_PASS -in k.pem; docker login -u bob --password-stdin < file",
    "file.py:1024:17:error:E501 and 12:30:45 and a:1:b:c:d, 10.0.0.1:5432 refused",
)


def run_with(agents: Path, run_id: str, text: str) -> Path:
    """Write a run that says a text wherever a run can say something."""
    folder = run(agents, run_id, {
        "adw_id": run_id, "nl_input": f"Add a login. {text}", "branch_name": text, "plan_file": text,
        "status": "failed", "error_message": text, "current_phase": text, "workflow_template": text,
        "issue_class": text, "issue_number": text, "model_used": text, text: "a key",
        "note": {"deep": [text, {"er": text}]}, "input_tokens": text, "created_at": text,
    })  # fmt: skip
    calls = [
        tool_use("t1", command=text),
        tool_use("t2", command=f"echo {text} && git {text}"),
        tool_use("t3", name=text, file_path=text),
        tool_use("t4", name="Skill", skill=text),
    ]
    lines = [
        init(session=text),
        assistant("m1", content=calls, session=text),
        tool_result("t1", text=text, is_error=True, session=text),
        result(session=text, is_error=True, subtype=text, result=text, uuid=text),
        f"no json {text}",
    ]
    stream(folder, "builder", *lines)
    prompt(folder, "planner", f"/feature 1 {run_id} {json.dumps({'number': 1, 'title': text, 'body': text})}")
    (folder / "error.log").write_text(f"it broke\n{text}")
    (folder / "adw_plan").mkdir()
    (folder / "adw_plan" / "execution.log").write_text(f"2026-01-01 10:00:00 workflow completed {text}")
    return folder


def files_of(history: Path) -> bytes:
    """Return all bytes of a history's files, its log too."""
    return b"".join(file.read_bytes() for file in history.parent.glob(f"{history.name}*"))


def answers() -> str:
    """Return what Python tells of all runs."""
    runs = database.get_workflow_history()["workflows"]
    found = [database.load_workflow(f"{run['project']}/{run['id']}") for run in runs]
    return json.dumps([runs, found], default=str, ensure_ascii=False)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "own.db"))
    return tmp_path / "own.db"


@tries(25)
@given(texts())
def test_no_secret_of_any_file_gets_into_a_history_or_an_answer(made: tuple[str, str]) -> None:
    secret, text = made
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        history = Path(folder) / "own.db"
        patch.setenv("WORKFLOW_HISTORY_DB", str(history))
        run_with(Path(folder) / "agents", "a1b2c3d4", text)
        stats = sync_workflow_history(silent=True, agents_dir=Path(folder) / "agents")
        assert stats["inserted"] == 1
        assert stats["secrets"]
        told = json.dumps(stats, ensure_ascii=False) + answers()
        with History.open(history):  # as long as one is open, its log is there
            assert secret.encode() not in files_of(history)
        assert secret not in told


@tries(300)
@given(texts(), st.text(max_size=30))
def test_what_is_scrubbed_holds_no_secret_and_stays_as_it_is(made: tuple[str, str], more: str) -> None:
    secret, text = made
    clean = redact_text(f"{more} {text} {more}")
    assert secret not in clean
    assert "[secret: " in clean
    assert redact_text(clean) == clean


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_text_comes_back_as_the_same_object(text: str) -> None:
    assert redact_text(text) is text
    value = {"said": text, "all": [text]}
    assert redact_json(value) is value


@pytest.mark.parametrize("kind", TOKENS)
@given(data=st.data())
@tries(10)
def test_a_mark_says_what_was_there_and_tells_the_same_key_again(kind: str, data: Any) -> None:
    key = data.draw(TOKENS[kind])
    first, second = redact_text(f"a {key} b {key} c").removeprefix("a ").removesuffix(" c").split(" b ")
    assert first == second
    assert first.startswith(f"[secret: {kind} ")


SLOW = (
    "password=", "password:", "token ", "--token-", "://a:", "sk-", "xox" + "b-aaa-", "ey" + "Jaaaaaaaaa.",
    "-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----\n", "-----begin private key-----\n" + "a1" * 20 + "\n",  # noqa: E501
    "b3BlbnNza" + "C1rZXktdjEx\n", "Private-Lines: 2\n", "a1b2c3d4" * 3 + "\n", "1:2:", "k.pem:1:", "aB", "a1_",  # noqa: E501
    "authorization ", "bearer", "secret=a1", "/a", "AIza", "\\", "%41", "&amp;", "\\u0041", "\x1b[", "\x1b]", "\u200b",  # noqa: E501
    "gh" + "p_a1\n", '"a" + ', "<password ", "password>", "password\n ", "password is ", "$6$", ":5432:", "a:1:",  # noqa: E501
    "mysql -", "curl -u a", "echo a|", "login ", "cookie: a=", "mnemonic: ", "atlasv1", "[secret: password]", "[secret: ",  # noqa: E501
    'password="a"b', "DB_PASSWORD='a''", 'password: "\\"', "PASSWORD=(", "password: \"x9#'Kq!f",
    "api_key='11111111-2222-3333-4444-555555555555'\n",
    "password={", "password=<x>", "password=${A:-", "${PASSWORD:-a",
    "password=a1b2c3,", "password=%a%", 'password="a b ', "--password 'a b ", "<password>a b ", "curl -u 'a:",
)  # fmt: skip


@pytest.mark.parametrize("piece", SLOW)
def test_a_long_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        gc.disable()  # what else is in memory takes no part in the time
        try:
            start = time.process_time()
            redact_text(text)
            return time.process_time() - start
        finally:
            gc.enable()

    seconds(100)  # the first of all reads the rules, too
    assert seconds(48_000) < 10 * max(seconds(12_000), 0.02)


def test_a_name_tells_that_its_value_is_a_secret(file: Path) -> None:
    database.insert_workflow(
        {"id": "a", "db_password": "tr0ub4dor&3", "port": 9100, "deep": {"api_key": TOKEN}}
    )
    found = database.get_workflow_by_id("a")
    assert found is not None
    assert (found["db_password"], found["port"]) == ("[secret: password]", 9100)
    assert TOKEN not in json.dumps(found)
    database.update_workflow("a", {"nl_input": f"use {TOKEN}"})
    assert TOKEN.encode() not in files_of(file)


def test_no_log_and_no_outcome_of_a_sync_quotes_a_secret(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(workflow: object) -> None:
        raise ValueError(f"could not convert string to float: {TOKEN}")

    monkeypatch.setattr(read_run, "add_scores", stumble)
    agents = tmp_path / "shop" / "agents"
    run(agents, "cccc3333", {"adw_id": TOKEN, "created_at": TOKEN, "status": TOKEN})
    with caplog.at_level("DEBUG"):
        done = sync_workflow_history(agents_dir=agents)
    assert done["errors"]
    assert TOKEN not in caplog.text + json.dumps(done)


def test_a_sync_after_a_scrubbed_one_finds_nothing_new(tmp_path: Path, file: Path) -> None:
    run_with(tmp_path / "agents", "a1b2c3d4", TOKEN)
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    before = files_of(file)
    again = sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    assert (again["unchanged"], again["secrets"]) == (1, {})
    assert files_of(file) == before


def test_the_place_in_a_growing_stream_keeps_no_secret(tmp_path: Path, file: Path) -> None:
    folder = run(tmp_path / "agents", "a1b2c3d4", {"nl_input": "Add a login"})
    calls = [tool_use(f"t{n}", command=f"echo {TOKEN} {'x' * 300}") for n in range(1_000)]
    lines = [init(), *(assistant(f"m{number}", content=[call]) for number, call in enumerate(calls))]
    written = stream(folder, "builder", *lines)
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    with sqlite3.connect(file) as connection:
        marks = connection.execute("SELECT checkpoint FROM stream_checkpoints").fetchall()
    connection.close()
    assert len(marks) == 1
    assert TOKEN.encode() not in files_of(file)
    with written.open("a") as more:
        more.write(result(cost=0.5) + "\n")
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    found = database.get_workflow_by_id("a1b2c3d4")
    assert found is not None
    assert (found["total_cost"], found["phase_costs"][0]["tool_calls"]) == (0.5, 1_000)


def history_of_old(monkeypatch: pytest.MonkeyPatch, agents: Path) -> None:
    """Make a history as versions did that scrubbed nothing."""
    with monkeypatch.context() as patch:
        for name in (
            "storage.rows.column_types",
            "analysis.patterns.tool_operations",
            "costs.accounting.agent_run",
            "ingest.runs.build_run",
            "ingest.runs.small_files",
            "ingest.streams.checkpoint",
            "storage.rows.row_codec",
            "costs.accounting.message_claims",
        ):
            for function in ("redact_text", "redact_json"):
                patch.setattr(
                    f"app.server.core.workflow_history.{name}.{function}",
                    lambda value, *_: value,
                    raising=False,
                )
        sync_workflow_history(silent=True, agents_dir=agents)


def test_scrub_takes_secrets_out_of_all_files_of_an_old_history(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_with(tmp_path / "agents", "a1b2c3d4", TOKEN)
    run_with(tmp_path / "agents", "e5f6a7b8", "nothing worth hiding")
    history_of_old(monkeypatch, tmp_path / "agents")
    database.update_workflow("e5f6a7b8", {"status": "completed"})
    assert TOKEN.encode() in files_of(file)
    found = database.redact()
    assert found.keeps_text
    assert set(found.secrets) == {"github token"}
    assert TOKEN.encode() not in files_of(file)
    assert TOKEN.lower().encode() not in files_of(file)  # as the search holds words
    assert database.check() == []
    assert database.get_workflow_history(search="login")["total"] == 2
    assert database.get_workflow_history(search=TOKEN)["total"] == 0
    assert database.redact() == redact_stored.RedactionResult(0, {}, keeps_text=True)
    again = sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    assert again["unchanged"] == 2


def test_hardly_a_secret_of_any_shape_is_stored_wherever_it_stands(tmp_path: Path, file: Path) -> None:
    said = {place: shapes(number) for number, place in enumerate(PLACES)}
    agents = tmp_path / "shop" / "agents"
    for number in range(len(said["request"])):
        text = {place: said[place][number].text for place in PLACES}
        note = {"deep": [text["state"], {text["state"]: 1}]}
        run_with_texts(agents, f"{number:08x}", text, note=note)
        only_a_branch = run(agents, f"{number + 4096:08x}", {"branch_name": f"feature/{text['branch']}"})
        (only_a_branch / "error.log").write_text(f"it broke\n{text['error']}")
    done = sync_workflow_history(silent=True, agents_dir=agents)
    assert done["inserted"] == 2 * len(said["request"])
    with History.open(file):  # as long as one is open, its log is there
        kept = files_of(file).lower() + json.dumps(done).encode().lower()
    every = [(place, shape) for place in PLACES for shape in said[place]]
    missed = [
        (place, shape.name)
        for place, shape in every
        if any(secret.lower().encode() in kept for secret in shape.secrets)
    ]
    assert len(said["request"]) >= 160
    assert len(missed) <= 0.05 * len(every), missed


def test_a_rule_misses_hardly_a_secret_whatever_its_letters_are() -> None:
    every = [shape for seed in range(10, 15) for shape in shapes(seed)]
    missed = [
        shape.name for shape in every if any(secret in redact_text(shape.text) for secret in shape.secrets)
    ]
    assert len(missed) <= 0.01 * len(every), missed
    assert [
        shape.name for shape in every[:250] if redact_text(redact_text(shape.text)) != redact_text(shape.text)
    ] == []


def test_in_ordinary_texts_no_secret_is_found() -> None:
    dice = random.Random(12)
    found: list[str] = []
    length = 0
    while length < 1_500_000:
        text = ordinary(dice)
        length += len(text)
        if redact_text(text) is not text:
            found.append(redact_text(text))
    assert found == []


def test_every_rule_of_gitleaks_finds_what_it_describes() -> None:
    rules = msgspec.json.decode(gitleaks._FILE.read_bytes())
    assert "Permission is hereby granted" in rules["licence"]
    assert len(rules["rules"]) > 190
    dice = random.Random(1)
    missed = []
    for rule in rules["rules"]:
        keys = [f"{sample(rule['regex'], dice)} {rule['keywords'][0]}" for _ in range(5)]
        if all(redact_text(f" {key} ") == f" {key} " for key in keys):
            missed.append(rule["id"])
    assert len(missed) <= 0.05 * len(rules["rules"]), missed


def test_what_is_made_of_a_name_is_made_of_the_redacted_one(tmp_path: Path, file: Path) -> None:
    run(tmp_path / "agents", "a1b2c3d4", {"branch_name": f"feature/add-login-{TOKEN}"})
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    found = database.get_workflow_by_id("a1b2c3d4")
    assert found is not None
    assert found["nl_input"].startswith("feature add login [secret: github token")
    assert TOKEN[4:20].encode() not in files_of(file)


def test_a_quote_that_is_never_closed_hides_no_secret_in_a_list() -> None:
    text = '"api_key": "x7Kq9Zr4Tmp2Wd8nB6Ly)'
    assert redact_json([text, None]) == [redact_text(text), None]
    assert redact_json([text, "another"]) == [redact_text(text), "another"]
    assert "x7Kq9Zr4Tmp2Wd8nB6Ly" not in str(redact_json({"session": text, "more": {"deep": [text]}}))


def test_a_value_without_a_secret_is_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text and name is looked at once, however often it stands there."""
    looked: list[str] = []

    def find_secrets(text: str) -> list[Any]:
        looked.append(text)
        return []

    monkeypatch.setattr(find, "find_secrets", find_secrets)
    value = {
        "runs": [{"agent": "the planner of 7 parts", "input_tokens": 4096, "note": "it's 12 o'clock"}] * 9
    }
    assert redact_json(value) is value
    said = "\n".join(looked)
    assert said.count("the planner of 7 parts") == said.count("it's 12 o'clock") == said.count("note") == 1


def test_a_mark_covers_all_lines_of_a_list_of_variables_and_no_more() -> None:
    clean = redact_text(
        "HOST=db\nDB_PASSWORD=kalo-mite-77x\nDB_PORT=5432\nAPI_TOKEN=x7Kq9Zr4Tmp2Wd8nB6Ly\nUSER=app"
    )
    assert clean == (
        "HOST=db\nDB_PASSWORD=[secret: password]\nDB_PORT=5432\nAPI_TOKEN=[secret: password]\nUSER=app"
    )


SAID = "zebrafish quokka"


def test_without_texts_nothing_that_was_said_is_stored(tmp_path: Path, file: Path) -> None:
    run_with(tmp_path / "agents", "a1b2c3d4", SAID)
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents", no_text=True)
    assert not [word for word in SAID.split() if word.encode() in files_of(file)]
    found = database.get_workflow_by_id("a1b2c3d4")
    assert found is not None
    assert (found["nl_input"], found["error_message"], found["text_kept"]) == (None, None, False)
    assert found["phase_costs"][0]["tool_calls"] == 4
    assert found["nl_clarity_score"] is not None


def test_a_history_that_was_begun_without_texts_goes_on_so(tmp_path: Path, file: Path) -> None:
    agents = tmp_path / "agents"
    run_with(agents, "a1b2c3d4", SAID)
    sync_workflow_history(silent=True, agents_dir=agents, no_text=True)
    run_with(agents, "e5f6a7b8", SAID)
    sync_workflow_history(silent=True, agents_dir=agents)
    database.insert_workflow({"id": "c", "nl_input": SAID})
    database.update_workflow("c", {"error_message": SAID})
    assert SAID.split(maxsplit=1)[0].encode() not in files_of(file)
    assert sync_workflow_history(silent=True, agents_dir=agents)["unchanged"] == 2


def test_a_history_with_texts_is_not_mixed_with_runs_without(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_with(tmp_path / "agents", "a1b2c3d4", SAID)
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    with pytest.raises(WorkflowHistoryError, match="db redact --no-text"):
        sync_workflow_history(silent=True, agents_dir=tmp_path / "agents", no_text=True)
    monkeypatch.setenv("WORKFLOW_HISTORY_NO_TEXT", "1")
    with pytest.raises(WorkflowHistoryError, match="db redact --no-text"):
        database.insert_workflow({"id": "b", "nl_input": SAID})
    assert not database.redact(no_text=True).keeps_text
    assert not [word for word in SAID.split() if word.encode() in files_of(file)]
    assert database.insert_workflow({"id": "b", "nl_input": SAID})
    assert database.check() == []
    again = sync_workflow_history(silent=True, agents_dir=tmp_path / "agents")
    assert again["unchanged"] == 1


def test_every_question_is_answered_without_texts(tmp_path: Path, file: Path) -> None:
    for number in range(4):
        run_with(tmp_path / "agents", f"a1b2c3d{number}", SAID)
    sync_workflow_history(silent=True, agents_dir=tmp_path / "agents", no_text=True)
    asked = (
        ["list"], ["list", "--search", "zebrafish"], ["show", "a1b2c3d1"], ["stats"], ["similar", "a1b2c3d1"],
        ["similar", "--text", "zebrafish"], ["forecast", "zebrafish quokka"], ["patterns"], ["anomalies"],
        ["explain", "a1b2c3d1", "nl_clarity_score"], ["compare", "a1b2c3d1", "a1b2c3d2"],
    )  # fmt: skip
    for words in asked:
        answer = CliRunner().invoke(app, [*words, "--json"])
        assert answer.exit_code in {0, 1, 2}
        assert answer.exception is None or isinstance(answer.exception, SystemExit), words
        assert SAID not in answer.output or "forecast" in words or "similar" in words


def test_the_command_says_what_it_took_out(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_with(tmp_path / "agents", "a1b2c3d4", TOKEN)
    said = CliRunner().invoke(app, ["sync", str(tmp_path / "agents")])
    assert "redacted (" in said.output
    answer = CliRunner().invoke(app, ["db", "redact", "--json"])
    assert json.loads(answer.output)["secrets"] == {}
    refused = CliRunner().invoke(app, ["db", "redact", "--no-text"])
    assert (refused.exit_code, "then add --yes" in refused.output.replace("\n", " ")) == (2, True)
    assert database.load_workflow("a1b2c3d4")["nl_input"]
    assert CliRunner().invoke(app, ["db", "redact", "--no-text", "--yes"]).exit_code == 0
    assert database.load_workflow("a1b2c3d4")["nl_input"] is None
    file.unlink()
    assert CliRunner().invoke(app, ["db", "redact"]).exit_code == 1
