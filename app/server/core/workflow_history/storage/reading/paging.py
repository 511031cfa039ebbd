"""Read the keys of one page of a list, and the cursor for the next page.

Rows with an unknown value come last in both orders. They are queried separately, so that both parts are
read directly from an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, func, select, tuple_

from ..connection.engine import get_backend
from ..tables.schema import workflows
from .filter_sql import WhereClauses, build_where
from .page_query import MAX_ROWS, PageCursor, PageQuery


class PageKeys(NamedTuple):
    """Keys of the runs on one page."""

    keys: list[int]
    total: int  # number of rows on all pages
    last: PageCursor | None  # cursor for the next page; None: there is none


class PageSection(NamedTuple):
    """Part of a list: the rows with a known value in the sort column, or the others."""

    known: bool
    order: Sequence[Column[Any]]


_LOOK_UPS = 2_000
"""Maximum number of runs to look up in sets of runs; for more, building the sets takes less time."""


def page_keys(connection: Connection, query: PageQuery, *, within: Sequence[Select[Any]] = ()) -> PageKeys:
    """Return the keys of a page and its end; its runs must be in all sets of `within`, too."""
    met = build_where(query.wanted, get_backend(connection))
    met.within.extend(within)
    total = connection.scalar(count_query(met)) or 0
    if not query.limit or not total:
        return PageKeys([], total, None)
    one_by_one = bool(met.within) and _meets_soon(connection, query, total)
    asked = replace(
        query, limit=min(query.limit + 1, MAX_ROWS)
    )  # one more row shows whether there is a next page
    rows = _rows(connection, asked, met, met.clauses(one_by_one=one_by_one))
    page = rows[: query.limit]
    last = PageCursor(*page[-1][1:]) if len(rows) > query.limit else None
    return PageKeys([row[0] for row in page], total, last)


def count_query(met: WhereClauses) -> Select[int]:
    """Return a query that counts the rows of all pages; a single set of runs is counted in its own table."""
    sets = [*met.within, *met.with_words]
    if len(sets) == 1 and not met.own and not met.outside:
        (column,) = sets[0].selected_columns
        return sets[0].with_only_columns(func.count(column.distinct()))
    return _hinted(select(func.count()).select_from(workflows), met).where(*met.clauses())


def section_query(
    query: PageQuery,
    half: PageSection,
    met: WhereClauses,
    clauses: Sequence[ColumnElement[bool]],
    *,
    offset: int = 0,
    after: Sequence[Any] = (),
) -> Select[Any]:
    """Return a query for key, sort value, id and project of rows in one section."""
    is_known = query.column.is_not(None) if half.known else query.column.is_(None)
    columns = (workflows.c.key, query.column, workflows.c.id, workflows.c.project)
    found = _hinted(select(*columns), met).where(*clauses, is_known)
    if after:
        place = tuple_(*half.order)
        found = found.where(place < tuple_(*after) if query.descending else place > tuple_(*after))
    # In the section with unknown values, the first column is null in all rows. It is in ORDER BY all the
    # same: PostgreSQL reads the rows in index order only if ORDER BY has all columns of the index.
    whole = [query.column, *(column for column in half.order if column is not query.column)]
    order = (column.desc() if query.descending else column.asc() for column in whole)
    return found.order_by(*order).limit(query.limit).offset(offset or None)


def _hinted(query: Select[Any], met: WhereClauses) -> Select[Any]:
    """Make SQLite filter rows in the index that covers all filter columns.

    By itself it would use a narrower index, and then read each wide row.
    """
    if met.has_own_index:
        return query
    return query.with_hint(workflows, "INDEXED BY ix_workflows_figures", "sqlite")


def _meets_soon(connection: Connection, query: PageQuery, total: int) -> bool:
    """Return whether enough runs match that a scan of all runs soon fills the page."""
    runs = connection.scalar(select(func.max(workflows.c.key))) or 0
    return (query.offset + query.limit) * runs < total * _LOOK_UPS


def _rows(
    connection: Connection, query: PageQuery, met: WhereClauses, clauses: Sequence[ColumnElement[bool]]
) -> list[Any]:
    """Return the rows of a page, from one section of the list or from both."""
    known, unknown = PageSection(True, query.order), PageSection(False, query.order[1:])
    after = query.after
    if after is not None and after.value is None:
        place = _place(query, after)[1:]
        return list(connection.execute(section_query(query, unknown, met, clauses, after=place)))
    place = () if after is None else _place(query, after)
    found = list(
        connection.execute(section_query(query, known, met, clauses, offset=query.offset, after=place))
    )
    if len(found) < query.limit:
        passed = query.offset - _known(connection, query, met) if query.offset and not found else 0
        rest = replace(query, limit=query.limit - len(found))
        found += connection.execute(section_query(rest, unknown, met, clauses, offset=passed))
    return found


def _known(connection: Connection, query: PageQuery, met: WhereClauses) -> int:
    counted = _hinted(select(func.count(query.column)).select_from(workflows), met)
    return connection.scalar(counted.where(*met.clauses())) or 0


def _place(query: PageQuery, after: PageCursor) -> tuple[Any, ...]:
    """Return the values of the sort columns in the row of the cursor."""
    ties = {"id": after.id, "project": after.project}
    return (after.value, *(ties[column.name] for column in query.order[1:]))
