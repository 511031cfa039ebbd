"""Render Jinja templates to HTML pages. All values are escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from ..presentation import explanation, run_detail, run_list, scores, sync_summary
from .path_redaction import redact_paths

_PAGES_DIR: Final = Path(__file__).parent / "pages"


class NavEntry(NamedTuple):
    """One entry of the navigation bar."""

    path: str
    name: str
    key: str  # second key of the shortcut, after "g"
    guide: str  # page of the documentation about it, without .html
    subpages: tuple[str, ...] = ()  # path prefixes of its subpages

    def matches(self, path: str) -> bool:
        """Return whether a path is this page or one of its subpages."""
        return path == self.path or path.startswith(self.subpages)


NAVIGATION: Final = (
    NavEntry("/", "Runs", "r", "find-runs", ("/runs/", "/compare")),
    NavEntry("/trends", "Trends", "t", "statistics"),
    NavEntry("/insights", "Insights", "i", "regressions", ("/patterns/",)),
    NavEntry("/forecast", "Forecast", "f", "forecasts"),
    NavEntry("/syncs", "Syncs", "s", "serve"),
    NavEntry("/api", "API", "a", "rest-api"),
)

_OTHER_GUIDES: Final = {"/runs/": "provenance", "/compare": "provenance", "/patterns/": "automate"}
"""Pages of the documentation about subpages, by their path prefix."""

_AMOUNT_FORMATS: Final = {"money": spending.format_usd, "duration": numbers.format_duration}

_FILTERS: Final = {
    "money": spending.format_usd,
    "tokens": numbers.format_tokens,
    "duration": numbers.format_duration,
    "share": spending.format_fraction,
    "pluralize": numbers.pluralize,
    "copies_note": run_list.copies_note,
    "all_pruned_note": sync_summary.all_pruned_message,
    "day": numbers.day,
    "timestamp": numbers.format_timestamp,
    "run_cost": costs.format_run_cost,
    "agent_cost": spending.agent_cost,
    "minimum_cost": costs.format_minimum,
    "short_model": agents.short_model,
    "agent_notes": agents.agent_notes,
    "one_line": single_line,
    "sanitize": sanitize,
    "truncate": truncate,
    "truncate_middle": truncate_middle,
    "qualified_id": run_list.qualified_id,
    "request_summary": run_list.request_summary,
    "run_title": run_list.run_title,
    "copy_note": run_list.copy_note,
    "workflow_summary": run_list.workflow_summary,
    "earlier_pull_requests": run_detail.earlier_pull_requests,
    "run_date": run_list.format_date,
    "is_source_deleted": run_list.is_source_deleted,
    "run_duration": run_list.format_run_duration,
    "is_derived": run_list.is_derived,
    "score": scores.format_score,
    "score_components": scores.format_score_parts,
    "missing_score": scores.format_missing,
    "field_label": explanation.field_label,
    "component_label": explanation.component_label,
    "basis_label": explanation.basis_label,
    "provenance_value": explanation.format_value,
    "provenance_short": explanation.format_short,
    "provenance_total": explanation.format_total,
    "provenance_origin": explanation.describe_origin,
    "provenance_rule": explanation.describe_rule,
    "provenance_source": explanation.format_source,
    "exact_usd": explanation.format_usd_exact,
    "redact_paths": redact_paths,
    "describe_prices": costs.describe_prices,
    "status_symbol": text.status_symbol,
    "outcome_symbol": text.outcome_symbol,
    "phase_label": sync_summary.stage_label,
    "changed_runs": sync_summary.changed_runs,
    "exact_count": numbers.format_count,
    "format_as": lambda amount, unit: _AMOUNT_FORMATS[unit](amount),
}
"""Template filters that format values as in the terminal."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PAGES_DIR / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=strip_control_chars,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        _FILTERS,
        iso_time=iso_time,
        status_class=status_class,
        cost_title=cost_title,
        breakable=breakable,
        code_spans=code_spans,
        capitalize=capitalize,
    )
    environment.globals.update(UNKNOWN=UNKNOWN, url_for=url_for, run_url=run_url, navigation=NAVIGATION)
    return environment


def render_page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template to an HTML response that browsers revalidate before reuse."""
    html = (
        _environment()
        .get_template(template)
        .render(
            request=request,
            path=request.url.path,
            change_token=getattr(request.state, "change_token", ""),
            guide_url=guide_url(request.url.path) if request.app.state.has_docs else None,
            **values,
        )
    )
    headers = {"Cache-Control": "private, no-cache"}
    # A lone surrogate, possible in text from a damaged file, cannot be encoded as UTF-8.
    return HTMLResponse(html.encode("utf-8", "replace"), status, headers)


def guide_url(path: str) -> str:
    """Return the URL of the documentation about a page.

    >>> guide_url("/insights"), guide_url("/patterns/a1b2"), guide_url("/login")
    ('/docs/regressions.html', '/docs/automate.html', '/docs/index.html')
    """
    guides = [guide for prefix, guide in _OTHER_GUIDES.items() if path.startswith(prefix)]
    guides += [entry.guide for entry in NAVIGATION if entry.path == path]
    return f"/docs/{guides[0] if guides else 'index'}.html"


def strip_control_chars(value: Any) -> Any:
    r"""Return a template value without control codes, in case a template forgot to remove them.

    Markup and values that aren't strings are returned unchanged.

    >>> strip_control_chars("\u202eback"), strip_control_chars(3)
    ('back', 3)
    """
    return sanitize(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def capitalize(text: str) -> str:
    """Return a text with its first letter in upper case, and the rest unchanged.

    >>> capitalize("cost per M tokens")
    'Cost per M tokens'
    """
    return text[:1].upper() + text[1:]


def breakable(name: str) -> Markup:
    """Return a name as escaped markup that browsers break only between its parts.

    >>> breakable("mcp__a__<b>")
    Markup('mcp__<wbr>a__<wbr>&lt;b&gt;')
    """
    return Markup("<wbr>").join(map(escape, name_parts(strip_control_chars(name))))


def code_spans(text: str) -> Markup:
    """Return a text as escaped markup, with the parts between backticks as code.

    >>> code_spans("Return `ok`, or <b>")
    Markup('Return <code>ok</code>, or &lt;b&gt;')
    """
    parts = strip_control_chars(text).split("`")
    return Markup("").join(
        Markup("<code>%s</code>") % part if number % 2 else escape(part) for number, part in enumerate(parts)
    )


_ERROR_TITLES: Final = {
    404: "Not found",
    409: "Ambiguous ID",
    422: "Invalid request",
    500: "Internal error",
    503: "Not available",
}


def error_page(
    request: Request, status: int, detail: str, similar_runs: Sequence[str] = (), searched: str = ""
) -> HTMLResponse:
    """Return an error page with the problem and links to similar runs."""
    return render_page(
        request,
        "error.html",
        status=status,
        code=status,
        title=_ERROR_TITLES.get(status) or HTTPStatus(status).phrase,
        detail=detail,
        similar_runs=[(name, run_url({"id": name})) for name in similar_runs],
        searched=searched,
    )


def url_for(path: str, query: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """Build a URL from a path, a query and changes to it. None or an empty value removes a parameter.

    >>> url_for("/", {"status": ["failed"], "offset": 50}, offset=None, sort="cost")
    '/?status=failed&sort=cost'
    """
    params = {**(query or {}), **changes}
    params = {name: value for name, value in params.items() if value not in (None, "", [], ())}
    encoded = urlencode(params, doseq=True, errors="replace")
    return f"{path}?{encoded}" if encoded else path


def run_url(run: Mapping[str, Any], suffix: str = "") -> str:
    """Return the URL of a run's page; `suffix` is appended to its path.

    >>> run_url({"id": "a b", "project": "shop"})
    '/runs/a%20b?project=shop'
    """
    path = f"/runs/{quote(str(run['id']), safe='', errors='replace')}{suffix}"
    return url_for(path, {"project": run.get("project") or None})


def iso_time(value: Any) -> str | None:
    """Return a time for a `datetime` attribute, or None if the value isn't a time.

    >>> iso_time("2026-01-11T04:56:47+00:00"), iso_time("<b>")
    ('2026-01-11T04:56:47+00:00', None)
    """
    return str(value) if numbers.is_moment(value) else None


def status_class(status: Any) -> str:
    """Return the CSS class of a status or outcome: `is-other` for all unlisted ones, `is-unknown` for none.

    >>> status_class("failed"), status_class("x skip")
    ('is-failed', 'is-other')
    """
    if status in text.STATUS_SIGNS or status in text.OUTCOME_SIGNS:
        return f"is-{status}"
    return "is-other" if status else "is-unknown"


def cost_title(run: Mapping[str, Any]) -> str:
    """Return a sentence that explains a run's cost and its cost basis."""
    known, basis = spending.run_cost(run), run.get("cost_basis")
    if known.minimum is None and not basis:
        return "unknown cost"
    cost = costs.format_cost_parts(known)
    note = costs.COST_BASIS_NOTES.get(basis or "")
    return f"{cost}; {note}" if note else cost
