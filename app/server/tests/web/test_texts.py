"""Pages, scripts, errors, metrics and the description of the REST API use the terms of the glossary."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from app.server.core.workflow_history import web
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.web.app import create_app
from app.server.core.workflow_history.web.middleware.metrics import Metrics
from app.server.tests.support.glossary_terms import violations

WEB = Path(web.__file__).parent
TEMPLATES = sorted((WEB / "pages" / "templates").glob("*.html"))
SCRIPTS = sorted((WEB / "pages" / "static").glob("*.js"))
MODULES = sorted(WEB.rglob("*.py"))
READ_ATTRIBUTES = {"title", "aria-label", "placeholder", "data-name", "label", "value"}
TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`')
EXCEPTIONS: dict[str, str] = {}
"""Texts that have such a word for a reason, with the reason."""


def name(path: Path) -> str:
    return str(path.relative_to(WEB))


class TextReader(HTMLParser):
    """Reads what a template shows: texts, and attributes that are shown or read aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for key, value in attrs if key in READ_ATTRIBUTES and value]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def texts_of_template(source: str) -> Iterator[str]:
    expressions = [code for code in TAG.findall(source) if not code.startswith("{#")]
    for code in expressions:
        yield from (first or second for first, second in QUOTED.findall(code))
    reader = TextReader()
    reader.feed(TAG.sub(" ", source))
    yield from (" ".join(text.split()) for text in reader.texts)


def texts_of_module(source: str) -> Iterator[str]:
    """Yield the string literals of a module but for docstrings, which only developers read."""
    tree = ast.parse(source)
    unread = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }  # docstrings, also of constants
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in unread:
            yield node.value


def descriptions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key in {"description", "summary", "title"} and isinstance(item, str):
                yield item
            elif key not in {"example", "examples"}:
                yield from descriptions(item)
    elif isinstance(value, list):
        for item in value:
            yield from descriptions(item)


def faults(texts: Iterator[str]) -> list[str]:
    return [f"{text!r}: {fault}" for text in texts if text not in EXCEPTIONS for fault in violations(text)]


@pytest.mark.parametrize("template", TEMPLATES, ids=name)
def test_a_page_uses_the_terms_of_the_glossary(template: Path) -> None:
    assert faults(texts_of_template(template.read_text())) == []


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_a_script_uses_the_terms_of_the_glossary(script: Path) -> None:
    code = re.sub(r"(^|\s)//.*|/\*.*?\*/", "", script.read_text())
    assert faults(first or second for first, second in QUOTED.findall(code)) == []


@pytest.mark.parametrize("module", MODULES, ids=name)
def test_the_texts_in_a_module_use_the_terms_of_the_glossary(module: Path) -> None:
    assert faults(texts_of_module(module.read_text())) == []


def test_the_description_of_the_rest_api_uses_the_terms_of_the_glossary() -> None:
    paths = create_app().openapi()["paths"]
    assert faults(descriptions(paths)) == []


def test_every_parameter_of_the_rest_api_says_more_than_its_name() -> None:
    for path, methods in create_app().openapi()["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                words = parameter.get("description", "")
                assert len(words.split()) > 1, (path, parameter["name"])
                assert words.lower().strip(".") != parameter["name"].replace("_", " "), path


def test_the_help_of_metrics_uses_the_terms_of_the_glossary(tmp_path: Path) -> None:
    with History.open(tmp_path / "history.db"):
        lines = Metrics().text()[0].decode().splitlines()
    assert faults(line for line in lines if line.startswith("# HELP")) == []


def test_every_exception_is_still_needed() -> None:
    assert all(violations(text) for text in EXCEPTIONS)
    assert len(EXCEPTIONS) <= 10


def test_titles_and_headings_are_things_and_no_clauses() -> None:
    for template in TEMPLATES:
        source = TAG.sub("", template.read_text())
        for heading in re.findall(r"<(?:h[123]|th)[^>]*>(.*?)</(?:h[123]|th)>", source, re.DOTALL):
            words = re.sub(r"<[^>]+>|\s+", " ", heading).strip()
            assert not re.match(r"(what|where|how|who|when|which)\b", words, re.IGNORECASE), (template, words)
