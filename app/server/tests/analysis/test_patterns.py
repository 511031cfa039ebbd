"""Pattern detection: command lines, tool sequences, host detectors that fail."""

from __future__ import annotations

import importlib
import json
import logging
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.server.core.pattern_detector import detect_patterns_in_workflow
from app.server.core.workflow_history.analysis.patterns import (
    detect_patterns,
    operation_records,
    operations_of,
    pattern_id,
)
from app.server.core.workflow_history.analysis.patterns.host_detector import (
    DetectorBrokenError,
    load_detector,
)
from app.server.core.workflow_history.analysis.patterns.tool_operations import shell_operations
from app.server.core.workflow_history.common.errors import WorkflowHistoryError
from app.server.core.workflow_history.common.models import (
    MessageUsage,
    StreamFacts,
    StreamFormat,
    TokenUsage,
    ToolCall,
)
from app.server.tests.support.paths import ROOT
from app.server.tests.support.patience import BUSY, PATIENCE

PAGE = ROOT / "docs" / "automate.md"


def bash(command: str, line: int = 1, message: str | None = "m1", failed: bool | None = False) -> ToolCall:
    return ToolCall("Bash", command, line, message, failed)


def stream(agent: str, *calls: ToolCall, weights: dict[str, int] | None = None) -> StreamFacts:
    spent = {"m1": 100} if weights is None else weights
    said = tuple(
        MessageUsage(name, "some-model", TokenUsage(input=tokens), 1) for name, tokens in spent.items()
    )
    return StreamFacts(f"{agent}/raw_output.jsonl", StreamFormat.CLAUDE, agent, messages=said, tools=calls)


def agent_run(agent: str, phase: str = "build", cost: float | None = 1.0, **more):
    known = {"agent": agent, "phase": phase, "cost": cost, "duration_seconds": 60.0, "outcome": "success"}
    return {**known, "path": f"{agent}/raw_output.jsonl", "superseded": False, **more}


def patterns_of(*pairs) -> dict[tuple[str, str], object]:
    runs = operation_records([facts for facts, _ in pairs if facts], [run for _, run in pairs if run])
    return {(pattern.kind, pattern.signature): pattern for pattern in detect_patterns(runs)}


def of_kind(found, kind: str) -> set[str]:
    return {signature for known, signature in found if known == kind}


def code(cell: str) -> list[str]:
    return [part.replace("\\|", "|") for part in re.findall(r"`([^`]+)`", cell)]


def table_rows() -> list[tuple[str, tuple[str, ...]]]:
    page = (ROOT / "docs" / "pattern-mining.md").read_text(encoding="utf-8")
    table = page.partition("| command | operations |")[2].partition("\n\n")[0]
    cells = [re.split(r"(?<!\\)\|", row)[1:3] for row in table.splitlines()[2:]]
    return [(code(command)[0], tuple(code(operations))) for command, operations in cells]


# --- operations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "operations"), table_rows())
def test_the_table_in_the_docs_is_true(command, operations):
    assert shell_operations(command) == operations


def test_the_table_in_the_docs_is_found():
    assert len(table_rows()) > 15


COMMANDS = {
    "case patterns are no commands": (
        'case "$1" in go) npm start;; stop) pkill x;; esac',
        "npm start, pkill",
    ),
    "loops give their bodies": ('for f in *.py; do ruff check "$f"; done', "ruff check"),
    "comments are no commands": ("ls # git push\ngo test ./...", "ls, go test"),
    "a here-document is data": ("cat > x.sh <<'EOF'\ngit push\nEOF\nchmod +x x.sh", "cat, chmod"),
    "an indented here-document ends": ("cat <<-EOF\n\tgit push\n\tEOF\nls", "cat, ls"),
    "a here-string is data": ("cat <<< 'git push' && ls", "cat, ls"),
    "a cut here-document swallows the rest": ("cat <<EOF\ngit push", "cat"),
    "an open quote swallows the rest": ("git commit -m 'it && git push", "git commit"),
    "quotes in a substitution in quotes": (
        "gh pr create --body \"$(cat <<'E'\nit's (bad && git push\nE\n)\" && ls",
        "gh pr create, ls",
    ),
    "arithmetic is no command": ("((i++)); n=$((i << 2)); ls", "ls"),
    "conditions are no commands": ("[[ -f x && pytest == y ]] && ls", "ls"),
    "arrays are no commands": ("files=(git push); ls", "ls"),
    "a function's name is no command": ("check() { git fetch; }", "git fetch"),
    "a subshell's commands count": ("(cd a && git fetch) & wait", "git fetch"),
    "a process substitution is not looked into": ("diff <(git show a) <(git show b)", "diff"),
    "redirections are no words": ("git 2>&1 >out.log status &>/dev/null", "git status"),
    "a pipe goes on in the next line": ("pytest |\n  tail -3", "pytest"),
    "a filter alone is an operation": ("tail -3 x.log", "tail"),
    "a folder in quotes is taken off": ('"/a folder/.venv/bin/python" -m app.main', "app.main"),
    "a value of an option is no subcommand": ("kubectl -n prod get pods", "kubectl get"),
    "a quoted subcommand is left out": ('npm run "secret words"', "npm run"),
    "inline code after other options": ("perl -i -pe 's/a/b/' x; node --eval 'x'", "perl -e, node -e"),
    "code on standard input is inline": ("python3 - <<EOF\nprint(1)\nEOF", "python -c"),
    "an interpreter's option with a value": ("python -W ignore -m pytest", "pytest"),
    "bun runs scripts and files": (
        "bun run lint; bun run tools/x.ts; bun x tsc",
        "bun run lint, x.ts, bun x",
    ),
    "django's commands": ("poetry run python manage.py migrate", "manage.py migrate"),
    "a scoped package without version": ("npx @angular/cli@17 build", "@angular/cli"),
    "an executable of Windows": (r"'C:\Python\python.exe' -m pip install x", "pip install"),
    "wrappers around wrappers": ("sudo -u www env A=1 nice -n 5 systemctl restart x", "systemctl restart"),
    "a wrapper of nothing": ("sudo", ""),
    "an escaped line end": ("git \\\n  status", "git status"),
}


@pytest.mark.parametrize(("command", "operations"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_is_read_as_a_shell_reads_it(command, operations):
    assert ", ".join(shell_operations(command)) == operations


@pytest.mark.parametrize(
    ("tool", "detail", "operations"),
    [
        ("Read", "src/x.py", ("Read",)),
        ("mcp__tracker__get_issue", None, ("mcp__tracker__get_issue",)),
        ("Skill", "commit", ("/commit",)),
        ("SlashCommand", "/review --all please", ("/review",)),
        ("Skill", None, ("Skill",)),
        ("Bash", None, ()),
        ("run_shell_command", "git status", ("git status",)),
        ("  ", None, ()),
    ],
)
def test_other_tools_are_operations_by_their_name(tool, detail, operations):
    assert operations_of(ToolCall(tool, detail, 1)) == operations


SHELL_PIECES = [*"ab'\"\\`$(){}<>|&;#= \n\t-/.@*[]!1", "git ", "bash -c ", "<<E\n"]
SHELL_TEXT = st.lists(st.sampled_from(SHELL_PIECES)).map("".join)


@given(st.one_of(st.text(), SHELL_TEXT))
def test_any_text_has_operations_of_bounded_length(text):
    for operation in (*shell_operations(text), *operations_of(ToolCall(text, text, 1))):
        assert 0 < len(operation) <= 200


PROGRAMS = [
    "git",
    "npm run",
    "python -m",
    "sudo",
    "time",
    "uv run",
    "bash",
    "./if",
    "x/run_12345678.exe.exe",
    "make",
]
WORDS = [
    "status",
    "-c",
    "-m",
    "a.py",
    "build",
    "'x y'",
    "A=1",
    "0abc123",
    "x@1",
    "python3.12",
    "tail",
    "run",
    "&&",
    "|",
]


@given(st.one_of(SHELL_TEXT, st.lists(st.sampled_from(PROGRAMS + WORDS), max_size=7).map(" ".join)))
def test_an_operation_stands_for_itself(command):
    for operation in shell_operations(command):
        assert shell_operations(operation) == (operation,)


@given(st.text(st.characters(codec="ascii", exclude_characters="'", categories=["L", "N", "P", "S", "Zs"])))
def test_quoted_text_never_shows(message):
    assert shell_operations(f"git commit -m '{message}' && npm run '{message}'") == ("git commit", "npm run")


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        "$(",
        '"$(',
        "'",
        "<<a ",
        "<<a\n",
        "sudo ",
        "${",
        "a(",
        'bash -c "',
        "x=$(",
        "\\",
        "`",
        "$((",
        "a\\ ",
    ],
)
def test_a_hostile_command_takes_time_in_proportion_to_its_length(piece):
    started = process_time()
    shell_operations(piece * 1_000_000)
    assert process_time() - started < BUSY


# --- sequences and phases ---------------------------------------------------------------------------------


def test_file_work_does_not_interrupt_a_sequence():
    calls = (
        bash("git status"),
        ToolCall("Read", "x", 2, "m1"),
        ToolCall("TodoWrite", None, 3, "m1"),
        bash("git diff"),
    )
    found = patterns_of((stream("planner", *calls), agent_run("planner")))
    assert of_kind(found, "sequence") == {"git status → git diff"}
    assert of_kind(found, "operation") == {"git status", "git diff", "Read", "TodoWrite"}


def test_equal_operations_in_a_row_are_one_step():
    calls = [bash("git diff a"), bash("git diff b"), bash("git commit -m x"), bash("git commit -m y")]
    found = patterns_of((stream("committer", *calls), agent_run("committer")))
    assert of_kind(found, "sequence") == {"git diff → git commit"}
    assert found["operation", "git diff"].count == 2


def test_a_short_run_is_a_sequence_as_a_whole_and_a_long_one_is_not():
    names = [f"tool{letter}" for letter in "abcdefghi"]
    eight = of_kind(patterns_of((stream("x", *map(bash, names[:8])), agent_run("x"))), "sequence")
    nine = of_kind(patterns_of((stream("x", *map(bash, names)), agent_run("x"))), "sequence")
    assert " → ".join(names[:8]) in eight
    assert len(eight) == 7 + 6 + 5 + 1
    assert len(nine) == 8 + 7 + 6


def test_places_of_one_sequence_do_not_overlap():
    calls = [bash(name) for name in ["ls", "pwd", "ls", "pwd", "ls"]]
    found = patterns_of((stream("x", *calls), agent_run("x")))
    assert found["sequence", "ls → pwd → ls"].count == 1
    assert found["sequence", "ls → pwd"].count == 2


def test_sequences_do_not_reach_over_two_agents():
    pairs = [(stream(name, bash(name)), agent_run(name)) for name in ("ls", "pwd")]
    assert of_kind(patterns_of(*pairs), "sequence") == set()


def test_phases_follow_the_clock_where_it_is_known():
    pairs = [
        (None, agent_run("b", "build", timestamp="2025-01-01T10:05:00+00:00")),
        (None, agent_run("b2", "build", timestamp="2025-01-01T10:06:00+00:00", cost=None)),
        (None, agent_run("p", "plan", timestamp="2025-01-01T10:00:00+00:00")),
    ]
    phases = patterns_of(*pairs)["phases", "plan > build"]
    assert (phases.count, phases.successes, phases.failures) == (1, 1, 0)
    assert (phases.cost, phases.cost_complete, phases.seconds) == (Decimal("2.0"), False, 180.0)


def test_phases_end_as_the_last_agent_did():
    pairs = [(None, agent_run("p", "plan", outcome="error")), (None, agent_run("b", "build"))]
    assert patterns_of(*pairs)["phases", "plan > build"].failures == 0
    assert patterns_of(*pairs[::-1])["phases", "build > plan"].failures == 1


def test_endless_phases_have_a_bounded_signature():
    pairs = [(None, agent_run(str(turn), ["test", "build"][turn % 2])) for turn in range(300)]
    (signature,) = of_kind(patterns_of(*pairs), "phases")
    assert signature.endswith("test > build > …")
    assert len(signature) < 120


def test_an_overwritten_attempt_is_no_phase_of_its_own():
    pairs = [(None, agent_run("old", "plan", superseded=True)), (None, agent_run("b", "build"))]
    assert of_kind(patterns_of(*pairs), "phases") == {"build"}


# --- outcomes, cost and time ------------------------------------------------------------------------------


def test_an_unknown_outcome_is_neither_success_nor_failure():
    calls = [bash("ls", failed=outcome) for outcome in (True, False, None)]
    seen = patterns_of((stream("x", *calls), agent_run("x")))["operation", "ls"]
    assert (seen.count, seen.successes, seen.failures) == (3, 1, 1)


@pytest.mark.parametrize(
    ("outcomes", "successes", "failures"),
    [((False, False), 1, 0), ((False, True), 0, 1), ((False, None), 0, 0), ((None, True), 0, 1)],
)
def test_a_sequence_fails_with_any_of_its_calls(outcomes, successes, failures):
    calls = [bash(name, failed=failed) for name, failed in zip(["ls", "pwd"], outcomes, strict=True)]
    seen = patterns_of((stream("x", *calls), agent_run("x")))["sequence", "ls → pwd"]
    assert (seen.successes, seen.failures) == (successes, failures)


def test_a_messages_part_goes_by_its_tokens_and_evenly_to_its_operations():
    calls = [bash("pytest && git add -A", 3, "m1"), bash("ls", 3, "m1"), bash("pwd", 4, "m2")]
    found = patterns_of(
        (stream("x", *calls, weights={"m1": 400, "m2": 100, "m3": 500}), agent_run("x", cost=1.0))
    )
    costs = {name: pattern.cost for (kind, name), pattern in found.items() if kind == "operation"}
    assert costs == {
        "pytest": Decimal("0.1"),
        "git add": Decimal("0.1"),
        "ls": Decimal("0.2"),
        "pwd": Decimal("0.1"),
    }
    assert found["operation", "ls"].seconds == 12.0
    assert found["sequence", "ls → pwd"].cost == Decimal("0.3")


def test_tokens_weigh_by_kind():
    usages = {"in": TokenUsage(input=50), "out": TokenUsage(output=10), "read": TokenUsage(cache_read=500)}
    messages = tuple(MessageUsage(name, None, usage, 1) for name, usage in usages.items())
    facts = StreamFacts("x", StreamFormat.CLAUDE, "x", messages=messages)
    (run,) = operation_records([facts], [])
    assert {said["weight"] for said in run["messages"]} == {50.0}


def test_an_unknown_cost_is_not_zero():
    found = patterns_of(
        (stream("a", bash("ls")), agent_run("a", cost=None)),
        (stream("b", bash("pwd", message="m2"), weights={"m2": 1}), agent_run("b", cost=0.0)),
    )
    assert (found["operation", "ls"].cost, found["operation", "ls"].cost_complete) == (None, False)
    assert (found["operation", "pwd"].cost, found["operation", "pwd"].cost_complete) == (Decimal(0), True)


def test_known_and_unknown_costs_give_an_incomplete_sum():
    found = patterns_of(
        (stream("a", bash("ls")), agent_run("a", cost=None)),
        (stream("b", bash("ls", message="m2"), weights={"m2": 1}), agent_run("b", cost=0.5)),
    )
    assert (found["operation", "ls"].cost, found["operation", "ls"].cost_complete) == (Decimal("0.5"), False)
    assert found["operation", "ls"].agents == ("a", "b")


def test_a_call_of_no_message_has_no_known_cost():
    found = patterns_of((stream("x", bash("ls", message=None)), agent_run("x")))
    assert found["operation", "ls"].cost is None


def test_a_stream_without_an_agent_run_is_seen_at_no_known_cost():
    seen = patterns_of((stream("loose", bash("ls")), None))["operation", "ls"]
    assert (seen.cost, seen.seconds, seen.agents) == (None, None, ("loose",))


def test_a_message_that_a_resumed_session_repeats_counts_once():
    first = (stream("a", bash("ls", message="m1"), weights={"m1": 100}), agent_run("a"))
    calls = [bash("ls", message="m1"), bash("ls", message="m2")]
    resumed = (stream("a_resumed", *calls, weights={"m1": 100, "m2": 100}), agent_run("a_resumed"))
    assert patterns_of(first, resumed)["operation", "ls"].count == 2


def test_a_copy_of_a_stream_is_left_out():
    copy = (stream("a_copy", bash("ls")), agent_run("a_copy", cost=None, duplicate_of="b/raw_output.jsonl"))
    found = patterns_of(copy, (stream("b", bash("ls")), agent_run("b")))
    assert (found["operation", "ls"].count, found["operation", "ls"].cost) == (1, Decimal(1))
    assert found["operation", "ls"].agents == ("b",)


MESSAGES = st.dictionaries(st.sampled_from("abcde"), st.integers(0, 10**9))
CALLED = st.lists(
    st.tuples(st.sampled_from("abcdez"), st.sampled_from(["ls", "ls; pwd; ls", "cd x", "git a && b|c"]))
)


@given(MESSAGES, CALLED, st.decimals(0, 1000, places=6))
def test_the_parts_of_a_stream_never_exceed_its_cost(weights, called, cost):
    calls = [bash(command, 1, message) for message, command in called]
    found = patterns_of((stream("x", *calls, weights=weights), agent_run("x", cost=float(cost))))
    operations = [pattern for (kind, _), pattern in found.items() if kind == "operation"]
    assert sum(pattern.cost or 0 for pattern in operations) <= cost
    assert sum(pattern.seconds or 0 for pattern in operations) <= 60.01
    assert all(pattern.cost is None or pattern.cost <= cost for pattern in found.values())
    assert all(pattern.successes + pattern.failures <= pattern.count for pattern in found.values())


@given(MESSAGES, CALLED)
def test_detecting_again_says_the_same(weights, called):
    calls = [bash(command, 1, message) for message, command in called]
    runs = operation_records([stream("x", *calls, weights=weights)], [agent_run("x")])
    assert detect_patterns(runs) == detect_patterns(json.loads(json.dumps(runs)))


def test_the_example_is_the_first_place():
    seen = patterns_of((stream("x", bash("ls", 7), bash("ls", 9)), agent_run("x")))["operation", "ls"]
    assert (seen.example_path, seen.example_line) == ("x/raw_output.jsonl", 7)


def test_a_key_never_changes():
    assert pattern_id("operation", "pytest") == "65506e2f867bc9af"
    assert pattern_id("sequence", "pytest") != pattern_id("operation", "pytest")


# --- the hook ---------------------------------------------------------------------------------------------


def test_the_example_in_the_docs_is_true():
    entry, result = (
        json.loads(block)
        for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    )
    found = detect_patterns_in_workflow({"id": "x", "operations": [entry]})
    assert result in found
    assert {pattern["signature"] for pattern in found} == {"pytest", "git add", "pytest → git add", "build"}


def test_hook_and_sync_detect_the_same():
    runs = operation_records([stream("x", bash("ls"), bash("pwd"))], [agent_run("x")])
    keys = [pattern["key"] for pattern in detect_patterns_in_workflow({"operations": runs})]
    assert keys == [pattern.key for pattern in detect_patterns(runs)]


def test_a_workflow_without_operations_tells_its_phases():
    costs = [{"phase": "plan", "agent": "planner", "cost": 0.25}, {"phase": "build", "cost": None}]
    (found,) = detect_patterns_in_workflow({"phase_costs": costs})
    assert (found["kind"], found["signature"], found["cost"]) == ("phases", "plan > build", 0.25)
    assert found["cost_complete"] is False


@pytest.mark.parametrize("workflow", [{}, {"phase_costs": None}, {"operations": []}])
def test_a_workflow_that_tells_nothing_has_no_patterns(workflow):
    assert detect_patterns_in_workflow(workflow) == []


def host(tmp_path: Path, monkeypatch, name: str, text: str | None) -> str:
    """Make a package tree with a detector of its own, and return the name of the package inside."""
    folder = tmp_path / name / "core"
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "pattern_detector.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return f"{name}.core.workflow_history"


def test_a_hosts_detector_is_found(tmp_path, monkeypatch):
    package = host(
        tmp_path, monkeypatch, "host_whole", "def detect_patterns_in_workflow(w):\n    return [w]\n"
    )
    detector = load_detector(package)
    assert detector is not None
    assert detector({"id": "x"}) == [{"id": "x"}]


def test_an_absent_detector_is_none_and_a_debug_line(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG, "workflow_history")
    assert load_detector(host(tmp_path, monkeypatch, "host_empty", None)) is None
    assert load_detector("no_such_host.core.workflow_history") is None
    assert [record.levelname for record in caplog.records] == ["DEBUG", "DEBUG"]
    assert "not_available module=host_empty.core.pattern_detector" in caplog.text


BROKEN = {
    "host_missing_module": (
        "import a_module_nobody_has\n",
        "ModuleNotFoundError: No module named 'a_module_nobody",
    ),
    "host_missing_sibling": ("from .sibling import x\n", "host_missing_sibling.core.sibling"),
    "host_missing_name": ("from json import nothing_such\n", "ImportError"),
    "host_syntax": ("def detect(:\n", "SyntaxError"),
    "host_raises": ("raise RuntimeError('no licence')\n", "RuntimeError: no licence"),
    "host_no_function": ("x = 1\n", "it has no function detect_patterns_in_workflow"),
}


@pytest.mark.parametrize(
    ("name", "text", "reason"), [(name, *rest) for name, rest in BROKEN.items()], ids=BROKEN
)
def test_a_broken_detector_is_not_mistaken_for_an_absent_one(tmp_path, monkeypatch, name, text, reason):
    package = host(tmp_path, monkeypatch, name, text)
    with pytest.raises(DetectorBrokenError) as caught:
        load_detector(package)
    assert caught.value.module == f"{name}.core.pattern_detector"
    assert reason in caught.value.reason
    assert isinstance(caught.value, WorkflowHistoryError)


LOAD = """
from {package}.analysis.patterns.host_detector import load_detector
detector = load_detector()
print(None if detector is None else detector.__module__)
"""


def loaded_from(package: str, cwd: Path, path: Path) -> str:
    code = f"import sys; sys.path.insert(0, {str(path)!r})" + LOAD.format(package=package)
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=True)  # noqa: S603
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("package", "folder", "module"),
    [
        ("app.server.core.workflow_history", ".", "app.server.core.pattern_detector"),
        ("core.workflow_history", "app/server", "core.pattern_detector"),
        ("workflow_history", "app/server/core", "None"),
    ],
    ids=["from the root", "from the server", "from the wheel"],
)
def test_the_detector_is_found_from_every_import_root(tmp_path, package, folder, module):
    assert loaded_from(package, tmp_path, ROOT / folder) == module
