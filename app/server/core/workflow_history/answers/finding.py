"""Find runs: a filter, an order and a place in the list in, one page of whole run dicts out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .. import database
from ..amounts import Spending, exact
from ..errors import InvalidQueryError
from ..filters import RunFilter
from ..store.cursor import Cursor, list_name
from ..store.history import History, Page
from ..store.queries import SORT_KEYS, PageQuery
from .naming import check_names

SORT_NAMES: Final = {
    "when": "created_at",
    "cost": "spent",  # on record and beyond it
    "duration": "duration_seconds",
    "tokens": "total_tokens",
    "model": "model_used",
    "template": "workflow_template",
    "clarity": "nl_clarity_score",
    "quality": "quality_score",
}
"""Short names for what lists show; any other column of a run can be named as it is."""


PART_SORTS: Final = {"phase-cost": "phase", "agent-cost": "agent"}
"""Sorts by what the phases or agents that the filter names cost."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of runs."""

    workflows: list[dict[str, Any]]  # whole run dicts, see docs/schema.md
    total: int  # runs on all pages
    limit: int
    offset: int  # 0 where a cursor said the place
    next_cursor: str | None  # gives the next page, whatever is stored meanwhile; None: this is the last
    part_costs: list[float | None] | None = None  # USD at least, of what was sorted by, run by run; else None


def find_runs(
    where: RunFilter | None = None,
    *,
    sort: str = "when",
    order: str = "desc",
    limit: int = 20,
    offset: int = 0,
    cursor: str | None = None,
) -> RunPage:
    """Return one page of the runs that `where` means; runs whose sort value is unknown come last.

    `sort` is one of SORT_NAMES or any column of a run; one of PART_SORTS goes by what the phases or agents
    of the filter cost, and takes an offset and no cursor. `cursor` is the `next_cursor` of the page before.
    Raises InvalidQueryError, which names what is allowed; of a pattern PatternNotFoundError or
    AmbiguousPatternError.
    """
    return _page(where, sort, order, limit, offset, cursor, History.page)


def find_run_rows(
    where: RunFilter | None = None,
    *,
    sort: str = "when",
    order: str = "desc",
    limit: int = 50,
    offset: int = 0,
    cursor: str | None = None,
) -> RunPage:
    """Return the same page with just what a list shows of each run, a RunRow each: many times as fast."""
    return _page(where, sort, order, limit, offset, cursor, History.brief_page)


def costs_of(where: RunFilter) -> Spending:
    """Return what all runs together cost that `where` means, on whatever page they are."""
    with database.existing() as history:
        if history is None:
            return Spending(None, None, partial=False)
        found = history.costs_of(where)
    amounts = exact(found.total_cost), exact(found.lower_bound_cost)
    return Spending(*amounts, partial=bool(found.partial), unknown_runs=found.unknown)


def _page(  # noqa: PLR0917 - both of the above take them by name
    where: RunFilter | None,
    sort: str,
    order: str,
    limit: int,
    offset: int,
    cursor: str | None,
    read: Callable[[History, PageQuery], Page],
) -> RunPage:
    wanted = RunFilter() if where is None else where
    check_sort(sort, wanted, cursor)
    if sort in PART_SORTS:
        return _by_part(wanted, sort, PageQuery(wanted, "spent", order, limit, offset))
    sort_by = SORT_NAMES.get(sort, sort)
    name = list_name(wanted, sort_by, order)
    after = None if cursor is None else Cursor.read(cursor, name)
    query = PageQuery(wanted, sort_by, order, limit, offset, after)
    with database.existing() as history:
        if history is None:
            return RunPage([], 0, limit, offset, None)
        page = read(history, query)
        check_names(history, wanted, found=bool(page.total))
    following = None if page.last is None else page.last.text(name)
    return RunPage(page.workflows, page.total, limit, offset, following)


def check_sort(sort: str, where: RunFilter, cursor: str | None = None, called: str = "sort") -> None:
    """Raise InvalidQueryError if runs cannot be sorted so; `called`: what the caller calls the setting."""
    if sort in PART_SORTS:
        part = PART_SORTS[sort]
        if not getattr(where, part):
            raise InvalidQueryError(f'{called} "{sort}" needs a {part} in the filter: name one')
        if cursor is not None:
            raise InvalidQueryError(f'{called} "{sort}" has no cursor: pages go by offset')
    elif SORT_NAMES.get(sort, sort) not in SORT_KEYS:
        more = sorted(set(SORT_KEYS) - set(SORT_NAMES.values()))
        raise InvalidQueryError(
            f'Invalid {called} "{sort}". Use one of {", ".join((*SORT_NAMES, *PART_SORTS))}, '
            f"or a column: {', '.join(more)}"
        )


def _by_part(where: RunFilter, sort: str, query: PageQuery) -> RunPage:
    part = PART_SORTS[sort]
    names: tuple[str, ...] = getattr(where, part)
    with database.existing() as history:
        if history is None:
            return RunPage([], 0, query.limit, query.offset, None, [])
        # numpy takes longer to import than most lists take
        from .part_costs import by_part_cost  # noqa: PLC0415

        found = by_part_cost(history, where, part, names, descending=query.descending)
        page = found[query.offset : query.offset + query.limit]
        read = history.read([one.key for one in page])
        check_names(history, where, found=bool(found))
    costs = [None if one.nanodollars is None else one.nanodollars / 1e9 for one in page]
    return RunPage([read[one.key] for one in page], len(found), query.limit, query.offset, None, costs)
