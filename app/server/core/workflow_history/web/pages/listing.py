"""View of the run list: its state from the query string, and the URLs of its links. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ...common.filter_options import FILTER_OPTIONS
from ...common.formatting.text import single_line
from ...common.models import RunStatus
from ...queries.list_runs import SORT_ALIASES, RunPage
from ..rendering import url_for
from ..views.filter_form import chip_label

PAGE_SIZES: Final = (25, 50, 100, 200)  # runs on a page
DEFAULT_PAGE_SIZE: Final = 50
MAX_PAGES: Final = 1_000_000


class Column(NamedTuple):
    """A column of the run list."""

    key: str
    title: str
    sort: str | None = None  # sort key: an alias in SORT_ALIASES or a key of a run; None: not sortable
    first: str = "asc"  # order after the first click


COLUMNS: Final = (
    Column("id", "ID", "id"),
    Column("project", "Project", "project"),
    Column("when", "Created", "when", "desc"),
    Column("status", "Status", "status"),
    Column("request", "Request"),
    Column("workflow", "Workflow", "workflow"),
    Column("model", "Model", "model"),
    Column("cost", "Cost", "cost", "desc"),
    Column("duration", "Duration", "duration", "desc"),
    Column("tokens", "Tokens", "tokens", "desc"),
)
SORT_LABELS: Final[Mapping[str, str]] = {
    "when": "Created",
    "cost": "Cost",
    "duration": "Duration",
    "tokens": "Tokens",
    "model": "Model",
    "workflow": "Workflow",
    "clarity": "Request clarity",
    "quality": "Quality score",
    "status": "Status",
    "id": "ID",
    "project": "Project",
    "issue_class": "Issue class",
}
"""Sort keys that the form offers, with their display names."""

VIEWS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("All", {}),
    ("Running", {"status": [RunStatus.RUNNING]}),
    ("Failed, last 7 days", {"status": [RunStatus.FAILED], "since": "7d"}),
    ("Most expensive", {"sort": "cost"}),
    ("Unknown cost", {"known-cost": "false"}),
)
"""Predefined views: name and query parameters."""


class FilterLink(NamedTuple):
    """A link to the list with other filters."""

    label: str
    href: str
    is_active: bool = False  # whether it is the current view or an active filter


@dataclass(frozen=True, slots=True)
class RunListView:
    """State of the run list. All of it is in the URL."""

    filter_params: Mapping[str, Any]  # filter parameters as typed
    sort: str = "when"
    order: str = "desc"
    limit: int = DEFAULT_PAGE_SIZE  # runs on a page
    page: int = 1

    @property
    def query(self) -> dict[str, Any]:
        """Query parameters of the view without its page and without default values."""
        values = {
            "sort": (self.sort, "when"),
            "order": (self.order, "desc"),
            "limit": (self.limit, DEFAULT_PAGE_SIZE),
        }
        return {
            **self.filter_params,
            **{name: value for name, (value, default) in values.items() if value != default},
        }

    @property
    def offset(self) -> int:
        """Number of runs before the page."""
        return (self.page - 1) * self.limit

    def url_with(self, **changes: Any) -> str:
        """Return the URL of the view's first page, with some parameters changed."""
        return url_for("/", self.query, **changes)

    def url_without(self, name: str, value: str | None = None) -> str:
        """Return the URL of the view without a filter, or without one of its values."""
        rest = [] if value is None else [each for each in self.filter_params[name] if each != value]
        return url_for("/", {**self.query, name: rest})

    def sorted_by(self, column: Column) -> str:
        """Return the URL that sorts by a column, or reverses the order if already sorted by it."""
        reversed_order = "asc" if self.order == "desc" else "desc"
        order = reversed_order if column.sort == self.sort else column.first
        changes = {"sort": None if column.sort == "when" else column.sort}
        return self.url_with(**changes, order=None if order == "desc" else order)

    def toggled(self, name: str, value: str) -> FilterLink:
        """Return a chip that adds a filter value, or removes it if it is active."""
        values = list(self.filter_params.get(name, ()))
        is_active = value in values
        changed = [each for each in values if each != value] if is_active else [*values, value]
        return FilterLink(value, url_for("/", {**self.query, name: changed}), is_active)


def views(view: RunListView) -> list[FilterLink]:
    """Return the links to the predefined views."""
    return [FilterLink(name, url_for("/", params), view.query == params) for name, params in VIEWS]


def filter_chips(view: RunListView) -> list[FilterLink]:
    """Return the active filters, each with the URL that removes it."""
    chips = []
    for option in FILTER_OPTIONS:
        value = view.filter_params.get(option.name)
        if option.multiple:
            chips += [
                FilterLink(chip_label(option.name, item), view.url_without(option.name, item), is_active=True)
                for item in value or ()
            ]
        elif value is not None:
            chips.append(
                FilterLink(chip_label(option.name, value), view.url_without(option.name), is_active=True)
            )
    if zone := view.filter_params.get("tz"):
        chips.append(FilterLink(chip_label("tz", zone), view.url_without("tz"), is_active=True))
    return chips


class PageLinks(NamedTuple):
    """URLs of the neighbouring pages; None if there is no such page."""

    position: str
    first: str | None
    previous: str | None
    next: str | None
    last: str | None


def page_links(view: RunListView, runs: RunPage) -> PageLinks:
    """Return the paging links. `next` has a cursor, so that no run is skipped; others have page numbers."""
    pages = max(1, -(-runs.total // view.limit))
    has_previous, has_next = view.page > 1, view.page < pages
    return PageLinks(
        f"Page {view.page:,} of {pages:,}",
        view.url_with() if has_previous else None,
        view.url_with(page=view.page - 1 if view.page > 2 else None) if has_previous else None,
        view.url_with(page=view.page + 1, after=runs.next_cursor) if has_next else None,
        view.url_with(page=pages) if has_next else None,
    )


def columns(view: RunListView, runs: Sequence[Mapping[str, Any]], projects: Sequence[str]) -> list[Column]:
    """Return the visible columns: the project if there are several, and the sort key if a run has it."""
    shown = [column for column in COLUMNS if column.key != "project" or len(projects) > 1]
    key = SORT_ALIASES.get(view.sort, view.sort)
    listed = {SORT_ALIASES.get(column.sort or "", column.sort) for column in shown}
    if key not in listed and any(key in run for run in runs):
        label = SORT_LABELS.get(view.sort) or single_line(view.sort).replace("_", " ").capitalize()
        shown.append(Column(key, label, view.sort))
    return shown
