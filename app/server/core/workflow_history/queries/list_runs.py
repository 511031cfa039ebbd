"""List runs: a filter, a sort order and a position in, one page of complete run dicts out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from .. import database
from ..common.errors import InvalidQueryError, InvalidValueError
from ..common.field_docs import Doc
from ..common.filters import RunFilter
from ..common.shared_fields import NextCursor
from ..common.spending import NO_COST, Cost
from ..storage.history import History, StoredPage
from ..storage.reading.page_query import SORT_KEYS, PageCursor, PageQuery, query_fingerprint
from .check_names import validate_filter_names

SORT_ALIASES: Final = {
    "when": "created_at",
    "cost": "spent",  # recorded cost plus lower bound
    "duration": "duration_seconds",
    "tokens": "total_tokens",
    "model": "model_used",
    "workflow": "workflow_template",
    "template": "workflow_template",
    "clarity": "nl_clarity_score",
    "quality": "quality_score",
}
"""Short names of the columns in lists; any other column of a run can be used by its own name."""


AGENT_SORT_KEYS: Final = {"phase-cost": "phase", "agent-cost": "agent"}
"""Sort keys for the cost of the phases or agents in the filter."""


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of runs."""

    workflows: Annotated[list[dict[str, Any]], Doc("runs on this page")]
    total: Annotated[int, Doc("number of runs on all pages")]
    limit: Annotated[int, Doc("maximum number of runs per page")]
    offset: Annotated[int, Doc("number of runs before this page; 0 if a cursor was given")]
    next_cursor: NextCursor
    part_costs: Annotated[
        list[float | None] | None, Doc("USD per run of the phases or agents sorted by; null: another sort")
    ] = None
    part_costs_partial: Annotated[
        list[bool] | None, Doc("whether each of these is a lower bound; null: another sort")
    ] = None


def find_runs(
    where: RunFilter | None = None,
    *,
    sort: str = "when",
    order: str = "desc",
    limit: int = 20,
    offset: int = 0,
    cursor: str | None = None,
) -> RunPage:
    """Return one page of the runs that match `where`; runs with an unknown sort value are last.

    `sort` is one of SORT_ALIASES or any column of a run. One of AGENT_SORT_KEYS sorts by the cost of the
    phases or agents in the filter, and supports an offset but no cursor. `cursor` is the `next_cursor` of the
    previous page. Raises InvalidQueryError, which lists the allowed values, or AmbiguousPatternError.
    """
    return _load_page(where, sort, order, limit, offset, cursor, History.page)


def list_run_summaries(
    where: RunFilter | None = None,
    *,
    sort: str = "when",
    order: str = "desc",
    limit: int = 50,
    offset: int = 0,
    cursor: str | None = None,
) -> RunPage:
    """Return one page like `find_runs` with only the fields shown in lists, which is many times as fast."""
    return _load_page(where, sort, order, limit, offset, cursor, History.summary_page)


def costs_of(where: RunFilter) -> Cost:
    """Return the total cost of all runs that match `where`, on all pages."""
    with database.open_if_exists() as history:
        if history is None:
            return NO_COST
        return history.costs_of(where).cost


def runs_pruned() -> int:
    """Return the number of runs that were pruned from the history in use and not synced again."""
    with database.open_if_exists() as history:
        return 0 if history is None else len(history.merge_store().pruned())


def _load_page(  # noqa: PLR0917 - both functions above take these by name
    where: RunFilter | None,
    sort: str,
    order: str,
    limit: int,
    offset: int,
    cursor: str | None,
    read: Callable[[History, PageQuery], StoredPage],
) -> RunPage:
    run_filter = RunFilter() if where is None else where
    check_sort(sort, run_filter, cursor)
    if sort in AGENT_SORT_KEYS:
        return _page_by_part_cost(run_filter, sort, PageQuery(run_filter, "spent", order, limit, offset))
    sort_by = SORT_ALIASES.get(sort, sort)
    fingerprint = query_fingerprint(run_filter, sort_by, order)
    after = None if cursor is None else PageCursor.decode(cursor, fingerprint)
    query = PageQuery(run_filter, sort_by, order, limit, offset, after)
    with database.open_if_exists() as history:
        if history is None:
            return RunPage([], 0, limit, offset, None)
        page = read(history, query)
        validate_filter_names(history, run_filter, found=bool(page.total))
    next_cursor = None if page.next_cursor is None else page.next_cursor.encode(fingerprint)
    return RunPage(page.workflows, page.total, limit, offset, next_cursor)


def check_sort(sort: str, where: RunFilter, cursor: str | None = None, called: str = "sort") -> None:
    """Raise InvalidQueryError if the sort key is invalid; `called` is the caller's name for the option."""
    if sort in AGENT_SORT_KEYS:
        part = AGENT_SORT_KEYS[sort]
        if not getattr(where, part):
            raise InvalidQueryError(f'{called} "{sort}" needs a {part}. Add the filter --{part}.')
        if cursor is not None:
            raise InvalidQueryError(f'{called} "{sort}" has no cursor. Use an offset.')
    elif SORT_ALIASES.get(sort, sort) not in SORT_KEYS:
        names = ", ".join((*SORT_ALIASES, *AGENT_SORT_KEYS))
        raise InvalidValueError(
            called, sort, f"Use one of: {names}, or another column of export --columns all."
        )


def _page_by_part_cost(where: RunFilter, sort: str, query: PageQuery) -> RunPage:
    part = AGENT_SORT_KEYS[sort]
    names: tuple[str, ...] = getattr(where, part)
    with database.open_if_exists() as history:
        if history is None:
            return RunPage([], 0, query.limit, query.offset, None, [], [])
        # numpy takes longer to import than most lists take
        from .phase_costs import sort_by_part_cost  # noqa: PLC0415

        part_costs = sort_by_part_cost(history, where, part, names, descending=query.descending)
        page = part_costs[query.offset : query.offset + query.limit]
        run_by_key = history.read([part_cost.key for part_cost in page])
        validate_filter_names(history, where, found=bool(part_costs))
    costs = [None if part_cost.nanodollars is None else part_cost.nanodollars / 1e9 for part_cost in page]
    runs = [run_by_key[part_cost.key] for part_cost in page]
    partial = [part_cost.partial for part_cost in page]
    return RunPage(runs, len(part_costs), query.limit, query.offset, None, costs, partial)
