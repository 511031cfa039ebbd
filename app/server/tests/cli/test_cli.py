"""The commands as typed: output, exit codes and files, on real folders and databases."""

import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress
from typer.testing import CliRunner, Result

from app.server.core.workflow_history import database, resync, sync
from app.server.core.workflow_history.cli import app as app_module
from app.server.core.workflow_history.cli.app import COMMANDS, app, load_command
from app.server.core.workflow_history.cli.progress import progress_callback
from app.server.core.workflow_history.common.errors import AmbiguousWorkflowError, WorkflowHistoryError
from app.server.core.workflow_history.queries.json.schemas import FORMER_NAMES as FORMER_SCHEMAS
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.build import assistant, init
from app.server.tests.support.live_server import serving
from app.server.tests.support.paths import ROOT
from app.server.tests.support.patience import PATIENCE
from scripts import make_cli_docs, make_pictures
from scripts.make_cli_docs import GROUPS

EVERY = [[name] for name in COMMANDS] + [[group, name] for group, names in GROUPS.items() for name in names]


def type_in(*words: str, **env: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="workflow-history", env={"COLUMNS": "120", **env})


def result_line(cost: float) -> str:
    return json.dumps(
        {
            "type": "result",
            "subtype": "success",
            "is_error": False,
            "total_cost_usd": cost,
            "duration_ms": 61_000,
            "num_turns": 4,
            "session_id": "session-1",
            "result": "Done.",
            "usage": {"input_tokens": 10, "output_tokens": 20},
            "modelUsage": {
                "claude-sonnet-4-5-20250929": {"inputTokens": 10, "outputTokens": 20, "costUSD": cost}
            },
        }
    )


def write_run(agents: Path, run_id: str, *, cost: float = 0.25, request: str = "Add a CSV export") -> Path:
    folder = agents / run_id
    (folder / "sdlc_planner").mkdir(parents=True)
    state = {
        "adw_id": run_id,
        "nl_input": request,
        "status": "completed",
        "created_at": "2026-03-01T10:00:00Z",
        "completed_at": "2026-03-01T10:02:00Z",
    }
    (folder / "adw_state.json").write_text(json.dumps(state))
    stream = "\n".join((init(), assistant(f"m1-{run_id}"), result_line(cost)))
    (folder / "sdlc_planner" / "raw_output.jsonl").write_text(stream + "\n")
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with two runs, not yet synced."""
    agents = tmp_path / "shop" / "agents"
    write_run(agents, "aaaa1111")
    write_run(agents, "bbbb2222", cost=0.5, request="Rotate the certificates")
    return tmp_path / "shop"


# Help


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_has_help_with_an_example_and_the_shared_options(words):
    result = type_in(*words, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Examples?:\s.*workflow-history .*{words[-1]}", result.output, re.DOTALL)
    for option in ("--json", "--db", "--quiet"):
        assert option in result.output


def test_the_overview_says_of_each_command_what_its_own_help_says():
    output = type_in("--help").output
    for name, summary in COMMANDS.items():
        assert summary in output
        assert load_command(name).help.splitlines()[0].startswith(summary.rstrip("."))


def test_the_overview_imports_neither_database_nor_prices():
    # The package's own __init__ is left out: what it imports is not the command line's doing.
    code = (
        "import sys, types\n"
        "package = types.ModuleType('app.server.core.workflow_history')\n"
        "package.__path__ = ['app/server/core/workflow_history']\n"
        "sys.modules[package.__name__] = package\n"
        "from app.server.core.workflow_history.cli.app import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(sorted({'sqlalchemy', 'numpy', 'genai_prices', 'alembic'} & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr


def test_the_page_of_the_commands_is_up_to_date():
    assert make_cli_docs.PAGE.read_text() == make_cli_docs.page(), "run: python -m scripts.make_cli_docs"


def test_the_picture_of_a_run_is_up_to_date():
    assert make_pictures.PICTURE.read_text() == make_pictures.picture(), (
        "run: python -m scripts.make_pictures"
    )


def test_the_version_is_said():
    assert re.fullmatch(r"workflow-history \S+\n", type_in("--version").output)


# Former names


FORMER_OPTIONS = [
    ("list --template none", "list --workflow none"),
    ("list --gone", "list --source missing"),
    ("list --present -q", "list --source present -q"),
    ("export --present", "export --source present"),
    ("patterns --template none", "patterns --workflow none"),
    ("patterns --keep-share 0.1 --all", "patterns --residual-cost 0.1 --all"),
    ("patterns show Bash --keep-share 0.1", "patterns show Bash --residual-cost 0.1"),
    ("anomalies --recent 0", "anomalies --window 0"),
    ("anomalies --recent=7d", "anomalies --window=7d"),
    ("forecast --text Add --template none", "forecast --text Add --workflow none"),
    ("forecast --calibration", "forecast --backtest"),
    ("budget check --at 2026-03-02", "budget check --as-of 2026-03-02"),
    ("db prune --by-config", "db prune --use-retention"),
    ("merge none.db --with-pruned", "merge none.db --include-pruned"),
    ("sync shop --with-pruned --engine threads:1", "sync shop --include-pruned --executor threads:1"),
    ("serve --host 192.0.2.1 --name a.example", "serve --host 192.0.2.1 --allowed-host a.example"),
    ("serve --port 70000 --no-follow", "serve --port 70000 --no-watch"),
    ("serve --port 70000 --follow", "serve --port 70000 --watch"),
]


@pytest.mark.parametrize(("former", "present"), FORMER_OPTIONS)
def test_former_names_of_options_still_work_but_are_not_shown(shop, monkeypatch, former, present):
    monkeypatch.chdir(shop.parent)
    (shop.parent / "workflow-history.toml").write_text(
        "[budget]\nrun = 1\n[[retention]]\nolder_than = '18mo'\n"
    )
    type_in("sync", str(shop))
    results = [type_in(*words.split()) for words in (former, present)]
    assert results[0].exit_code == results[1].exit_code
    assert _without_durations(results[0].output) == _without_durations(results[1].output)
    assert "No such option" not in results[0].output
    name = next(word for word in present.split() if word.startswith("--") and word not in former)
    command = present.split()[: 2 if present.startswith(("budget ", "db ")) else 1]
    shown = type_in(*command, "--help").output
    assert re.search(rf"{name.partition('=')[0]}\b", shown)
    for old in {word.partition("=")[0] for word in former.split() if word not in present.split()}:
        assert not re.search(rf"{old}\b", shown)


FORMER_COMMANDS = [
    ("check", "budget check"),
    ("check --since 7d --quiet", "budget check --since 7d --quiet"),
    ("check --init --config new.toml", "budget init --config new.toml"),
    ("check --init", "budget init"),
    ("resync --all", "reprice --all"),
    ("resync aaaa1111 --json", "reprice aaaa1111 --json"),
    ("resync --since 2026-03-01 --until 2026-03-01", "reprice --since 2026-03-01 --until 2026-03-01"),
    ("resync", "reprice"),
    ("db check --json", "db verify --json"),
    ("db scrub", "db redact"),
    ("db scrub --no-text", "db redact --metadata-only"),
    *[(f"schema {former}", f"schema {present}") for former, present in FORMER_SCHEMAS.items()],
]


@pytest.mark.parametrize(("former", "present"), FORMER_COMMANDS)
def test_former_names_of_commands_still_work_but_are_not_listed(shop, monkeypatch, former, present):
    monkeypatch.chdir(shop.parent)
    config = shop.parent / "workflow-history.toml"
    config.write_text("[budget]\nrun = 0.1\n")
    type_in("sync", str(shop))
    results = []
    for words in (former, present):
        (shop.parent / "new.toml").unlink(missing_ok=True)
        results.append(type_in(*words.split()))
    assert results[0].exit_code == results[1].exit_code
    outputs = [
        _without_durations(result.output).replace("resync", "reprice").replace("scrub", "redact")
        for result in results
    ]
    assert outputs[0] == outputs[1]
    assert "No such" not in results[0].output
    shown = type_in(*(["db"] if former.startswith("db ") else []), "--help").output
    assert not re.search(r"^│ (check|resync|scrub) ", shown, re.MULTILINE)


def _without_durations(text: str) -> str:
    return re.sub(r"\d+(\.\d+)?m?s\b", "", text)


# Sync, list, show


def test_a_sync_says_what_it_found_and_what_to_type_next(shop):
    result = type_in("sync", str(shop))
    assert result.exit_code == 0
    assert "2 runs in shop" in result.output
    assert "2 new" in result.output
    assert "$0.75 recorded" in result.output
    assert "next:  workflow-history list" in result.output


def test_a_second_sync_is_one_line_and_how_the_runs_stand(shop):
    type_in("sync", str(shop))
    first, second = type_in("sync", str(shop)).output.splitlines()
    assert first.startswith("✓ nothing changed · 2 runs in shop")
    assert second == "2 completed · success rate 100% (2 of 2 finished runs)"


def test_a_sync_without_a_folder_reads_the_one_of_the_setting(shop):
    result = type_in("sync", "--json", WORKFLOW_HISTORY_AGENTS=str(shop / "agents"))
    assert json.loads(result.stdout)["scanned"] == 2


def test_a_sync_of_a_project_with_several_agents_folders_reads_all_of_them(tmp_path):
    for place in ("adws", "adws-bun"):
        write_run(tmp_path / "blog" / place / "agents", f"run-{place}")
    result = type_in("sync", str(tmp_path / "blog"))
    assert "2 runs in blog, from 2 directories" in result.stdout


def test_a_sync_of_a_folder_that_is_not_there_is_wrong_usage():
    result = type_in("sync", "no/such/folder")
    assert result.exit_code == 2
    assert result.stderr == "error: no/such/folder does not exist. Name a project or its agents directory.\n"
    assert result.stdout == ""


def test_a_sync_names_what_it_cannot_read(shop):
    (shop / "agents" / "bbbb2222" / "adw_state.json").write_text("{")
    result = type_in("sync", str(shop))
    assert result.exit_code == 0
    assert "bbbb2222/adw_state.json" in result.output


def test_a_quiet_sync_says_nothing(shop):
    assert type_in("--quiet", "sync", str(shop)).output == ""
    assert type_in("sync", str(shop), "--quiet").output == ""


def test_the_project_can_be_named(shop):
    type_in("sync", str(shop), "--project", "till")
    assert type_in("list", "--quiet").output.split() == ["till/bbbb2222", "till/aaaa1111"]


def test_the_list_shows_runs_and_sums(shop):
    type_in("sync", str(shop))
    output = type_in("list").output
    assert "aaaa1111" in output
    assert "Rotate the certificates" in output
    assert "2 runs · $0.75 recorded" in output


def test_the_list_is_filtered_sorted_and_paged(shop):
    type_in("sync", str(shop))
    assert "bbbb2222" not in type_in("list", "--search", "csv").output
    assert "No run matches" in type_in("list", "--status", "failed").output
    assert type_in("list", "-q", "--sort", "cost", "--order", "asc").output.split()[0] == "shop/aaaa1111"
    assert type_in("list", "-q", "--limit", "1", "--offset", "1").output.count("\n") == 1


def test_without_a_history_the_list_says_what_to_type(monkeypatch):
    monkeypatch.delenv("WORKFLOW_HISTORY_DB")
    assert "workflow-history sync path/to/project" in type_in("list").output


ASKING = [
    "list", "stats", "stats --by week", "anomalies", "patterns", "patterns show abcd",
    "patterns dismiss abcd", "similar --text a", "forecast --text a", "forecast --backtest", "show a",
    "explain a", "compare a b", "export", "export statistics", "reprice --all", "db version", "db verify",
    "db info", "syncs",
    "db backup copy.db", "db vacuum", "db prune --older-than 1y",
]  # fmt: skip


@pytest.mark.parametrize("words", ASKING)
@pytest.mark.parametrize("by_option", [True, False], ids=["--db", "environment"])
def test_a_named_history_that_is_not_there_is_an_error_and_no_empty_answer(tmp_path, words, by_option):
    named = tmp_path / "mistyped.db" if by_option else tmp_path / "history.db"
    result = type_in(*words.split(), *(["--db", str(named)] if by_option else []))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: No history at {named}. Create it with")
    assert not named.exists()


def test_every_command_that_asks_a_history_refuses_one_that_is_not_there():
    others = {
        "demo",
        "sync",
        "sources",
        "merge",
        "serve",
        "cost",
        "schema",
        "completion",
        "config",
        "budget",
    }  # budget has its own test
    assert {words.split()[0] for words in ASKING} == COMMANDS.keys() - others


def test_an_unknown_sort_key_is_wrong_usage():
    database.init_db()
    result = type_in("list", "--sort", "beauty")
    assert result.exit_code == 2
    assert result.stderr.startswith('error: Invalid --sort "beauty". Use one of: when')


@pytest.mark.parametrize("name", ["aaaa1111", "shop/aaaa1111", "aaaa"])
def test_a_run_is_shown_by_its_id_its_full_name_or_a_beginning(shop, name):
    type_in("sync", str(shop))
    output = type_in("show", name).output
    assert "shop/aaaa1111   ✓ completed" in output
    assert "sdlc_planner/raw_output.jsonl:3" in output


def test_a_run_that_is_not_known_is_an_error_of_one_line():
    database.init_db()
    result = type_in("show", "zzzz")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith('error: No run matches "zzzz".')


def test_an_ambiguous_id_names_the_candidates(monkeypatch):
    database.init_db()

    def several(name: str) -> None:
        raise AmbiguousWorkflowError(name, ["shop/aaaa1111", "till/aaaa1111"])

    monkeypatch.setattr(database, "require_workflow", several)
    result = type_in("show", "aaaa1111")
    assert result.exit_code == 1
    assert "shop/aaaa1111, till/aaaa1111" in result.stderr


@pytest.mark.parametrize("command", ["sync", "cost"])
def test_an_empty_word_for_a_folder_is_not_the_current_one(command):
    refused = type_in(command, "")
    assert refused.exit_code == 2
    assert "The directory name is empty" in refused.stderr


def test_a_list_that_shows_none_of_the_runs_there_are_says_how_many_there_are(shop):
    type_in("sync", str(shop))
    assert type_in("list", "--limit", "0").output == "None of 2 runs shown: --limit 0.\n"
    assert type_in("list", "--offset", "2").output == "None of 2 runs shown: that is after the last.\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["list", "--limit", "9" * 20], "Use a whole number from 0 to 9223372036854775807"),
        (["list", "--model", ""], 'Invalid --model ""'),
        (["list", "--project", "p" * 100_000], "No run has project"),
        (["show", "a" * 100_000], "List runs with: workflow-history list"),
        (
            ["similar", "--text", "a", "--threshold", "nan"],
            "Invalid --threshold nan. Use a number",
        ),
        (["list", "--pattern", "a3"], 'No pattern matches "a3". An ID prefix needs four'),
        (["stats", "--pattern", "zzzz"], 'No pattern matches "zzzz"'),
        (["stats", "--workflow", "zzzz"], 'No run has workflow "zzzz"'),
    ],
    ids=lambda value: " ".join(value)[:24] if isinstance(value, list) else "",
)
def test_what_means_nothing_is_one_short_line_that_says_what_is_allowed(shop, words, told):
    type_in("sync", str(shop))
    with History.open(os.environ["WORKFLOW_HISTORY_DB"]) as history:
        history.save([{"id": "cccc3333", "workflow_template": "adw_patch"}])
    refused = type_in(*words)
    assert refused.exit_code in {1, 2}
    assert refused.stdout == ""
    assert told in refused.stderr
    assert len(refused.stderr) < 2_100


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("mine")
    refused = type_in("demo", str(tmp_path / "file" / "demo"))
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"error: {tmp_path}")
    assert "[Errno" not in refused.stderr


def test_what_goes_into_a_pipe_has_no_blanks_at_the_end_of_a_line(shop):
    type_in("sync", str(shop))
    for words in (["list"], ["stats"], ["show", "aaaa1111"]):
        assert not [line for line in type_in(*words).output.split("\n") if line.endswith(" ")]


# JSON


def test_json_has_the_keys_of_the_python_functions(shop):
    type_in("sync", str(shop))
    page = {
        "schema_version": 2,
        **database.get_workflow_history(limit=20),
        "next_cursor": None,
        "part_costs": None,
        "part_costs_partial": None,
    }
    assert json.loads(type_in("list", "--json").stdout) == page
    shown = json.loads(type_in("--json", "show", "aaaa1111").stdout)
    assert shown["id"] == "aaaa1111"
    assert shown["phase_costs"][0]["cost"] == 0.25


def test_json_holds_no_control_codes_and_no_colours(shop):
    write_run(shop / "agents", "cccc3333", request="\x1b[31mred\u202e \x9b1m text")
    type_in("sync", str(shop))
    output = type_in("list", "--json", FORCE_COLOR="1").stdout
    assert output.isascii()
    assert "\x1b" not in output
    assert json.loads(output)["total"] == 3


def test_no_color_is_honoured(shop):
    type_in("sync", str(shop))
    assert "\x1b[3" in type_in("list", FORCE_COLOR="1", TERM="xterm-256color").output
    assert "\x1b[3" not in type_in("list", FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1").output


# Resync, db


def test_one_run_is_counted_anew(shop):
    type_in("sync", str(shop))
    assert "aaaa1111" in type_in("reprice", "aaaa").output
    assert json.loads(type_in("reprice", "aaaa1111", "--json").stdout)["success"] is True


def test_many_runs_are_counted_anew(shop):
    type_in("sync", str(shop))
    assert "2 runs repriced · 2 done · 0 failed" in type_in("reprice", "--all").output
    assert json.loads(type_in("reprice", "--status", "failed", "--json").stdout)["total_processed"] == 0
    days = ("--since", "2026-03-01", "--until", "2026-03-01")
    assert json.loads(type_in("reprice", *days, "--json").stdout)["total_processed"] == 2
    assert json.loads(type_in("reprice", "--until", "2026-02-28", "--json").stdout)["total_processed"] == 0


@pytest.mark.parametrize("words", [[], ["aaaa1111", "--all"], ["--all", "--since", "2026-01-01"]], ids=str)
def test_a_resync_must_say_which_runs(words):
    database.init_db()
    result = type_in("reprice", *words)
    assert result.exit_code == 2
    assert "No runs selected, or in several ways." in result.stderr


def test_a_resync_that_fails_says_why_even_if_it_is_to_print_less(monkeypatch):
    database.init_db()
    failed = {"success": False, "workflow_id": "shop/a", "updated": False, "message": "no files are left"}
    done = {"success": True, "workflow_id": "shop/b", "updated": True, "message": "repriced"}
    answer = {"total_processed": 2, "successful": 1, "failed": 1, "workflows": [failed, done]}
    monkeypatch.setattr(resync, "resync_all_completed_workflows", lambda **_: answer)
    monkeypatch.setattr(resync, "resync_workflow_cost", lambda _: failed)
    monkeypatch.setattr(database, "require_workflow", lambda _: {"id": "a", "project": "shop"})
    for words in (("reprice", "--all", "-q"), ("reprice", "shop/a", "-q")):
        result = type_in(*words)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == "error: shop/a: no files are left\n"
    many = {"total_processed": 60, "successful": 0, "failed": 60, "workflows": [failed] * 60}
    monkeypatch.setattr(resync, "resync_all_completed_workflows", lambda **_: many)
    told = type_in("reprice", "--all", "-q").stderr.splitlines()
    assert (len(told), told[-1]) == (11, "error: and 50 more: --json")


def test_a_resync_with_failures_fails(monkeypatch):
    database.init_db()
    trouble = {"success": False, "workflow_id": "aaaa1111", "updated": False, "message": "unreadable"}
    answer = {"total_processed": 1, "successful": 0, "failed": 1, "workflows": [trouble]}
    monkeypatch.setattr(resync, "resync_all_completed_workflows", lambda **_: answer)
    result = type_in("reprice", "--all")
    assert result.exit_code == 1
    assert "✗ aaaa1111  unreadable" in result.output


def test_the_database_is_found_by_option_from_either_side_of_the_command(shop, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(tmp_path / "other.db"))
    type_in("sync", str(shop), "--db", str(tmp_path / "mine.db"))
    assert (tmp_path / "mine.db").exists()
    assert not (tmp_path / "other.db").exists()
    assert json.loads(type_in("--db", str(tmp_path / "mine.db"), "list", "--json").stdout)["total"] == 2


def test_the_database_tells_its_place_and_version(shop, tmp_path):
    type_in("sync", str(shop))
    assert "history.db" in type_in("db", "path").output
    version = json.loads(type_in("db", "version", "--json").stdout)["database_version"]
    assert version == database.schema_version()


def test_a_sound_database_is_said_to_be_and_a_damaged_one_fails(shop, monkeypatch):
    type_in("sync", str(shop))
    sound = type_in("db", "verify")
    assert sound.exit_code == 0
    assert "✓ no corruption and no inconsistent totals found" in sound.output
    monkeypatch.setattr(database, "check", lambda: ["shop/aaaa1111: total cost is 1"])
    damaged = type_in("db", "verify")
    assert damaged.exit_code == 1
    assert "✗ shop/aaaa1111: total cost is 1" in damaged.output


# The demo


def test_the_demo_keeps_to_its_folder(tmp_path):
    result = type_in("demo", str(tmp_path / "demo"), "--runs", "12")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "demo").iterdir()} >= {"agents", "history.db"}
    assert not (tmp_path / "history.db").exists()


def test_what_the_demo_says_to_type_finds_what_is_planted_in_it(tmp_path):
    result = type_in("demo", str(tmp_path / "demo"))
    commands = re.findall(r"^(?:next:)? +workflow-history (--db .*?)$", result.output, re.MULTILINE)
    answers = {}
    _, history, command, agents = shlex.split(commands[0].split("   ")[0])
    assert command == "serve"
    with serving(agents, "--no-watch", history=Path(history)) as served:
        assert served.get("/api/v1/runs").json()["total"] == 240
    for command in commands[1:]:
        words = shlex.split(command.split("   ")[0])
        answers[words[2]] = type_in(*words)
        assert answers[words[2]].exit_code == 0, answers[words[2]].output
    assert answers.keys() >= {"stats", "show", "anomalies", "similar", "forecast"}
    assert "adw_sdlc_iso, plan: median cost up" in answers["anomalies"].output
    assert len(re.findall(r"^  .*\b(?:CSV|comma)\b", answers["similar"].output, re.MULTILINE)) >= 5
    assert "based on similar and recent runs" in " ".join(answers["forecast"].output.split())


def test_a_demo_that_is_there_is_used_again_and_other_folders_are_left_alone(tmp_path):
    type_in("demo", str(tmp_path / "demo"), "--runs", "3")
    again = type_in("demo", str(tmp_path / "demo"), "--json")
    assert json.loads(again.stdout)["sync"]["unchanged"] == 3
    taken = tmp_path / "mine"
    taken.mkdir()
    (taken / "notes.txt").write_text("mine")
    result = type_in("demo", str(taken))
    assert result.exit_code == 1
    assert "is not a finished demo" in result.stderr
    assert [path.name for path in taken.iterdir()] == ["notes.txt"]


# Ends


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (WorkflowHistoryError("the disk is full\x1b[2J"), 1, "error: the disk is full\n"),
        (PermissionError(13, "Permission denied"), 1, "error: [Errno 13] Permission denied\n"),
        (KeyboardInterrupt(), 130, "Interrupted. Everything stored so far is kept.\n"),
    ],
    ids=["its own", "the system's", "Ctrl-C"],
)
def test_errors_end_as_one_calm_line_and_an_exit_code(shop, monkeypatch, raised, code, line):
    def fail(**_: object) -> None:
        raise raised

    monkeypatch.setattr(sync, "sync_workflow_history", fail)
    result = type_in("sync", str(shop))
    assert (result.exit_code, result.stderr, result.stdout) == (code, line, "")


def test_ctrl_c_before_a_command_runs_ends_as_one_calm_line(monkeypatch, capsys):
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app_module, "app", interrupted)
    monkeypatch.setattr(app_module.signal, "signal", lambda *_: None)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # put back in the end
    with pytest.raises(SystemExit) as ended:
        app_module.main()
    assert (ended.value.code, capsys.readouterr().err) == (
        130,
        "Interrupted. Everything stored so far is kept.\n",
    )


def reported(*reports: tuple[float, str, int, int]) -> list[tuple[str, float, float | None]]:
    """Report at these seconds, and return the phases as they are drawn then."""
    bars = Progress(console=Console(file=io.StringIO()), disable=True)
    seconds = iter(at for at, *_ in reports)
    report = progress_callback(bars, lambda: next(seconds))
    for _, *told in reports:
        report(*told)
    return [(task.description, task.completed, task.total) for task in bars.tasks]


def test_progress_is_drawn_now_and_then_and_always_at_the_end():
    many = [(number / 1000, "scan", number, 100) for number in range(1, 101)]
    assert reported(*many[:-1]) == [("finding runs", 1, 100)]
    assert reported(*many) == [("finding runs", 100, 100)]
    assert reported((0, "something new", 1, 3), (5, "something new", 2, 3)) == [("something new", 2, 3)]


def test_a_total_may_grow_and_nothing_is_no_phase():
    assert reported((0, "store", 10, 10), (1, "store", 10, 30)) == [("storing", 10, 30)]
    bars = Progress(console=Console(file=io.StringIO()), disable=True)
    progress_callback(bars)("learn", 0, 0)
    assert bars.tasks == []


def on_a_terminal(*words: str) -> str:
    """Run a command whose output streams are a terminal, and return what it drew."""
    command = [sys.executable, "-m", "app.server.core.workflow_history", *words]
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, cwd=ROOT, stdout=theirs, stderr=theirs, env=env):  # noqa: S603
        os.close(theirs)
        drawn = b""
        while True:
            try:
                drawn += os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    return drawn.decode()


def test_a_terminal_sees_how_far_each_phase_is_with_counts_and_pace(shop):
    drawn = on_a_terminal("sync", str(shop))
    assert "reading" in drawn
    assert "2/2" in drawn
    assert "/s" in drawn


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_a_terminal_that_asked_for_less_sees_no_progress(shop, option):
    drawn = on_a_terminal("sync", str(shop), option)
    assert "reading" not in drawn
    assert "2/2" not in drawn


def test_a_pipe_gets_no_progress(shop):
    command = [sys.executable, "-m", "app.server.core.workflow_history", "sync", str(shop)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)  # noqa: S603
    assert done.stderr == f"new history at {os.environ['WORKFLOW_HISTORY_DB']}\n"
    assert "2/2" not in done.stdout


HEAVY = {"numpy", "alembic", "mako", "genai_prices", "multiprocessing", "concurrent.futures.process"}
DRAWING = {"rich.progress"}
DATABASE = {"sqlalchemy"}
READING = {
    f"app.server.core.workflow_history.{part}" for part in ("ingest", "pipeline", "maintenance.pruning")
}


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (("--help",), HEAVY | DRAWING | DATABASE),
        (("--version",), HEAVY | DRAWING | DATABASE),
        (("list",), HEAVY | DRAWING | READING),
        (("show", "aaaa1111"), HEAVY | DRAWING),
        (("sync", "{shop}"), HEAVY),  # nothing is new
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_command_imports_only_what_it_needs(shop, words, unwanted):
    type_in("sync", str(shop))
    code = (
        "import sys; from app.server.core.workflow_history.cli.app import app\n"
        "try: app(sys.argv[1:], standalone_mode=False)\n"
        "finally: print('\\nimported', *sys.modules)"
    )
    given = [word.format(shop=shop) for word in words]
    command = [sys.executable, "-c", code, *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)  # noqa: S603
    imported = done.stdout.rpartition("imported")[2].split()
    assert unwanted.isdisjoint(imported), sorted(unwanted.intersection(imported))


MISTYPED = [
    ("lisst", 'workflow-history has no command "lisst". Did you mean list? See: workflow-history --help'),
    (
        "db veriffy",
        'workflow-history db has no command "veriffy". Did you mean verify? See: workflow-history db --help',
    ),
    (
        "list --worflow x",
        (
            "workflow-history list has no option --worflow. Did you mean --workflow? "
            "See: workflow-history list --help"
        ),
    ),
    (
        "show -n",
        (
            "workflow-history show has no option -n. Put -- before an ID that starts with a dash. "
            "See: workflow-history show --help"
        ),
    ),
    ("list zzz", 'Unexpected argument "zzz". See: workflow-history list --help'),
    ("compare a", "Missing B. Usage: workflow-history compare [OPTIONS] A B"),
    ("completion", "Missing SHELL. Use one of: bash, zsh, fish, powershell."),
    ("completion ksh", 'Invalid SHELL "ksh". Use one of: bash, zsh, fish, powershell.'),
    ("export -o", "-o needs a value. See: workflow-history export --help"),
    ("list --json=3", "--json takes no value. See: workflow-history list --help"),
    ("list -n x", 'Invalid --limit "x". Use a whole number of 0 or more.'),
    ("list --limit=-1", 'Invalid --limit "-1". Use a whole number of 0 or more.'),
    ("serve --port 99999", 'Invalid --port "99999". Use a whole number from 0 to 65535.'),
    ("cost --by cost", 'Invalid --by "cost". Use one of: phase, agent, model, run.'),
    ("similar x --threshold y", 'Invalid --threshold "y". Use a number.'),
    (
        "reprice",
        "No runs selected, or in several ways. Use one of: an ID, --all, --status, or --since and --until.",
    ),
]


@pytest.mark.parametrize(("words", "message"), MISTYPED, ids=[words for words, _ in MISTYPED])
def test_a_mistyped_command_line_is_wrong_usage_and_says_what_to_type(words, message):
    database.init_db()
    mistyped = type_in(*words.split())
    assert (mistyped.exit_code, mistyped.stderr, mistyped.stdout) == (2, f"error: {message}\n", "")


@pytest.mark.parametrize(
    "option", ["status", "pattern", "phase", "model", "workflow", "class", "agent", "project"]
)
def test_a_filter_with_a_name_that_does_not_exist_is_wrong_usage(shop, option):
    type_in("sync", str(shop))
    with History.open(os.environ["WORKFLOW_HISTORY_DB"]) as history:
        history.save([{"id": "cccc3333", "workflow_template": "adw_patch", "issue_class": "/bug"}])
    refused = type_in("list", f"--{option}", "zzzz")
    assert refused.exit_code == 2
    assert '"zzzz"' in refused.stderr


def test_a_reader_that_stops_early_is_no_error(shop):
    type_in("sync", str(shop))
    command = [sys.executable, "-m", "app.server.core.workflow_history", "list", "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        streams = {"stdout": nobody, "stderr": subprocess.PIPE}
        done = subprocess.run(command, cwd=ROOT, text=True, check=False, **streams)  # noqa: S603 - our own
    assert done.stderr == ""
