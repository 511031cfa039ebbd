"""SQL expressions that compile differently for each database."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import Double


class trunc(GenericFunction[float]):  # noqa: N801 - a function of SQL
    """A number without its fraction, for a cast to an integer, which rounds in PostgreSQL."""

    type = Double()
    inherit_cache = True


@compiles(trunc, "sqlite")
def _sqlite(element: Any, compiler: Any, **more: Any) -> str:
    return str(compiler.process(element.clauses, **more))  # the cast in SQLite truncates


@compiles(trunc, "postgresql")
def _postgresql(element: Any, compiler: Any, **more: Any) -> str:
    return f"trunc({compiler.process(element.clauses, **more)})"
