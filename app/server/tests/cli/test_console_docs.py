"""The output shown in the docs is what the program prints."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from app.server.core import workflow_history
from app.server.core.workflow_history.queries.open_history import OpenHistory
from scripts import console_docs, make_rest_examples
from scripts.console_docs import ConsoleError, filled


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("console")
    console_docs.make_demo(made)
    return made


def block(*lines: str) -> str:
    return "\n".join(
        ["# A page", "```console", *lines, "```", "", "```", "$ workflow-history list", "```", ""]
    )


@pytest.mark.parametrize("page", console_docs.pages(), ids=lambda page: page.name)
def test_every_pages_output_is_up_to_date(folder, page):
    text = page.read_text()
    assert text == filled(text, folder), "run: python -m scripts.console_docs"


def test_what_one_page_writes_no_other_finds(folder):
    text = block("$ workflow-history budget init -q")
    assert filled(text, folder) == filled(text, folder)
    assert "No config file at" in filled(block("$ workflow-history check"), folder)


def test_the_readmes_python_answers_with_figures_of_the_demo(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder / "demo-history")
    code = (console_docs.ROOT / "README.md").read_text().partition("```python\n")[2].partition("```")[0]
    exec(code.replace("from workflow_history", "from app.server.core.workflow_history"), {})  # noqa: S102 - our own
    assert re.search(r"^build 207 218\.5549899$", capsys.readouterr().out, re.MULTILINE)


def test_the_examples_of_the_python_api_run(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", "history.db")
    page = (console_docs.ROOT / "docs" / "python-api.md").read_text()
    examples = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for example in examples:
        code = example.replace("from workflow_history", "from app.server.core.workflow_history")
        exec(code.replace("path/to/project", str(folder / "demo-history")), {})  # noqa: S102 - our own
    said = capsys.readouterr().out
    assert len(examples) == 3
    assert "240 new, 0 unchanged, 0 failed\n" in said
    assert re.search(r"^build 207 \d+\.\d+ \d\.\d+$", said, re.MULTILINE)
    assert "error: " in said
    assert "2026-W10" in (tmp_path / "weeks.csv").read_text()


def test_the_python_api_page_has_every_name_method_and_filter():
    page = (console_docs.ROOT / "docs" / "python-api.md").read_text()
    methods = [name for name, value in vars(OpenHistory).items() if callable(value) and name[0] != "_"]
    assert [name for name in methods if f"| `{name}(" not in page] == []
    assert [name for name in workflow_history.__all__ if f"`{name}" not in page] == []
    filters = [field.name for field in fields(workflow_history.RunFilter)]
    assert [name for name in filters if f"`{name}`" not in page] == []


def test_the_examples_of_rest_are_what_it_answers(folder):
    kept = json.loads(make_rest_examples.FILE.read_text())
    made = json.loads(make_rest_examples.made(folder))
    assert kept.keys() == made.keys()
    for name, example in made.items():
        assert example == kept[name] or name == "statistics_trend", (
            "run: python -m scripts.make_rest_examples"
        )


def test_the_map_of_all_questions_has_output():
    assert "\n$ workflow-history list" in (console_docs.ROOT / "docs" / "tour.md").read_text()


def test_a_page_that_was_filled_in_stays_as_it_is(folder):
    once = filled(block("$ workflow-history list -n 1 -q", "old output"), folder)
    assert "old output" not in once
    assert once.count("demo-history/") == 1
    assert once.endswith("```\n$ workflow-history list\n```\n")
    assert filled(once, folder) == once


def test_a_command_that_fails_shows_its_error_and_exit_code(folder):
    text = filled(block("$ workflow-history show zz"), folder)
    assert 'error: No run matches "zz". List runs with: workflow-history list\nexit code 1\n```' in text


def test_output_can_be_cut(folder):
    text = filled(block("$ workflow-history export --columns id | head -2"), folder)
    assert text.splitlines()[3] == "id"
    assert text.splitlines()[5] == "```"


def test_an_option_holds_for_its_own_command_alone(folder):
    text = filled(block("$ workflow-history --db none.db schema", "$ workflow-history list -n 1 -q"), folder)
    assert "forecast-run" in text
    assert "demo-history/" in text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("$ workflow-history db path", "shows where it ran"),
        ("$ workflow-history list | sort", "only workflow-history"),
        ("$ workflow-history serve", "until it is stopped"),
        ("some output", "without a command"),
    ],
)
def test_what_would_differ_between_machines_is_refused(folder, line, said):
    with pytest.raises(ConsoleError, match=said):
        filled(block(line), folder)


def test_the_surroundings_are_as_they_were(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "77")
    here = Path.cwd()
    filled(block("$ workflow-history list -n 1"), folder)
    assert Path.cwd() == here
    assert console_docs.os.environ["COLUMNS"] == "77"
