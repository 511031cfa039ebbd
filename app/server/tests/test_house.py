"""The structure of the project: imports run one way, and every file has a description."""

from __future__ import annotations

import ast
import doctest
import importlib
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from app.server.tests.support.paths import ROOT

PACKAGE = ROOT / "app" / "server" / "core" / "workflow_history"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {file: ast.parse(file.read_text()) for file in FILES}

LAYERS = (
    ("common",),
    # pure parts: data in, data out
    ("costs", "exporting"),
    # what touches files or the database
    ("ingest",),
    ("analysis",),
    ("similarity", "storage"),
    ("scanner", "database"),
    ("enrichment", "analytics"),
    ("pipeline",),
    ("sync", "resync"),
    ("maintenance",),
    ("queries",),
    ("presentation",),
    ("",),  # the package itself: the public API
    ("demo",),
    ("web",),
    ("cli",),
    ("__main__",),
)
"""From the ground up: a part may import from its own layer's folder and from layers below it."""

PURE = ("analysis", "common", "costs", "presentation", "similarity")
"""Parts that take records and return records."""

IMPURE = {"common/file_lock.py", "common/temporary_files.py"}
OUTSIDE = {"os", "pathlib", "sqlite3", "sqlalchemy", "subprocess", "time", "socket", "shutil", "io"}
PACKAGE_DATA = ("analysis/similarity/", "common/redaction/")  # read shipped weights and rules once


def part_of(file: Path) -> str:
    """Return the top-level part a file belongs to; the package's own __init__ is ''."""
    inside = file.relative_to(PACKAGE).with_suffix("").parts
    return "" if inside == ("__init__",) else inside[0]


def module_of(file: Path) -> tuple[str, ...]:
    inside = file.relative_to(PACKAGE).with_suffix("").parts
    return inside[:-1] if inside[-1] == "__init__" else inside


def relative_imports(file: Path) -> list[tuple[str, ...]]:
    """Return the modules of this package that a file imports, as paths from the package."""
    here = file.relative_to(PACKAGE).parent.parts
    found = []
    for node in ast.walk(TREES[file]):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = here[: len(here) - (node.level - 1)]
        target = (*base, *(node.module.split(".") if node.module else ()))
        names = [alias.name for alias in node.names] if not node.module else [""]
        for name in names:
            deeper = (*target, name) if name else target
            path = PACKAGE.joinpath(*deeper)
            exists = path.is_dir() or path.with_suffix(".py").is_file()
            found.append(deeper if exists else target)
    return found


def layer_of(part: str) -> int:
    return next(level for level, parts in enumerate(LAYERS) if part in parts)


def test_imports_run_one_way() -> None:
    wrong = []
    for file in FILES:
        own = part_of(file)
        for target in relative_imports(file):
            part = target[0] if target else ""
            if part != own and layer_of(part) >= layer_of(own):
                wrong.append(f"{file.relative_to(PACKAGE)} imports {part or 'the package'}")
    assert wrong == []


def test_no_import_cycle() -> None:
    graph = {module_of(file): set(relative_imports(file)) for file in FILES}
    done: set[tuple[str, ...]] = set()

    def visit(module: tuple[str, ...], path: tuple[tuple[str, ...], ...]) -> None:
        assert module not in path, " -> ".join(".".join(step) for step in (*path, module))
        if module in done:
            return
        for target in graph.get(module, ()):
            if target != module:
                visit(target, (*path, module))
        done.add(module)

    for module in graph:
        visit(module, ())


def test_every_file_begins_with_a_docstring() -> None:
    assert [file for file in FILES if not file.read_text().startswith(('"""', 'r"""'))] == []


def test_pure_parts_touch_no_file_clock_or_database() -> None:
    wrong = {}
    for file, tree in TREES.items():
        path = file.relative_to(PACKAGE).as_posix()
        if part_of(file) not in PURE or path in IMPURE:
            continue
        names = [
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        ]
        names += [
            node.module or ""
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and not node.level
        ]
        allowed = {"pathlib", "io", "os"} if path.startswith(PACKAGE_DATA) else set()
        if found := ({name.split(".")[0] for name in names} & OUTSIDE) - allowed:
            wrong[path] = found
    assert wrong == {}


def test_no_module_prints_outside_the_entry_points() -> None:
    printing = [
        file
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert [file for file in printing if part_of(file) not in {"cli", "__main__", "demo"}] == []


def test_every_example_in_a_docstring_gives_its_result() -> None:
    tried = {}
    for file in FILES:
        if ">>> " in file.read_text():
            name = ".".join(("app.server.core.workflow_history", *module_of(file)))
            tried[name] = doctest.testmod(importlib.import_module(name))
    assert [name for name, result in tried.items() if result.failed or not result.attempted] == []
    assert tried


PLAIN_WORDS = re.compile(
    r"\b(what|whatever|whoever|tells?|told|says?|said|anew|in vain|lest|akin|reckon\w*|mend(?:s|ed|ing)?"
    r"|goes? in|comes? out|take[sn]? out|nobody|somebody|heed\w*)\b",
    re.IGNORECASE,
)
"""Words of riddles: a "what" clause in place of a noun, programs that speak, archaic verbs."""

PLAIN_NAMES = re.compile(r"(?:^|_)(tells?|told|anew|meant|akin|habits?|takeout|vain|whom|whose)(?:_|$)")

WORDS_IN_USE = {
    ("common/redaction/drop_text.py", "says"),  # quotes a stored text
    ("queries/export.py", "what"),  # a parameter of the public interface
}


def prose(file: Path) -> Iterator[str]:
    """Yield the docstrings without their examples, and the comments of a file."""
    for node in ast.walk(TREES[file]):
        for statement in getattr(node, "body", ()) if not isinstance(node, ast.Lambda | ast.IfExp) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                text = str(statement.value.value)
                examples = {
                    line
                    for example in doctest.DocTestParser().get_examples(text)
                    for line in (*example.source.splitlines(), *example.want.splitlines())
                }
                yield "\n".join(
                    line for line in text.splitlines() if line.strip().removeprefix(">>> ") not in examples
                )
    for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def test_docstrings_and_comments_are_in_plain_words() -> None:
    found = {
        (file.relative_to(PACKAGE).as_posix(), match.group().lower())
        for file in FILES
        for text in prose(file)
        for match in PLAIN_WORDS.finditer(text)
    }
    assert found - WORDS_IN_USE == set()


def test_names_are_in_plain_words() -> None:
    found = {
        (file.relative_to(PACKAGE).as_posix(), name)
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        for key in ("name", "id", "arg", "attr")
        if isinstance(name := getattr(node, key, None), str) and PLAIN_NAMES.search(name) and name != "tell"
    }
    assert found == set()  # "tell" is a method of files
