"""What the fields of a class mean: a class in, the comments on its fields' lines out, by field."""

from __future__ import annotations

import ast
import inspect
import io
import sys
import textwrap
import tokenize


def comments_of(record: type) -> dict[str, str]:
    """Return the comment of each field that has one, those of its bases too.

    Nothing where the source is not at hand, as in a program that was frozen into one file.
    """
    try:
        source = textwrap.dedent(inspect.getsource(record))
    except (OSError, TypeError):
        return {}
    (defined,) = ast.parse(source).body
    found: dict[str, str] = {}
    for base in _bases(defined, record):
        found |= comments_of(base)
    return found | _of_fields(defined, source)


def _bases(defined: ast.stmt, record: type) -> list[type]:
    """Return the classes that a class names as its bases; a TypedDict does not know them any more."""
    around = vars(sys.modules[record.__module__])
    named = defined.bases if isinstance(defined, ast.ClassDef) else []
    found = [around.get(base.id) for base in named if isinstance(base, ast.Name)]
    return [base for base in found if isinstance(base, type)]


def _of_fields(defined: ast.stmt, source: str) -> dict[str, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    by_line = {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}
    found = {}
    for node in ast.walk(defined):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
            said = [by_line[line] for line in lines if line in by_line]
            if said:
                found[node.target.id] = " ".join(said)
    return found
