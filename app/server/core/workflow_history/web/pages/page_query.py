"""Query parameters and filter form shared by the statistical pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from ...common.errors import InvalidQueryError
from ...common.filters import RunFilter
from ...common.time_zones import LOCAL_ZONE
from ..context import Context
from ..filter_params import parse_filter_leniently
from ..views.filter_form import FilterForm, SelectField, build_filter_form


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Parsed query string of a page."""

    where: RunFilter
    given: dict[str, Any]  # filter parameters as typed
    query: dict[str, str]  # the last value of every parameter

    def get(self, name: str, usual: str = "") -> str:
        """Return a parameter, or `usual` if it is missing or empty."""
        return self.query.get(name) or usual

    @property
    def zone(self) -> str:
        """Name of the time zone for days."""
        return str(self.given.get("tz", LOCAL_ZONE))

    def form(
        self, path: str, here: Context, own: Sequence[SelectField] = (), *, ages: bool = True
    ) -> FilterForm:
        """Return the filter form of the page; `own` are its additional fields."""
        return build_filter_form(path, self.given, here.words.all(), own, ages=ages)


def question(request: Request) -> PageQuery:
    """Parse the query string of a request. Raises InvalidQueryError if a filter is invalid."""
    query = {name: request.query_params.getlist(name) for name in request.query_params}
    asked = parse_filter_leniently(query)
    if asked.problems:
        raise InvalidQueryError("; ".join(f"{name}: {why}" for name, why in asked.problems.items()))
    return PageQuery(asked.where, asked.given, {name: values[-1] for name, values in query.items()})
