"""Find runs: a filter, an order and a place in the list in, one page of whole run dicts out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .. import database
from ..common.errors import InvalidQueryError
from ..common.filters import RunFilter
from ..common.spending import Spending, to_decimal
from ..storage.history import History, StoredPage
from ..storage.reading.page_query import SORT_KEYS, PageCursor, PageQuery, query_fingerprint
from .check_names import validate_filter_names

SORT_ALIASES: Final = {
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


AGENT_SORT_KEYS: Final = {"phase-cost": "phase", "agent-cost": "agent"}
"""Sorts by what the phases or agents that the filter names cost."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of runs."""

    workflows: list[dict[str, Any]]  # whole run dicts, see docs/schema.md
    total: int  # runs on all pages
    limit: int
    offset: int  # 0 where a cursor said the place
    next_cursor: str | None  # gives the next page, whatever is stored meanwhile; None: this is the last
    part_costs: list[float | None] | None = None  # USD known of the phases or agents sorted by; else None
    part_costs_partial: list[bool] | None = None  # of each of these: more may have been spent; else None


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

    `sort` is one of SORT_ALIASES or any column of a run; one of AGENT_SORT_KEYS goes by what the phases or
    agents of the filter cost, and takes an offset and no cursor. `cursor` is the `next_cursor` of the page
    before. Raises InvalidQueryError, which names what is allowed; of a pattern PatternNotFoundError or
    AmbiguousPatternError.
    """
    return _page(where, sort, order, limit, offset, cursor, History.page)


def list_run_summaries(
    where: RunFilter | None = None,
    *,
    sort: str = "when",
    order: str = "desc",
    limit: int = 50,
    offset: int = 0,
    cursor: str | None = None,
) -> RunPage:
    """Return the same page with just what a list shows of each run, a RunRow each: many times as fast."""
    return _page(where, sort, order, limit, offset, cursor, History.summary_page)


def costs_of(where: RunFilter) -> Spending:
    """Return what all runs together cost that `where` means, on whatever page they are."""
    with database.open_if_exists() as history:
        if history is None:
            return Spending(None, None, partial=False)
        found = history.costs_of(where)
    amounts = to_decimal(found.total_cost), to_decimal(found.lower_bound_cost)
    return Spending(*amounts, partial=bool(found.partial), unknown_runs=found.unknown)


def _page(  # noqa: PLR0917 - both of the above take them by name
    where: RunFilter | None,
    sort: str,
    order: str,
    limit: int,
    offset: int,
    cursor: str | None,
    read: Callable[[History, PageQuery], StoredPage],
) -> RunPage:
    wanted = RunFilter() if where is None else where
    check_sort(sort, wanted, cursor)
    if sort in AGENT_SORT_KEYS:
        return _by_part(wanted, sort, PageQuery(wanted, "spent", order, limit, offset))
    sort_by = SORT_ALIASES.get(sort, sort)
    name = query_fingerprint(wanted, sort_by, order)
    after = None if cursor is None else PageCursor.decode(cursor, name)
    query = PageQuery(wanted, sort_by, order, limit, offset, after)
    with database.open_if_exists() as history:
        if history is None:
            return RunPage([], 0, limit, offset, None)
        page = read(history, query)
        validate_filter_names(history, wanted, found=bool(page.total))
    following = None if page.next_cursor is None else page.next_cursor.encode(name)
    return RunPage(page.workflows, page.total, limit, offset, following)


def check_sort(sort: str, where: RunFilter, cursor: str | None = None, called: str = "sort") -> None:
    """Raise InvalidQueryError if runs cannot be sorted so; `called`: what the caller calls the setting."""
    if sort in AGENT_SORT_KEYS:
        part = AGENT_SORT_KEYS[sort]
        if not getattr(where, part):
            raise InvalidQueryError(f'{called} "{sort}" needs a {part} in the filter: name one')
        if cursor is not None:
            raise InvalidQueryError(f'{called} "{sort}" has no cursor: pages go by offset')
    elif SORT_ALIASES.get(sort, sort) not in SORT_KEYS:
        more = sorted(set(SORT_KEYS) - set(SORT_ALIASES.values()))
        raise InvalidQueryError(
            f'Invalid {called} "{sort}". Use one of {", ".join((*SORT_ALIASES, *AGENT_SORT_KEYS))}, '
            f"or a column: {', '.join(more)}"
        )


def _by_part(where: RunFilter, sort: str, query: PageQuery) -> RunPage:
    part = AGENT_SORT_KEYS[sort]
    names: tuple[str, ...] = getattr(where, part)
    with database.open_if_exists() as history:
        if history is None:
            return RunPage([], 0, query.limit, query.offset, None, [], [])
        # numpy takes longer to import than most lists take
        from .phase_costs import sort_by_part_cost  # noqa: PLC0415

        found = sort_by_part_cost(history, where, part, names, descending=query.descending)
        page = found[query.offset : query.offset + query.limit]
        read = history.read([one.key for one in page])
        validate_filter_names(history, where, found=bool(found))
    costs = [None if one.nanodollars is None else one.nanodollars / 1e9 for one in page]
    runs, partial = [read[one.key] for one in page], [one.partial for one in page]
    return RunPage(runs, len(found), query.limit, query.offset, None, costs, partial)
