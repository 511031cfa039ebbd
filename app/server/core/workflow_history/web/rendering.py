"""Render Jinja templates to HTML pages. All values are escaped."""

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

from ..common import spending
from ..common.formatting import agents, costs, numbers, text
from ..common.formatting.text import name_parts, sanitize, single_line, truncate, truncate_middle
from ..common.spending import UNKNOWN
from ..presentation import explanation, run_list, scores, sync_summary

_HERE: Final = Path(__file__).parent / "pages"


class NavEntry(NamedTuple):
    """One entry of the navigation bar."""

    path: str
    name: str
    key: str  # second key of the shortcut, after "g"
    below: tuple[str, ...] = ()  # path prefixes of its subpages

    def matches(self, path: str) -> bool:
        """Return whether a path is this page or one of its subpages."""
        return path == self.path or path.startswith(self.below)


NAVIGATION: Final = (
    NavEntry("/", "Runs", "r", ("/runs/", "/compare")),
    NavEntry("/trends", "Trends", "t"),
    NavEntry("/insights", "Insights", "i", ("/patterns/",)),
    NavEntry("/forecast", "Forecast", "f"),
    NavEntry("/syncs", "Syncs", "s"),
    NavEntry("/api", "REST", "a"),
)

_AMOUNTS: Final = {"money": spending.format_usd, "duration": numbers.format_duration}

JINJA_FILTERS: Final = {
    "money": spending.format_usd,
    "tokens": numbers.format_tokens,
    "duration": numbers.format_duration,
    "share": spending.format_fraction,
    "percent": numbers.format_percent_change,
    "counted": numbers.pluralize,
    "copies_left_out": run_list.copies_note,
    "all_pruned_words": sync_summary.all_pruned_message,
    "day": numbers.day,
    "moment": numbers.format_timestamp,
    "cost_of": costs.format_run_cost,
    "agent_spending": spending.agent_spending,
    "at_least": costs.format_minimum,
    "short_model": agents.short_model,
    "remarks": agents.agent_notes,
    "one_line": single_line,
    "clean": sanitize,
    "cut": truncate,
    "cut_middle": truncate_middle,
    "full_id": run_list.qualified_id,
    "request_words": run_list.request_summary,
    "copy_words": run_list.copy_note,
    "workflow_words": run_list.workflow_summary,
    "when_words": run_list.format_date,
    "is_gone": run_list.is_source_deleted,
    "lasted_words": run_list.format_run_duration,
    "is_derived": run_list.is_derived,
    "score_word": scores.format_score,
    "score_parts": scores.format_score_parts,
    "score_missing": scores.format_missing,
    "explained_value": explanation.format_value,
    "explained_short": explanation.format_short,
    "explained_total": explanation.format_total,
    "explained_from": explanation.describe_origin,
    "explained_rule": explanation.describe_rule,
    "explained_place": explanation.format_source,
    "dollars": explanation.format_usd_exact,
    "status_sign": text.status_symbol,
    "outcome_sign": text.outcome_symbol,
    "phase_words": sync_summary.stage_label,
    "show_as": lambda amount, how: _AMOUNTS[how](amount),
}
"""Template filters that format values as in the terminal."""


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=strip_control_chars,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        JINJA_FILTERS, exactly=format_exact, iso=iso, state_class=status_class, cost_title=cost_title
    )
    found.filters["breakable"] = breakable
    found.globals.update(UNKNOWN=UNKNOWN, address=url_for, run_address=run_address, navigation=NAVIGATION)
    return found


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template to an HTML response that browsers revalidate before reuse."""
    html = (
        _templates()
        .get_template(template)
        .render(request=request, path=request.url.path, mark=getattr(request.state, "mark", ""), **values)
    )
    headers = {"Cache-Control": "private, no-cache"}
    # A lone surrogate, possible in text from a damaged file, cannot be encoded as UTF-8.
    return HTMLResponse(html.encode("utf-8", "replace"), status, headers)


def strip_control_chars(value: Any) -> Any:
    r"""Return a template value without control codes, in case a template forgot to remove them.

    Markup and values that aren't strings are returned unchanged.

    >>> strip_control_chars("\u202eback"), strip_control_chars(3)
    ('back', 3)
    """
    return sanitize(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def breakable(name: str) -> Markup:
    """Return a name as escaped markup that browsers break only between its parts.

    >>> breakable("mcp__a__<b>")
    Markup('mcp__<wbr>a__<wbr>&lt;b&gt;')
    """
    return Markup("<wbr>").join(map(escape, name_parts(strip_control_chars(name))))


def problem_page(request: Request, status: int, detail: str) -> HTMLResponse:
    """Return an error page with the problem and the next step."""
    return page(
        request, "problem.html", status=status, code=status, title=HTTPStatus(status).phrase, detail=detail
    )


def url_for(path: str, query: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """Build a URL from a path, a query and changes to it. None or an empty value removes a parameter.

    >>> url_for("/", {"status": ["failed"], "offset": 50}, offset=None, sort="cost")
    '/?status=failed&sort=cost'
    """
    wanted = {**(query or {}), **changes}
    given = {name: value for name, value in wanted.items() if value not in (None, "", [], ())}
    words = urlencode(given, doseq=True, errors="replace")
    return f"{path}?{words}" if words else path


def run_address(run: Mapping[str, Any], part: str = "") -> str:
    """Return the URL of a run's page; `part` is appended to its path.

    >>> run_address({"id": "a b", "project": "shop"})
    '/runs/a%20b?project=shop'
    """
    path = f"/runs/{quote(str(run['id']), safe='', errors='replace')}{part}"
    return url_for(path, {"project": run.get("project") or None})


def format_exact(value: Any) -> str:
    """Format a count with all of its digits.

    >>> format_exact(1234567), format_exact(None) == UNKNOWN
    ('1,234,567', True)
    """
    known = spending.number(value)
    return UNKNOWN if known is None else f"{known:,.15g}"


def iso(value: Any) -> str | None:
    """Return a time for a `datetime` attribute, or None if the value isn't a time.

    >>> iso("2026-01-11T04:56:47+00:00"), iso("<b>")
    ('2026-01-11T04:56:47+00:00', None)
    """
    return str(value) if numbers.is_moment(value) else None


def status_class(word: Any) -> str:
    """Return the CSS class of a status or outcome: `is-other` for all unlisted ones, `is-unknown` for none.

    >>> status_class("failed"), status_class("x skip")
    ('is-failed', 'is-other')
    """
    known = word in text.STATUS_SIGNS or word in text.OUTCOME_SIGNS
    return f"is-{word}" if known else "is-unknown" if not word else "is-other"


def cost_title(run: Mapping[str, Any]) -> str:
    """Return a sentence that explains a run's cost and its cost basis."""
    spent, basis = spending.run_spending(run), run.get("cost_basis")
    if spent.minimum is None and not basis:
        return "no cost of its own is known"
    told = costs.spent_words(spent)
    meaning = costs.COST_BASIS_NOTES.get(basis or "")
    return f"{told}; {meaning}" if meaning else told
