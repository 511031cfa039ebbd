"""Query parameters and filter form shared by the statistical pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from ...common.errors import InvalidQueryError
from ...common.filters import RunFilter
from ...common.time_zones import LOCAL_ZONE
from ..caches import filter_choices
from ..context import Context
from ..filter_params import parse_filter_leniently
from ..views.filter_form import FilterForm, SelectField, build_filter_form


@dataclass(frozen=True, slots=True)
class PageParameters:
    """Parsed query string of a page."""

    where: RunFilter
    filter_params: dict[str, Any]  # as typed
    params: dict[str, str]  # the last value of every parameter

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter, or `default` if it is missing or empty."""
        return self.params.get(name) or default

    @property
    def zone(self) -> str:
        """Name of the time zone for days."""
        return str(self.filter_params.get("tz", LOCAL_ZONE))

    def form(
        self, path: str, context: Context, own_fields: Sequence[SelectField] = (), *, has_period: bool = True
    ) -> FilterForm:
        """Return the filter form of the page; `own_fields` are its additional fields."""
        return build_filter_form(
            path, self.filter_params, context.query_cache(filter_choices), own_fields, has_period=has_period
        )


def parse_page_query(request: Request) -> PageParameters:
    """Parse the query string of a request. Raises InvalidQueryError if a filter is invalid."""
    values = {name: request.query_params.getlist(name) for name in request.query_params}
    parsed = parse_filter_leniently(values)
    if parsed.problems:
        raise InvalidQueryError(" ".join(parsed.problems.values()))
    return PageParameters(
        parsed.where, parsed.filter_params, {name: values[-1] for name, values in values.items()}
    )
