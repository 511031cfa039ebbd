"""Templates into pages: a request, a template's name and values in, HTML out. Everything is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ..wording import numbers
from ..wording.agents import short_model
from ..wording.costs import short_cost
from ..wording.text import UNKNOWN, clean, one_line

_HERE: Final = Path(__file__).parent / "pages"

NAVIGATION: Final = (("/", "Runs"), ("/api", "REST"))
"""The pages that every page leads to: address and name."""

FILTERS: Final = {
    "money": numbers.money,
    "tokens": numbers.tokens,
    "duration": numbers.duration,
    "share": numbers.share,
    "percent": numbers.percent,
    "counted": numbers.counted,
    "moment": numbers.moment,
    "cost_of": short_cost,
    "short_model": short_model,
    "one_line": one_line,
    "clean": clean,
}
"""How templates write values: the words are those of the terminal."""


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(FILTERS)
    found.globals.update(UNKNOWN=UNKNOWN, address=address, run_address=run_address, navigation=NAVIGATION)
    return found


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page."""
    html = _templates().get_template(template).render(request=request, path=request.url.path, **values)
    headers = {"Cache-Control": "private, no-cache"}
    # Half of a pair, as a damaged file may hold one, cannot be sent.
    return HTMLResponse(html.encode("utf-8", "replace"), status, headers)


def problem_page(request: Request, status: int, detail: str) -> HTMLResponse:
    """Return a page that says what is wrong and what to do next."""
    return page(
        request, "problem.html", status=status, code=status, title=HTTPStatus(status).phrase, detail=detail
    )


def address(path: str, query: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """Return a link: a path with a query, some of its parameters changed; None takes one out.

    >>> address("/", {"status": ["failed"], "offset": 50}, offset=None, sort="cost")
    '/?status=failed&sort=cost'
    """
    wanted = {**(query or {}), **changes}
    given = {name: value for name, value in wanted.items() if value not in (None, "", [], ())}
    words = urlencode(given, doseq=True)
    return f"{path}?{words}" if words else path


def run_address(run: Mapping[str, Any], part: str = "") -> str:
    """Return where a run's page is.

    >>> run_address({"id": "a b", "project": "shop"})
    '/runs/a%20b?project=shop'
    """
    path = f"/runs/{quote(str(run['id']), safe='')}{part}"
    return address(path, {"project": run.get("project") or None})
