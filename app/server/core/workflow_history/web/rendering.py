"""Templates into pages: a request, a template's name and values in, HTML out. Everything is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from .. import amounts
from ..amounts import UNKNOWN
from ..wording import agents, costs, explaining, numbers, runs, scores, signs, statistics, syncing
from ..wording.text import clean, cut, cut_middle, name_parts, one_line

_HERE: Final = Path(__file__).parent / "pages"


class Entry(NamedTuple):
    """One page that every page leads to."""

    path: str
    name: str
    key: str  # after g
    below: tuple[str, ...] = ()  # beginnings of the paths that belong to it

    def holds(self, path: str) -> bool:
        """Tell whether a path is this page, or belongs to it."""
        return path == self.path or path.startswith(self.below)


NAVIGATION: Final = (
    Entry("/", "Runs", "r", ("/runs/", "/compare")),
    Entry("/trends", "Trends", "t"),
    Entry("/insights", "Insights", "i", ("/patterns/",)),
    Entry("/forecast", "Forecast", "f"),
    Entry("/syncs", "Syncs", "s"),
    Entry("/api", "REST", "a"),
)

_AMOUNTS: Final = {"money": amounts.money, "duration": numbers.duration}

FILTERS: Final = {
    "money": amounts.money,
    "tokens": numbers.tokens,
    "duration": numbers.duration,
    "share": amounts.share,
    "percent": numbers.percent,
    "counted": numbers.counted,
    "copies_left_out": statistics.copies_words,
    "all_pruned_words": syncing.all_pruned_words,
    "day": numbers.day,
    "moment": numbers.moment,
    "cost_of": costs.short_cost,
    "agent_spending": amounts.agent_spending,
    "at_least": costs.at_least,
    "short_model": agents.short_model,
    "remarks": agents.remarks,
    "one_line": one_line,
    "clean": clean,
    "cut": cut,
    "cut_middle": cut_middle,
    "full_id": runs.full_id,
    "request_words": runs.request_words,
    "copy_words": runs.copy_words,
    "workflow_words": runs.workflow_words,
    "when_words": runs.when_words,
    "is_gone": runs.is_gone,
    "lasted_words": runs.lasted_words,
    "is_derived": runs.is_derived,
    "score_word": scores.score_word,
    "score_parts": scores.parts_words,
    "score_missing": scores.missing_words,
    "explained_value": explaining.value_words,
    "explained_short": explaining.short_words,
    "explained_total": explaining.total_words,
    "explained_from": explaining.from_words,
    "explained_rule": explaining.rule_words,
    "explained_place": explaining.place_words,
    "dollars": explaining.dollars,
    "status_sign": signs.status_sign,
    "outcome_sign": signs.outcome_sign,
    "phase_words": syncing.phase_words,
    "show_as": lambda amount, how: _AMOUNTS[how](amount),
}
"""How templates write values: the words are those of the terminal."""


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(FILTERS, exactly=exactly, iso=iso, state_class=state_class, cost_title=cost_title)
    found.filters["breakable"] = breakable
    found.globals.update(UNKNOWN=UNKNOWN, address=address, run_address=run_address, navigation=NAVIGATION)
    return found


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page."""
    html = (
        _templates()
        .get_template(template)
        .render(request=request, path=request.url.path, mark=getattr(request.state, "mark", ""), **values)
    )
    headers = {"Cache-Control": "private, no-cache"}
    # Half of a pair, as a damaged file may hold one, cannot be sent.
    return HTMLResponse(html.encode("utf-8", "replace"), status, headers)


def harmless(value: Any) -> Any:
    r"""Return what a template is about to write without control codes, whoever forgot to clean it.

    >>> harmless("\u202eback"), harmless(3)
    ('back', 3)
    """
    return clean(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def breakable(name: str) -> Markup:
    """Return a name that a browser breaks between its parts, if at all.

    >>> breakable("mcp__a__<b>")
    Markup('mcp__<wbr>a__<wbr>&lt;b&gt;')
    """
    return Markup("<wbr>").join(map(escape, name_parts(harmless(name))))


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
    words = urlencode(given, doseq=True, errors="replace")
    return f"{path}?{words}" if words else path


def run_address(run: Mapping[str, Any], part: str = "") -> str:
    """Return where a run's page is.

    >>> run_address({"id": "a b", "project": "shop"})
    '/runs/a%20b?project=shop'
    """
    path = f"/runs/{quote(str(run['id']), safe='', errors='replace')}{part}"
    return address(path, {"project": run.get("project") or None})


def exactly(value: Any) -> str:
    """Return a count with all of its digits, for who wants to know.

    >>> exactly(1234567), exactly(None) == UNKNOWN
    ('1,234,567', True)
    """
    known = amounts.number(value)
    return UNKNOWN if known is None else f"{known:,.15g}"


def iso(value: Any) -> str | None:
    """Return a time as a `datetime` attribute takes it, None where it is none.

    >>> iso("2026-01-11T04:56:47+00:00"), iso("<b>")
    ('2026-01-11T04:56:47+00:00', None)
    """
    return str(value) if numbers.is_moment(value) else None


def state_class(word: Any) -> str:
    """Return the class that colours a state or an outcome; a word of the run's own gets no class of its own.

    >>> state_class("failed"), state_class("x skip")
    ('is-failed', 'is-other')
    """
    known = word in signs.STATUS_SIGNS or word in signs.OUTCOME_SIGNS
    return f"is-{word}" if known else "is-unknown" if not word else "is-other"


def cost_title(run: Mapping[str, Any]) -> str:
    """Return what a run's cost means, in a sentence."""
    spent, basis = amounts.spending(run), run.get("cost_basis")
    if spent.known is None and not basis:
        return "no cost of its own is known"
    told = costs.spent_words(spent)
    meaning = costs.BASES.get(basis or "")
    return f"{told}; {meaning}" if meaning else told
