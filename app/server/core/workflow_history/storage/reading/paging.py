"""Read the keys of one page of a list, and the cursor for the next page.

Rows with an unknown value come last in both orders. They are queried separately, so that both parts are
read directly from an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, func, select, tuple_

from ..connection.engine import get_dialect
from ..tables.schema import workflows
from .filter_sql import WhereClauses, build_where
from .page_query import MAX_ROWS, PageCursor, PageQuery


class PageKeys(NamedTuple):
    """Keys of the runs on one page."""

    keys: list[int]
    total: int  # number of rows on all pages
    next_cursor: PageCursor | None  # None: this is the last page


class PageSection(NamedTuple):
    """Part of a list: the rows with a known value in the sort column, or the others."""

    has_values: bool
    order: Sequence[Column[Any]]


_MAX_LOOKUPS = 2_000
"""Maximum number of runs to look up in sets of runs; for more, building the sets takes less time."""


def page_keys(connection: Connection, query: PageQuery, *, within: Sequence[Select[Any]] = ()) -> PageKeys:
    """Return the keys of a page and its end; its runs must be in all sets of `within`, too."""
    where = build_where(query.run_filter, get_dialect(connection))
    where.included_keys.extend(within)
    total = connection.scalar(count_query(where)) or 0
    if not query.limit or not total:
        return PageKeys([], total, None)
    one_by_one = False
    if where.included_keys:  # a page fills soon if enough of all runs match
        runs = connection.scalar(select(func.max(workflows.c.key))) or 0
        one_by_one = (query.offset + query.limit) * runs < total * _MAX_LOOKUPS
    # One more row shows whether there is a next page.
    longer_query = replace(query, limit=min(query.limit + 1, MAX_ROWS))
    rows = _rows(connection, longer_query, where, where.clauses(one_by_one=one_by_one))
    page = rows[: query.limit]
    next_cursor = PageCursor(*page[-1][1:]) if len(rows) > query.limit else None
    return PageKeys([row[0] for row in page], total, next_cursor)


def count_query(where: WhereClauses) -> Select[int]:
    """Return a query that counts the rows of all pages; a single set of runs is counted in its own table."""
    sets = [*where.included_keys, *where.fulltext_keys]
    if len(sets) == 1 and not where.conditions and not where.excluded_keys:
        (column,) = sets[0].selected_columns
        return sets[0].with_only_columns(func.count(column.distinct()))
    return _with_index_hint(select(func.count()).select_from(workflows), where).where(*where.clauses())


def section_query(
    query: PageQuery,
    section: PageSection,
    where: WhereClauses,
    clauses: Sequence[ColumnElement[bool]],
    *,
    offset: int = 0,
    after: Sequence[Any] = (),
) -> Select[Any]:
    """Return a query for key, sort value, id and project of rows in one section."""
    is_known = query.column.is_not(None) if section.has_values else query.column.is_(None)
    columns = (workflows.c.key, query.column, workflows.c.id, workflows.c.project)
    selected = _with_index_hint(select(*columns), where).where(*clauses, is_known)
    if after:
        position = tuple_(*section.order)
        is_after = position < tuple_(*after) if query.descending else position > tuple_(*after)
        selected = selected.where(is_after)
    # In the section with unknown values, the first column is null in all rows. It is in ORDER BY all the
    # same: PostgreSQL reads the rows in index order only if ORDER BY has all columns of the index.
    order_columns = [query.column, *(column for column in section.order if column is not query.column)]
    order = (column.desc() if query.descending else column.asc() for column in order_columns)
    return selected.order_by(*order).limit(query.limit).offset(offset or None)


def _with_index_hint(query: Select[Any], where: WhereClauses) -> Select[Any]:
    """Make SQLite filter rows in the index that covers all filter columns.

    By itself it would use a narrower index, and then read each wide row.
    """
    if where.has_own_index:
        return query
    return query.with_hint(workflows, "INDEXED BY ix_workflows_figures", "sqlite")


def _rows(
    connection: Connection, query: PageQuery, where: WhereClauses, clauses: Sequence[ColumnElement[bool]]
) -> list[Any]:
    """Return the rows of a page, from one section of the list or from both."""
    with_value, without_value = PageSection(True, query.order), PageSection(False, query.order[1:])
    after = query.after
    if after is not None and after.value is None:
        position = _cursor_values(query, after)[1:]
        return list(connection.execute(section_query(query, without_value, where, clauses, after=position)))
    position = () if after is None else _cursor_values(query, after)
    rows = list(
        connection.execute(
            section_query(query, with_value, where, clauses, offset=query.offset, after=position)
        )
    )
    if len(rows) < query.limit:
        later_offset = 0
        if query.offset and not rows:
            count = _with_index_hint(select(func.count(query.column)).select_from(workflows), where)
            with_value_count = connection.scalar(count.where(*where.clauses())) or 0
            later_offset = query.offset - with_value_count
        remaining = replace(query, limit=query.limit - len(rows))
        rows += connection.execute(
            section_query(remaining, without_value, where, clauses, offset=later_offset)
        )
    return rows


def _cursor_values(query: PageQuery, cursor: PageCursor) -> tuple[Any, ...]:
    """Return the values of the sort columns in the row of the cursor."""
    ties = {"id": cursor.id, "project": cursor.project}
    return (cursor.value, *(ties[column.name] for column in query.order[1:]))
