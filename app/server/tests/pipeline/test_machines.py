"""Every machine stores and answers the same, on any processor and with any number of threads."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.server.core.workflow_history import demo
from app.server.core.workflow_history.common.proportions import significant
from scripts import console_docs, plain_processor


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("machines") / "agents"
    demo.make_agents_folder(folder, runs=150, seed=3, end=console_docs.END)
    return folder


def answered(agents: Path, folder: Path, surroundings: dict[str, str] | None = None) -> Any:
    folder.mkdir()
    command = [sys.executable, "-m", "app.server.tests.support.machine_answers"]
    files = [str(agents), str(folder / "history.db"), str(folder / "answers.json")]
    subprocess.run([*command, *files], cwd=console_docs.ROOT, env=surroundings, check=True)  # noqa: S603
    return json.loads((folder / "answers.json").read_text())


@pytest.fixture(scope="module")
def here(agents: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return answered(agents, tmp_path_factory.mktemp("machine") / "here")


def test_a_plain_processor_stores_and_answers_the_same_to_the_last_digit(
    agents: Path, here: Any, tmp_path: Path
) -> None:
    plain = answered(agents, tmp_path / "plain", plain_processor.surroundings())
    for kind in ("stored", "answers"):
        assert here[kind].keys() == plain[kind].keys()
        for name, content in here[kind].items():
            assert content == plain[kind][name], f"{kind}: {name} depends on the processor"


def numbers_in(given: Any) -> Iterator[float]:
    if isinstance(given, float):
        yield given
    elif isinstance(given, dict | list):
        for each in given.values() if isinstance(given, dict) else given:
            yield from numbers_in(each)


@pytest.mark.parametrize("question", ["forecast", "anomalies"])
def test_statistics_are_published_with_the_digits_that_mean_something(here: Any, question: str) -> None:
    numbers = [
        number
        for name, answer in here["answers"].items()
        if name.startswith(question)
        for number in numbers_in(answer)
    ]
    assert len(numbers) > 50
    assert [number for number in numbers if number not in (significant(number), round(number, 9))] == []
