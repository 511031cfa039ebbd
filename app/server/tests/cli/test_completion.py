"""Shell completion: the real program, called as bash calls it, and a real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from typer.testing import CliRunner

from app.server.core.workflow_history.analysis.patterns import pattern_id
from app.server.core.workflow_history.cli import shell_completion
from app.server.core.workflow_history.cli.app import COMMANDS, app
from app.server.core.workflow_history.storage.history import History
from app.server.tests.support.paths import ROOT
from app.server.tests.support.patience import PATIENCE

MAIN = "import app.server.core.workflow_history.cli.app as cli; cli.main()"
STATUSES = ["completed", "failed", "ended", "stopped", "running", "incomplete", "unknown"]


def run_of(name: str, day: int = 1, project: str = "shop", **facts: object) -> dict[str, object]:
    return {"id": name, "project": project, "created_at": f"2026-03-{day:02}T10:00:00Z", **facts}


@pytest.fixture
def history(tmp_path: Path) -> Path:
    agents = [{"phase": "plan", "agent": "sdlc_planner", "model": "claude-opus-4-8"}]
    with History.open(tmp_path / "history.db") as found:
        found.save(
            [
                run_of("a1", 1, workflow_template="adw_plan", phase_costs=agents),
                run_of("a2", 2, issue_class="/bug"),
                run_of("b1", 3, "till"),
            ]
        )
    return tmp_path / "history.db"


def asked(line: str, *extra: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Ask the program as bash's script does what the last word of a line can become."""
    words = line.split(" ")
    asking = {
        "_WORKFLOW_HISTORY_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", MAIN, *extra],
        env={**os.environ, **asking, **env},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def told(line: str, **env: str) -> list[str]:
    done = asked(line, **env)
    assert done.stderr == ""
    return done.stdout.split()


NOTHING_TYPED = click.Context(click.Command("workflow-history"))


def offered(column: str, beginning: str = "") -> list[str]:
    return [
        word
        for word in shell_completion.COMPLETERS[column](NOTHING_TYPED, beginning)
        if word.startswith(beginning)
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("workflow-history ", list(COMMANDS)),
        ("workflow-history sh", ["show"]),
        (
            "workflow-history db ",
            ["info", "path", "version", "verify", "backup", "restore", "prune", "vacuum", "redact"],
        ),
        ("workflow-history show --fu", ["--full"]),
        ("workflow-history export --status ", STATUSES),
        ("workflow-history list --sort co", ["cost"]),
        ("workflow-history cost --by ", ["phase", "agent", "model", "run"]),
        ("workflow-history export a", ["agent-runs"]),
        ("workflow-history export --columns id,run_c", ["id,run_created_at"]),
        ("workflow-history schema db-i", ["db-info"]),
        ("workflow-history completion ", ["bash", "zsh", "fish", "powershell"]),
        ("workflow-history show ", ["b1", "a2", "a1"]),
        ("workflow-history show a", ["a2", "a1"]),
        ("workflow-history show till/", ["till/b1"]),
        ("workflow-history reprice a1", ["a1"]),
        ("workflow-history export --workflow ", ["adw_plan"]),
        ("workflow-history lisst x", []),
        ("workflow-history patterns ", ["show", "accept", "dismiss", "reset"]),
        ("workflow-history patterns --kind s", ["sequence"]),
        ("workflow-history patterns --state dis", ["dismissed"]),
        ("workflow-history patterns show --workflow ", ["adw_plan"]),
    ],
)
def test_a_shell_is_told_what_a_word_can_become(history, line, words):
    assert told(line) == words


def test_ids_come_from_the_history_that_the_line_names(history, tmp_path):
    assert told(f"workflow-history show --db {tmp_path / 'none.db'} ") == []
    assert not (tmp_path / "none.db").exists()
    other = {"WORKFLOW_HISTORY_DB": str(tmp_path / "none.db")}
    assert told(f"workflow-history --db {history} show b", **other) == ["b1"]


def test_trouble_is_silence(tmp_path):
    broken = tmp_path / "broken.db"
    broken.write_text("no database" * 1000)
    assert told("workflow-history show ", WORKFLOW_HISTORY_DB=str(broken)) == []
    assert told("workflow-history show ", WORKFLOW_HISTORY_DB="oracle://nowhere") == []
    done = asked("workflow-history show ", COMP_CWORD="many")
    assert (done.stdout, done.stderr) == ("", "")


def test_an_id_that_a_shell_could_take_for_more_is_not_offered(tmp_path):
    names = ["$(id)", "a;b", "a b", "`id`", "a'b", 'a"b', "-rf", "a*", "a\\$b", "~root", "a|b", "good-1.2"]
    with History.open(tmp_path / "history.db") as found:
        found.save([run_of(name, workflow_template=name) for name in names])
    assert offered("ID") == ["good-1.2"]
    assert offered("--workflow") == ["good-1.2"]


def test_no_more_than_fifty_ids_are_offered_and_the_newest_first(tmp_path):
    with History.open(tmp_path / "history.db") as found:
        found.save([run_of(f"r{number:03}", 1 + number // 20) for number in range(120)])
    words = offered("ID", "r")
    assert len(words) == shell_completion.MAX_COMPLETIONS
    assert {word for word in words if word >= "r100"} == {f"r{number}" for number in range(100, 120)}


def test_ids_of_patterns_that_recur_are_offered_the_costliest_first(history):
    cheap, dear, once = (
        {"kind": "operation", "signature": name, "count": 1} for name in ("ls", "make", "jq")
    )
    with History.open(history) as found:
        keys = [found.find(name).key for name in ("a1", "a2")]
        seen = [{**cheap, "cost": 0.1}, {**dear, "cost": 0.2}]
        found.save_patterns({keys[0]: seen, keys[1]: [*seen, once]})
    ids = [pattern_id("operation", name) for name in ("make", "ls")]
    assert told("workflow-history patterns show ") == ids
    assert told(f"workflow-history patterns accept {ids[1][:5]}") == [ids[1]]


@pytest.mark.parametrize(
    ("option", "beginning", "words"),
    [
        ("--project", "", ["shop", "till"]),
        ("--class", "/", ["/bug"]),
        ("--model", "claude", ["claude-opus-4-8"]),
        ("--phase", "", ["plan"]),
        ("--agent", "s", ["sdlc_planner"]),
        ("--format", "p", ["parquet"]),
        ("--score", "q", ["quality:"]),
    ],
)
def test_words_of_the_history_are_offered(history, option, beginning, words):
    assert offered(option, beginning) == words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_every_shell_gets_its_script(shell):
    result = CliRunner().invoke(app, ["completion", shell])
    assert result.exit_code == 0
    assert f"complete_{shell}" in result.stdout
    assert "_WORKFLOW_HISTORY_COMPLETE" in result.stdout


def test_an_unknown_shell_is_wrong_usage():
    assert CliRunner().invoke(app, ["completion", "csh"]).exit_code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_a_real_bash_completes_with_the_script(history, tmp_path):
    program = tmp_path / "bin" / "workflow-history"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec {sys.executable} -c '{MAIN}' \"$@\"\n")
    program.chmod(0o755)
    script = """
        eval "$(workflow-history completion bash)"
        complete -p workflow-history
        COMP_WORDS=(workflow-history show a); COMP_CWORD=2
        _workflow_history_completion workflow-history
        echo "${COMPREPLY[@]}"
    """
    env = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    command = [str(shutil.which("bash")), "--norc", "-c", script]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603
    assert done.stderr == ""
    defined, words = done.stdout.splitlines()
    assert defined == "complete -o default -F _workflow_history_completion workflow-history"
    assert words == "a2 a1"


def test_asking_for_commands_imports_no_database():
    code = f"import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); {MAIN}"
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "_WORKFLOW_HISTORY_COMPLETE": "complete_bash",
            "COMP_WORDS": "workflow-history ",
            "COMP_CWORD": "1",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout.split() == list(COMMANDS)
    assert {"sqlalchemy", "numpy", "alembic"}.isdisjoint(done.stderr.split())
