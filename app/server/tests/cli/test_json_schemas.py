"""Output of --json has a version and matches its published schema, key for key."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from typer.testing import CliRunner

from app.server.core.workflow_history import demo, sync
from app.server.core.workflow_history.cli.app import COMMANDS, app
from app.server.core.workflow_history.common.field_docs import Doc, field_docs
from app.server.core.workflow_history.queries.json.encoding import json_schema, to_json
from app.server.core.workflow_history.queries.json.schemas import SCHEMAS, get_schema
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.storage.tables.schema import metadata
from scripts import make_json_schemas

END = datetime(2026, 3, 31, 18, tzinfo=UTC)


def given_by(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*words, "--json"], prog_name="workflow-history")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    demo.make_agents_folder(folder / "agents", runs=60, end=END)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKFLOW_HISTORY_DB", str(folder / "history.db"))
        sync.sync_workflow_history(silent=True, agents_dir=folder / "agents")
    return folder


def without_room(schema: Any, inside: str = "") -> Any:
    """Return a schema that allows no key but those it names; of a run, the state file's own keys stay."""
    if isinstance(schema, list):
        return [without_room(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: without_room(part, key) for key, part in schema.items()}
    open_run = "state file" in str(schema.get("description"))
    if isinstance(schema.get("properties"), dict) and inside != "properties" and not open_run:
        closed["additionalProperties"] = schema.get("additionalProperties", False)
    return closed


def check(name: str, given: dict[str, Any]) -> None:
    assert given["schema_version"] == 2
    Draft202012Validator(without_room(get_schema(name))).validate(given)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sync", ["sync", "{agents}"]),
        ("list", ["list", "--limit", "60"]),
        ("cost", ["cost", "{agents}"]),
        ("cost", ["cost", "{agents}", "--by", "agent"]),
        ("export", ["export", "agent-runs", "--output", "{new}"]),
        ("reprice", ["reprice", "--status", "failed"]),
        ("explain", ["explain", "{run}", "cost"]),
        ("explain", ["explain", "{run}"]),
        ("compare", ["compare", "{run}", "{other}"]),
        ("similar", ["similar", "{run}", "--threshold", "0"]),
        ("stats", ["stats", "--by", "phase", "--across", "week"]),
        ("stats-overview", ["stats"]),
        ("stats-waste", ["stats", "--waste"]),
        ("stats-trend", ["stats", "--trend", "90d"]),
        ("forecast", ["forecast", "--text", "CSV export for suppliers"]),
        ("forecast-run", ["forecast", "{run}"]),
        ("forecast-calibration", ["forecast", "--backtest"]),
        ("anomalies", ["anomalies"]),
        (
            "budget-check",
            ["budget", "check", "--config", "{config}", "--as-of", "2026-03-31", "--since", "9w"],
        ),
        ("budget-init", ["budget", "init", "--config", "{new}"]),
        ("config-show", ["config", "show", "--config", "{config}"]),
        ("syncs", ["syncs"]),
        ("db-info", ["db", "info"]),
        ("db-path", ["db", "path"]),
        ("db-version", ["db", "version"]),
        ("db-verify", ["db", "verify"]),
        ("db-backup", ["db", "backup", "{new}"]),
        ("db-restore", ["db", "restore", "{history}", "--db", "{new}"]),
        ("db-redact", ["db", "redact"]),
        ("db-vacuum", ["db", "vacuum"]),
        ("db-prune", ["db", "prune", "--older-than", "1d"]),
        ("merge", ["merge", "{history}", "--db", "{new}"]),
        ("completion", ["completion", "bash"]),
        ("schemas", ["schema"]),
        ("patterns", ["patterns", "--all"]),
        ("patterns-show", ["patterns", "show", "pytest"]),
        ("patterns-decide", ["patterns", "accept", "pytest", "--note", "why not"]),
        ("demo", ["demo", "{folder}", "--runs", "3"]),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else value,
)
def test_what_a_command_gives_is_as_its_schema_says(history, tmp_path, monkeypatch, name, words):
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(history / "history.db"))
    config = tmp_path / "budgets.toml"
    config.write_text("[budget]\nrun = 100\nmonth = 1000\n", "utf-8")
    run, other = (one["id"] for one in given_by("list", "--status", "completed", "--limit", "2")["workflows"])
    places = {
        "agents": history / "agents", "new": tmp_path / "a.csv", "folder": tmp_path / "demo",
        "config": config, "run": run, "other": other, "history": history / "history.db",
    }  # fmt: skip
    check(name, given_by(*(word.format(**places) for word in words)))


def test_every_run_that_is_shown_is_as_its_schema_says(history, monkeypatch):
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(history / "history.db"))
    page = given_by("list", "--limit", "60")
    for run in page["workflows"]:
        Draft202012Validator(get_schema("run")).validate(run)
    for run in page["workflows"][:12]:
        shown = given_by("show", run["id"])
        assert shown["schema_version"] == 2
        Draft202012Validator(get_schema("show")).validate(shown)
        assert get_schema("show")["properties"].keys() >= {"patterns", "problems", "phase_costs"}
    one = given_by("reprice", page["workflows"][0]["id"])
    check("reprice-one", one)


@pytest.mark.parametrize("what", ["runs", "agent-runs", "patterns"])
def test_every_line_that_is_taken_out_is_as_its_schema_says(history, monkeypatch, what):
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(history / "history.db"))
    result = CliRunner().invoke(app, ["export", what, "--columns", "all", "--json"])
    lines = result.stdout.splitlines()
    assert lines
    validator = Draft202012Validator(without_room(get_schema(f"export-{what}")))
    for line in lines:
        validator.validate(json.loads(line))


def test_a_run_without_its_id_or_with_words_for_its_cost_is_refused(tmp_path):
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": "a", "total_cost": 0.5}])
    run = given_by("list")["workflows"][0]
    validator = Draft202012Validator(get_schema("run"))
    validator.validate(run)
    for wrong in ({**run, "total_cost": "much"}, {key: run[key] for key in run if key != "id"}):
        with pytest.raises(ValidationError):
            validator.validate(wrong)


def test_a_state_files_own_version_does_not_stand_for_ours(tmp_path):
    with History.open(tmp_path / "history.db") as history:
        history.save([{"id": "a", "schema_version": "7.3"}])
    shown = given_by("show", "a")
    assert shown["schema_version"] == 2
    assert next(iter(shown)) == "schema_version"


def test_every_command_has_a_schema():
    for name in COMMANDS.keys() - {"schema"}:
        assert any(schema == name or schema.startswith(f"{name}-") for schema in SCHEMAS), name


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one_and_says_what_its_fields_mean(name):
    schema = get_schema(name)
    Draft202012Validator.check_schema(schema)
    known = {f"#/$defs/{part}" for part in schema.get("$defs", {})}
    assert {*re.findall(r"#/\$defs/\w+", json.dumps(schema))} <= known
    for part in (schema, *schema.get("$defs", {}).values()):
        assert part["description"]
        fields = {} if "enum" in part else part["properties"]
        assert all(told["description"] for told in fields.values()), part


BANNED_WORDS = re.compile(
    r"in vain|ended well|\bsteady\b|\btake[sn]? .{0,20}\bout\b|\blook(ing)? after\b|\bcare\b"
    r"|\bh[eo]ld\b.{0,20} against|(?<!there )\b(is|are) no [a-z]|\bsa(y|ys|id)\b|\btells?\b|\btold\b"
    r"|\bstands? in\b|\blies\b|\banew\b|\bdear(er|est)?\b|\bcostliest\b|\bakin\b|\balike\b|\blikeness\b"
    r"|the like\b|\breckon|\bmend|\bat work\b|is at it|goes on|from then on|as long before"
    r"|\bso (much|long|many)\b|8 in 10|nine of ten|9 of 10|\bwhere (it|there|one|a|the) |\bof whom\b"
    r"|(^|, )of which\b|\bgone\b|\bhabit|\bwhat\b|\bagents? folders?\b",
    re.IGNORECASE,
)
"""Words of the glossary that have a better one, and clauses in the place of nouns."""

FILLER_WORDS = {"a", "an", "the", "of", "its", "this", "these", "all", "is", "are", "it", "null", "none"}


def words_beyond(key: str, description: str) -> set[str]:
    """Return the words that a description adds to a key."""
    return {*re.findall(r"[a-z]+", description.lower())} - {*key.lower().split("_")} - FILLER_WORDS


def may_be_null(subschema: dict[str, Any]) -> bool:
    kinds = (choice.get("type", ()) for choice in (subschema, *subschema.get("anyOf", ())))
    return any("null" in ([kind] if isinstance(kind, str) else kind) for kind in kinds)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_description_says_more_than_its_key_and_when_the_value_is_null(name):
    schema = get_schema(name)
    echoes, unexplained, in_other_words = [], [], []  # of an export, any column may be typed as null
    for record in (schema, *schema.get("$defs", {}).values()):
        for key, subschema in record.get("properties", {}).items():
            description = subschema["description"]
            if not words_beyond(key, description):
                echoes.append((key, description))
            if may_be_null(subschema) and "null" not in description and not name.startswith("export-"):
                unexplained.append((key, description))
            if match := BANNED_WORDS.search(description):
                in_other_words.append((key, match.group()))
    assert (echoes, unexplained, in_other_words) == ([], [], [])


def test_every_column_is_described_beyond_its_name():
    for table in metadata.tables.values():
        assert table.comment, table.name
        assert not BANNED_WORDS.search(table.comment), table.comment
        for column in table.c:
            assert column.comment, f"{table.name}.{column.name}"
            assert words_beyond(column.name, column.comment), f"{table.name}.{column.name}"
            assert not BANNED_WORDS.search(column.comment), column.comment


def test_the_published_files_are_up_to_date():
    found = {file.name: file.read_text() for file in make_json_schemas.FOLDER.iterdir()}
    assert found == make_json_schemas.files(), "run: python -m scripts.make_json_schemas"


def test_the_schema_command_prints_what_is_published():
    printed = CliRunner().invoke(app, ["schema", "list"]).stdout
    assert printed == (make_json_schemas.FOLDER / "list.schema.json").read_text()
    assert CliRunner().invoke(app, ["schema"]).stdout.split() == list(SCHEMAS)
    assert given_by("schema")["names"] == list(SCHEMAS)
    wrong = CliRunner().invoke(app, ["schema", "dreams"])
    assert wrong.exit_code == 2
    assert 'Invalid schema "dreams". Use one of: sync, list' in wrong.stderr


@dataclass(frozen=True, slots=True)
class Part:
    """A part."""

    cost: Annotated[float | None, Doc("US dollars")]


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer of another topic."""

    since: Annotated[datetime, Doc("the first day")]
    parts: Annotated[tuple[Part, ...], Doc("by phase")] = ()
    by_name: dict[str, Part] | None = None


def test_a_typed_answers_schema_holds_for_its_json_and_names_every_field():
    schema = json_schema(Whole)
    Draft202012Validator(schema).validate(to_json(Whole(END, (Part(None),), {"plan": Part(0.5)})))
    assert schema["required"] == ["schema_version", "since", "parts", "by_name"]
    assert schema["properties"]["since"]["description"] == "the first day"
    assert schema["$defs"]["Part"]["properties"]["cost"]["description"] == "US dollars"
    assert field_docs(Whole) == {"since": "the first day", "parts": "by phase"}
