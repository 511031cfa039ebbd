"""The house keeps its shape: imports run one way, without a circle, and every file says what it is."""

from __future__ import annotations

import ast
import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "core" / "workflow_history"
FILES = sorted(PACKAGE.rglob("*.py"))

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
    for node in ast.walk(ast.parse(file.read_text())):
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


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_run_one_way(file: Path) -> None:
    own = part_of(file)
    for target in relative_imports(file):
        part = target[0] if target else ""
        assert part == own or layer_of(part) < layer_of(own), (
            f"{own or 'the package'} must not import {part or 'the package'}"
        )


def test_no_import_circle() -> None:
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


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_the_first_line_of_every_file_is_its_caption(file: Path) -> None:
    docstring = ast.get_docstring(ast.parse(file.read_text()))
    assert docstring, "no caption"
    assert file.read_text().startswith(('"""', 'r"""'))


@pytest.mark.parametrize(
    "file",
    [f for f in FILES if part_of(f) in PURE and f.relative_to(PACKAGE).as_posix() not in IMPURE],
    ids=lambda file: str(file.relative_to(PACKAGE)),
)
def test_pure_parts_touch_no_file_clock_or_database(file: Path) -> None:
    tops = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            tops |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            tops.add(node.module.split(".")[0])
    path = file.relative_to(PACKAGE).as_posix()
    allowed = {"pathlib", "io", "os"} if path.startswith(PACKAGE_DATA) else set()
    assert not (tops & OUTSIDE) - allowed


def test_no_module_prints_outside_the_entry_points() -> None:
    for file in FILES:
        if part_of(file) in ("cli", "__main__", "demo"):
            continue
        calls = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
        assert not [c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "print"], file


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if ">>> " in file.read_text()],
    ids=lambda file: str(file.relative_to(PACKAGE)),
)
def test_every_example_in_a_docstring_gives_the_result_that_stands_below_it(file: Path) -> None:
    name = ".".join(("app.server.core.workflow_history", *module_of(file)))
    tried = doctest.testmod(importlib.import_module(name))
    assert (tried.failed, tried.attempted > 0) == (0, True)
