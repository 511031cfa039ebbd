"""User-facing texts use the words of docs/glossary.md, and none that a reader has to decode."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.server.tests.support.glossary_terms import find_banned
from app.server.tests.support.paths import ROOT

PACKAGE = ROOT / "app" / "server" / "core" / "workflow_history"

NO_TEXTS = (
    "demo/",
    "common/redaction/",
    "costs/pricing/",
    "analysis/similarity/",
    "analysis/scores/clarity.py",
)
"""Parts without interface texts: generated requests, and word lists and patterns of text analysis."""

EXCEPTIONS = {
    ("ingest/runs/state_words.py", "passed"): "a word of state files, in a list of all",
    ("docs/performance.md", "likeness"): "name of a table",
}
"""Reason for each accepted file and match; at most ten."""


def string_texts(file: Path) -> Iterator[str]:
    """Yield the string literals with a space, f-strings with … for their values; no docstrings."""
    tree = ast.parse(file.read_text())
    skipped: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            skipped |= {
                id(each.value)
                for each in body
                if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
            }
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


class _Texts(HTMLParser):
    """Collect the texts of a template, and of the attributes that are shown or read aloud."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag
        shown = {"title", "alt", "aria-label", "placeholder", "content", "data-name"}
        self.texts += [value for name, value in attrs if name in shown and value]


def template_texts(file: Path) -> Iterator[str]:
    """Yield the texts of a template, and the string literals in its expressions and statements."""
    source = re.sub(r"\{#.*?#\}", "", file.read_text(), flags=re.DOTALL)
    code = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
    parser = _Texts()
    parser.feed(code.sub("…", source))
    yield from parser.texts
    for each in code.findall(source):
        yield from re.findall(r'"([^"\n]*)"', each)


def script_texts(file: Path) -> Iterator[str]:
    """Yield the string literals and templates of a script, with its comments left out."""
    source = re.sub(r"(?m)(?:^|\s)//.*$|/\*.*?\*/", "", file.read_text(), flags=re.DOTALL)
    for quoted, template in re.findall(r'"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`', source):
        yield quoted or template


def page_texts(file: Path) -> Iterator[str]:
    """Yield the paragraphs of a page of the documentation."""
    yield from file.read_text().split("\n\n")


def files_to_scan() -> list[Path]:
    inside = [
        path
        for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.js")])
        if not path.relative_to(PACKAGE).as_posix().startswith((*NO_TEXTS, "web/site/"))
    ]
    return [*inside, ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


READERS = {".py": string_texts, ".html": template_texts, ".js": script_texts, ".md": page_texts}


@pytest.mark.parametrize("file", files_to_scan(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_texts_have_no_banned_word(file: Path) -> None:
    name = file.relative_to(ROOT).as_posix().removeprefix(f"{PACKAGE.relative_to(ROOT).as_posix()}/")
    found = {match.lower() for text in READERS[file.suffix](file) for match in find_banned(text)}
    assert {match for match in found if (name, match) not in EXCEPTIONS} == set()


def test_there_are_at_most_ten_exceptions_and_all_are_needed() -> None:
    assert len(EXCEPTIONS) <= 10
    for name, match in EXCEPTIONS:
        file = (PACKAGE if (PACKAGE / name).exists() else ROOT) / name
        assert match in {each.lower() for text in READERS[file.suffix](file) for each in find_banned(text)}


@pytest.mark.parametrize(
    "text", ["$1 spent in vain", "8 in 10 such runs", "'99' is no time", "its files are gone", "at work now"]
)
def test_a_banned_word_is_found(text: str) -> None:
    assert list(find_banned(text))


@pytest.mark.parametrize(
    "text",
    ["there is no history", "it is no longer read", "as well as costs", "gone", "a file where it is"],
)
def test_a_usual_word_is_accepted(text: str) -> None:
    assert list(find_banned(text)) == []
