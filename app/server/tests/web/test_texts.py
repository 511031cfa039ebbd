"""The REST API's description, metrics, titles and headings use the terms of the glossary.

The texts of modules, templates and scripts are read by `test_language.py`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.server.core.workflow_history import web
from app.server.core.workflow_history.common.formatting.text import OUTCOME_SIGNS, STATUS_SIGNS
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.middleware.metrics import Metrics
from app.server.tests.support.glossary_terms import find_banned

TEMPLATES = sorted((Path(web.__file__).parent / "pages" / "templates").glob("*.html"))
CODE = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
HEADING = re.compile(r"<(h[123]|th|dt|legend|label)\b[^>]*>(.*?)</\1>", re.DOTALL)
CLAUSE = re.compile(r"(?:what|where|how|who|when|which|why)\b", re.IGNORECASE)


def descriptions(value: Any) -> Iterator[str]:
    """Yield what an OpenAPI description says about operations, parameters, responses and fields."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in {"description", "summary", "title"} and isinstance(item, str):
                yield item
            elif key not in {"example", "examples"}:
                yield from descriptions(item)
    elif isinstance(value, list):
        for item in value:
            yield from descriptions(item)


def test_the_description_of_the_rest_api_has_no_banned_word() -> None:
    found = {match for text in descriptions(create_app().openapi()) for match in find_banned(text)}
    assert found == set()


def test_every_parameter_of_the_rest_api_says_more_than_its_name() -> None:
    for path, methods in create_app().openapi()["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                text = parameter.get("description", "")
                assert len(text.split()) > 1, (path, parameter["name"])
                assert text.lower().strip(".") != parameter["name"].replace("_", " "), path


def test_the_help_of_metrics_has_no_banned_word(tmp_path: Path) -> None:
    with History.open(tmp_path / "history.db"):
        lines = Metrics().text()[0].decode().splitlines()
    help_lines = [line for line in lines if line.startswith("# HELP")]
    assert help_lines
    assert [match for line in help_lines for match in find_banned(line)] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_headings_and_labels_are_things_and_no_clauses(template: Path) -> None:
    source = CODE.sub("", template.read_text())
    headings = [" ".join(re.sub(r"<[^>]+>", " ", text).split()) for _, text in HEADING.findall(source)]
    assert [heading for heading in headings if CLAUSE.match(heading)] == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: file.name)
def test_no_text_asks_for_a_mouse(template: Path) -> None:
    source = re.sub(r"<[^>]+>", " ", CODE.sub("", template.read_text()))
    assert re.findall(r"\b(?:hover|click|right-click|mouse)\w*", source, re.IGNORECASE) == []


@pytest.mark.parametrize("word", sorted({*STATUS_SIGNS, *OUTCOME_SIGNS}))
def test_every_status_and_outcome_has_a_colour(word: str) -> None:
    style = (Path(web.__file__).parent / "pages" / "static" / "base.css").read_text()
    assert re.search(rf"\.is-{word}\b[^{{]*\{{ color: var\(--", style)
