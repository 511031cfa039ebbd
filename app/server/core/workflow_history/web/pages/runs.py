"""Page with the list of runs. Filters, sort order and page number are in the URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...common.errors import InvalidQueryError
from ...common.filters import RunFilter
from ...maintenance.pruning import runs_pruned
from ...presentation.run_list import list_footer, list_legend
from ...queries.check_names import KNOWN_STATUSES
from ...queries.list_runs import SORT_ALIASES, RunPage, costs_of, list_run_summaries
from ...queries.running_runs import running_runs
from ..context import ContextDep
from ..filter_params import ParsedFilter, parse_filter_leniently
from ..rendering import page
from .listing import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGES,
    PAGE_SIZES,
    SORTS,
    ListView,
    columns,
    filter_chips,
    page_links,
    views,
)

router = APIRouter()

_MOST_WORDS: Final = 200  # options of one filter field
_ORDERS: Final = ("desc", "asc")


@router.get("/")
def runs(request: Request, here: ContextDep) -> Response:
    """Return a page of runs. Invalid parameters lead to status 422, with the errors in the form."""
    query = {name: request.query_params.getlist(name) for name in request.query_params}
    asked = parse_filter_leniently(query)
    view, wrong = _view(query, asked)
    found, trouble = None, wrong
    if not asked.problems and not trouble:
        try:
            found = _found(asked.where, view, query.get("after", [None])[-1])
        except InvalidQueryError as error:
            trouble = str(error)
    words = _words(asked, here.words.all())
    return page(
        request,
        "runs.html",
        status=200 if found else 422,
        view=view,
        found=found,
        problems=asked.problems,
        trouble=trouble,
        words=words,
        views=views(view),
        chips=filter_chips(view),
        sizes=PAGE_SIZES,
        sorts=SORTS,
        zone=asked.zone,
        pruned=0 if found is None or found.total else runs_pruned(),
        running=running_runs(datetime.now(UTC)),
        sort_key=SORT_ALIASES.get(view.sort, view.sort),
        **_shown(view, found, words["project"], asked.where),
    )


def _shown(
    view: ListView, found: RunPage | None, projects: Sequence[str], where: RunFilter
) -> dict[str, Any]:
    """Return the template values for columns, paging, totals and legend."""
    if found is None:
        return {"columns": [], "places": None, "sums": [], "legend": []}
    return {
        "columns": columns(view, found.workflows, projects),
        "places": page_links(view, found),
        "sums": list_footer(len(found.workflows), found.total, costs_of(where)),
        "legend": list_legend(found.workflows),
    }


def _view(query: Mapping[str, Sequence[str]], asked: ParsedFilter) -> tuple[ListView, str | None]:
    """Parse the view of the list. If it is invalid, return a default view and an error message."""
    try:
        order, sort = _word(query, "order", _ORDERS), _last(query, "sort", "when")
        limit, number = (
            _whole(query, "limit", DEFAULT_PAGE_SIZE, PAGE_SIZES[-1]),
            _whole(query, "page", 1, MAX_PAGES),
        )
        return ListView(asked.given, sort, order, limit, number), None
    except InvalidQueryError as error:
        return ListView(asked.given), str(error)


def _last(query: Mapping[str, Sequence[str]], name: str, usual: str) -> str:
    return next((value for value in reversed(query.get(name, ())) if value), usual)


def _word(query: Mapping[str, Sequence[str]], name: str, allowed: Sequence[str]) -> str:
    given = _last(query, name, allowed[0])
    if given not in allowed:
        raise InvalidQueryError(f"{name} {given!r} is not allowed; use {' or '.join(allowed)}")
    return given


def _whole(query: Mapping[str, Sequence[str]], name: str, usual: int, most: int) -> int:
    given = _last(query, name, str(usual))
    if not (given.isascii() and given.isdecimal() and len(given) < 9 and 1 <= int(given) <= most):
        raise InvalidQueryError(f"{name} {given!r} is not allowed; use a whole number from 1 to {most:,}")
    return int(given)


def _found(where: RunFilter, view: ListView, cursor: str | None) -> RunPage:
    """Return the runs of a page: by cursor if there is one, else by page number."""
    order: dict[str, Any] = {"sort": view.sort, "order": view.order, "limit": view.limit}
    if cursor and view.page > 1:
        try:
            return list_run_summaries(where, **order, cursor=cursor)
        except InvalidQueryError:  # an edited URL: use the page number instead
            return list_run_summaries(where, **order, offset=view.offset)
    return list_run_summaries(where, **order, offset=view.offset)


def _words(asked: ParsedFilter, stored: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the options of each filter by name: stored names and those in the query string."""
    known = {name: list(words[:_MOST_WORDS]) for name, words in stored.items()}
    known["class"] = known.pop("issue_class")
    known["status"] = [*KNOWN_STATUSES, *known["status"]]
    return {name: [*dict.fromkeys([*words, *asked.given.get(name, ())])] for name, words in known.items()}
