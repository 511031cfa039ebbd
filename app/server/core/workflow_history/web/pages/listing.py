"""View of the run list: its state from the query string, and the URLs of its links. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ...common.filter_options import FILTER_OPTIONS, FilterOption
from ...common.formatting.text import single_line, truncate
from ...queries.list_runs import SORT_ALIASES, RunPage
from ..rendering import url_for

PAGE_SIZES: Final = (25, 50, 100, 200)  # runs on a page
DEFAULT_PAGE_SIZE: Final = 50
MAX_PAGES: Final = 1_000_000
_MOST_CHIP: Final = 40  # characters of a value in a chip


class Column(NamedTuple):
    """A column of the run list."""

    key: str
    title: str
    sort: str | None = None  # sort key: an alias in SORT_ALIASES or a key of a run; None: not sortable
    first: str = "asc"  # order after the first click


COLUMNS: Final = (
    Column("id", "id", "id"),
    Column("project", "project", "project"),
    Column("when", "when", "when", "desc"),
    Column("status", "status", "status"),
    Column("request", "request"),
    Column("workflow", "workflow", "template"),
    Column("model", "model", "model"),
    Column("cost", "cost", "cost", "desc"),
    Column("duration", "time", "duration", "desc"),
    Column("tokens", "tokens", "tokens", "desc"),
)
SORTS: Final = (*dict.fromkeys([*SORT_ALIASES, "status", "id", "project", "issue_class"]),)
"""Sort keys that the form offers."""

VIEWS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("All", {}),
    ("Running now", {"status": ["running"]}),
    ("Failed this week", {"status": ["failed"], "since": "7d"}),
    ("Costliest", {"sort": "cost"}),
    ("Without cost", {"known-cost": "false"}),
)
"""Predefined views: name and query parameters."""


class Link(NamedTuple):
    """A link with its text."""

    words: str
    href: str
    on: bool = False  # whether it is the current view or an active filter


@dataclass(frozen=True, slots=True)
class ListView:
    """State of the run list. All of it is in the URL."""

    given: Mapping[str, Any]  # filter parameters as typed
    sort: str = "when"
    order: str = "desc"
    limit: int = DEFAULT_PAGE_SIZE  # runs on a page
    page: int = 1

    @property
    def query(self) -> dict[str, Any]:
        """Query parameters of the view without its page and without default values."""
        said = {
            "sort": (self.sort, "when"),
            "order": (self.order, "desc"),
            "limit": (self.limit, DEFAULT_PAGE_SIZE),
        }
        return {**self.given, **{name: value for name, (value, usual) in said.items() if value != usual}}

    @property
    def offset(self) -> int:
        """Number of runs before the page."""
        return (self.page - 1) * self.limit

    def url_with(self, **changes: Any) -> str:
        """Return the URL of the view's first page, with some parameters changed."""
        return url_for("/", self.query, **changes)

    def url_without(self, name: str, value: str | None = None) -> str:
        """Return the URL of the view without a filter, or without one of its values."""
        rest = [] if value is None else [each for each in self.given[name] if each != value]
        return url_for("/", {**self.query, name: rest})

    def sorted_by(self, column: Column) -> str:
        """Return the URL that sorts by a column, or reverses the order if already sorted by it."""
        turned = "asc" if self.order == "desc" else "desc"
        order = turned if column.sort == self.sort else column.first
        changes = {"sort": None if column.sort == "when" else column.sort}
        return self.url_with(**changes, order=None if order == "desc" else order)

    def toggled(self, name: str, value: str) -> Link:
        """Return a chip that adds a filter value, or removes it if it is active."""
        values = list(self.given.get(name, ()))
        on = value in values
        wanted = [each for each in values if each != value] if on else [*values, value]
        return Link(value, url_for("/", {**self.query, name: wanted}), on)


def views(view: ListView) -> list[Link]:
    """Return the links to the predefined views."""
    return [Link(name, url_for("/", said), view.query == said) for name, said in VIEWS]


def filter_chips(view: ListView) -> list[Link]:
    """Return the active filters, each with the URL that removes it."""
    found = []
    for one in FILTER_OPTIONS:
        given = view.given.get(one.name)
        if one.multiple:
            found += [
                Link(_chip(one, value), view.url_without(one.name, value), on=True) for value in given or ()
            ]
        elif given is not None:
            found.append(Link(_chip(one, given), view.url_without(one.name), on=True))
    if zone := view.given.get("tz"):
        found.append(Link(f"tz: {truncate(single_line(zone), _MOST_CHIP)}", view.url_without("tz"), on=True))
    return found


def _chip(one: FilterOption, value: str) -> str:
    if one.metavar is None:
        yes, _, no = one.flags.partition("/")
        word = yes if value.lower() in {"true", "1", "yes", "on"} else no
        return word.removeprefix("--").replace("-", " ")
    return f"{one.name}: {truncate(single_line(value), _MOST_CHIP)}"


class PageLinks(NamedTuple):
    """URLs of the neighbouring pages; None if there is no such page."""

    where: str
    first: str | None
    previous: str | None
    next: str | None
    last: str | None


def page_links(view: ListView, found: RunPage) -> PageLinks:
    """Return the paging links. `next` has a cursor, so that no run is skipped; others have page numbers."""
    pages = max(1, -(-found.total // view.limit))
    back, on = view.page > 1, view.page < pages
    return PageLinks(
        f"page {view.page:,} of {pages:,}",
        view.url_with() if back else None,
        view.url_with(page=view.page - 1 if view.page > 2 else None) if back else None,
        view.url_with(page=view.page + 1, after=found.next_cursor) if on else None,
        view.url_with(page=pages) if on else None,
    )


def columns(view: ListView, runs: Sequence[Mapping[str, Any]], projects: Sequence[str]) -> list[Column]:
    """Return the visible columns: the project if there are several, and the sort key if a run has it."""
    shown = [column for column in COLUMNS if column.key != "project" or len(projects) > 1]
    key = SORT_ALIASES.get(view.sort, view.sort)
    listed = {SORT_ALIASES.get(column.sort or "", column.sort) for column in shown}
    if key not in listed and any(key in run for run in runs):
        shown.append(Column(key, single_line(view.sort).replace("_", " "), view.sort))
    return shown
