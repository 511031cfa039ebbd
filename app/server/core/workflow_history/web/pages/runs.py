"""Page with the list of runs. Filters, sort order and page number are in the URL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from ...common.errors import InvalidQueryError
from ...common.filters import RunFilter
from ...presentation.run_list import list_footer, list_legend
from ...queries.check_names import KNOWN_STATUSES
from ...queries.list_runs import RunPage, costs_of, list_run_summaries, runs_pruned
from ...queries.running_runs import running_runs
from ..caches import filter_choices
from ..context import ContextDep
from ..filter_params import ParsedFilter, parse_filter_leniently
from ..rendering import render_page
from .listing import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGES,
    PAGE_SIZES,
    SORT_LABELS,
    RunListView,
    columns,
    filter_chips,
    page_links,
    views,
)

router = APIRouter()

_MAX_OPTIONS: Final = 200  # options of one filter field
_ORDERS: Final = ("desc", "asc")


@router.get("/")
def runs(request: Request, context: ContextDep) -> Response:
    """Return a page of runs. Invalid parameters lead to status 422, with the errors in the form."""
    query = {name: request.query_params.getlist(name) for name in request.query_params}
    parsed = parse_filter_leniently(query)
    view, error_message = _parse_view(query, parsed)
    run_page = None
    if not parsed.problems and not error_message:
        try:
            run_page = _load_runs(parsed.where, view, query.get("after", [None])[-1])
        except InvalidQueryError as error:
            error_message = str(error)
    options = _filter_options(parsed, context.query_cache(filter_choices))
    return render_page(
        request,
        "runs.html",
        status=200 if run_page else 422,
        view=view,
        run_page=run_page,
        problems=parsed.problems,
        error_message=error_message,
        filter_options=options,
        views=views(view),
        chips=filter_chips(view),
        page_sizes=PAGE_SIZES,
        sort_labels=SORT_LABELS,
        zone=parsed.zone,
        pruned=0 if run_page is None or run_page.total else runs_pruned(),
        running=running_runs(datetime.now(UTC)),
        **_result_values(view, run_page, options["project"], parsed.where),
    )


def _result_values(
    view: RunListView, run_page: RunPage | None, projects: Sequence[str], where: RunFilter
) -> dict[str, Any]:
    """Return the template values for columns, paging, totals and legend."""
    if run_page is None:
        return {"columns": [], "paging": None, "totals": [], "legend": []}
    return {
        "columns": columns(view, run_page.workflows, projects),
        "paging": page_links(view, run_page),
        "totals": list_footer(len(run_page.workflows), run_page.total, costs_of(where)),
        "legend": list_legend(run_page.workflows),
    }


def _parse_view(query: Mapping[str, Sequence[str]], parsed: ParsedFilter) -> tuple[RunListView, str | None]:
    """Parse the view of the list. If it is invalid, return a default view and an error message."""
    try:
        order, sort = _parse_choice(query, "order", _ORDERS), _last_value(query, "sort", "when")
        limit = _parse_int(query, "limit", DEFAULT_PAGE_SIZE, PAGE_SIZES[-1])
        page_number = _parse_int(query, "page", 1, MAX_PAGES)
        return RunListView(parsed.filter_params, sort, order, limit, page_number), None
    except InvalidQueryError as error:
        return RunListView(parsed.filter_params), str(error)


def _last_value(query: Mapping[str, Sequence[str]], name: str, default: str) -> str:
    return next((value for value in reversed(query.get(name, ())) if value), default)


def _parse_choice(query: Mapping[str, Sequence[str]], name: str, allowed: Sequence[str]) -> str:
    value = _last_value(query, name, allowed[0])
    if value not in allowed:
        raise InvalidQueryError(f'Invalid {name} "{value}". Use {" or ".join(allowed)}.')
    return value


def _parse_int(query: Mapping[str, Sequence[str]], name: str, default: int, maximum: int) -> int:
    value = _last_value(query, name, str(default))
    if not (value.isascii() and value.isdecimal() and len(value) < 9 and 1 <= int(value) <= maximum):
        raise InvalidQueryError(f'Invalid {name} "{value}". Use a whole number from 1 to {maximum:,}.')
    return int(value)


def _load_runs(where: RunFilter, view: RunListView, cursor: str | None) -> RunPage:
    """Return the runs of a page: by cursor if there is one, else by page number."""
    order: dict[str, Any] = {"sort": view.sort, "order": view.order, "limit": view.limit}
    if cursor and view.page > 1:
        try:
            return list_run_summaries(where, **order, cursor=cursor)
        except InvalidQueryError:  # an edited URL: use the page number instead
            return list_run_summaries(where, **order, offset=view.offset)
    return list_run_summaries(where, **order, offset=view.offset)


def _filter_options(parsed: ParsedFilter, stored: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the options of each filter by name: stored names and those in the query string."""
    names = {name: list(words[:_MAX_OPTIONS]) for name, words in stored.items()}
    names["status"] = [*KNOWN_STATUSES, *names["status"]]
    return {
        name: [*dict.fromkeys([*words, *parsed.filter_params.get(name, ())])] for name, words in names.items()
    }
