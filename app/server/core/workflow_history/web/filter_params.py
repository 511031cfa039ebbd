"""Parse and validate the query parameters that filter runs.

They have the names of the command-line options without dashes, and take the same values. They are parsed here
and not by the framework, which takes longer for these seventeen parameters than reading a list of runs takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import cache
from typing import Annotated, Any, Final
from zoneinfo import available_timezones

from fastapi import Depends, Request

from ..common.errors import InvalidQueryError
from ..common.filter_options import FILTER_OPTIONS, FORMER_FILTER_NAMES, FilterOption, build_filter
from ..common.filters import RunFilter
from ..common.time_zones import LOCAL_ZONE, TZ_HELP, unknown_zone_error, zone_named

MAX_VALUE_CHARS: Final = 500  # characters of one value
MAX_VALUES: Final = 50  # values of one parameter

_OPTIONS: Final = {option.name: option for option in FILTER_OPTIONS}
_NO_FILTER: Final = RunFilter()
_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


async def parse_filter(request: Request) -> RunFilter:
    """Return the run filter of a request. Raises InvalidQueryError."""
    query = _present_names({name: request.query_params.getlist(name) for name in request.query_params})
    values = {
        name: _validate_value(_OPTIONS[name], values) for name, values in query.items() if name in _OPTIONS
    }
    zone = validate_zone(request.query_params.get("tz"))
    return build_filter(values, zone) if values else _NO_FILTER


async def parse_zone(request: Request) -> str:
    """Return the name of the time zone for days in filters and results. Raises InvalidQueryError."""
    return validate_zone(request.query_params.get("tz"))


def validate_zone(name: str | None) -> str:
    """Return a valid time zone name; the local zone if none is given. Raises InvalidQueryError.

    Only listed names are accepted, so a client's value never becomes a file path.
    """
    if not name or name == LOCAL_ZONE:
        return LOCAL_ZONE
    if name not in _known_zones():
        raise unknown_zone_error(name)
    return name


def _present_names(query: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Return the values of a query string by parameter, with former names replaced by present ones."""
    present: dict[str, list[str]] = {}
    for name, values in query.items():
        present.setdefault(FORMER_FILTER_NAMES.get(name, name), []).extend(values)
    return present


@cache  # reads the directories of the zone database
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


FilterDep = Annotated[RunFilter, Depends(parse_filter)]
"""Type of a handler's parameter for the run filter. Its route needs FILTER_OPENAPI as `openapi_extra`."""

Zone = Annotated[str, Depends(parse_zone)]
"""Type of a handler's parameter for the time zone of days. FILTER_OPENAPI describes it too."""


def _validate_value(option: FilterOption, values: list[str]) -> Any:
    if len(values) > (MAX_VALUES if option.multiple else 1):
        raise InvalidQueryError(
            f"Too many values of {option.name}: use at most {MAX_VALUES if option.multiple else 1}."
        )
    if any(len(value) > MAX_VALUE_CHARS for value in values):
        raise InvalidQueryError(f"Invalid {option.name}: use at most {MAX_VALUE_CHARS} characters.")
    if option.multiple:
        return values
    if option.metavar is not None:
        return values[0]
    if values[0].lower() not in _BOOLEANS:
        raise InvalidQueryError(f'Invalid {option.name} "{values[0]}". Use true or false.')
    return _BOOLEANS[values[0].lower()]


def _openapi_parameter(option: FilterOption) -> dict[str, Any]:
    string = {"type": "string", "maxLength": MAX_VALUE_CHARS}
    schema: dict[str, Any] = {"type": "boolean"} if option.metavar is None else string
    if option.multiple:
        schema = {"type": "array", "items": string, "maxItems": MAX_VALUES}
    return {
        "name": option.name,
        "in": "query",
        "required": False,
        "description": option.help,
        "schema": schema,
    }


_ZONE_PARAMETER: Final[dict[str, Any]] = {
    "name": "tz",
    "in": "query",
    "required": False,
    "description": TZ_HELP,
    "schema": {"type": "string", "maxLength": 100, "default": LOCAL_ZONE},
}

FILTER_OPENAPI: Final = {
    "parameters": [
        *(_openapi_parameter(option) for option in FILTER_OPTIONS),
        *(
            {
                **_openapi_parameter(_OPTIONS[present]),
                "name": former,
                "description": f"Former name of {present}.",
                "deprecated": True,
            }
            for former, present in FORMER_FILTER_NAMES.items()
        ),
        _ZONE_PARAMETER,
    ]
}
"""OpenAPI parameters of an operation that takes a filter, for `openapi_extra`."""


@dataclass(frozen=True, slots=True)
class ParsedFilter:
    """The filter in a query string, with the parameters that are invalid. A form shows both."""

    where: RunFilter  # from the valid parameters
    filter_params: dict[str, Any]  # values as typed, by parameter; repeated in links and forms
    problems: dict[str, str]  # error messages by parameter
    zone: tzinfo | None = None  # time zone of days; None: the local zone


def parse_filter_leniently(query: Mapping[str, Sequence[str]]) -> ParsedFilter:
    """Parse the filter parameters of a query string, and collect errors instead of raising them.

    An invalid parameter doesn't affect the others. Only the last value of a single-value parameter counts.

    >>> parse_filter_leniently({"cost": ["x"], "status": ["failed", ""], "page": ["2"]}).problems
    {'cost': 'Invalid cost "x". Use a range: 1..5, 1.. or ..5.'}
    """
    query = _present_names(query)
    where = RunFilter()
    filter_params: dict[str, Any] = {}
    problems: dict[str, str] = {}
    zone = None
    if names := [name for name in query.get("tz", ()) if name.strip()]:
        filter_params["tz"] = names[-1]
        try:
            zone = zone_named(validate_zone(names[-1]))
        except InvalidQueryError as error:
            problems["tz"] = str(error)
    for option in FILTER_OPTIONS:
        values = [value for value in query.get(option.name, ()) if value.strip()]
        if values:
            filter_params[option.name] = values if option.multiple else values[-1]
            try:
                where = replace(
                    where,
                    **option.parse(
                        _validate_value(option, values if option.multiple else values[-1:]),
                        zone,
                        option.name,
                    ),
                )
            except InvalidQueryError as error:
                problems[option.name] = str(error)
    return ParsedFilter(where, filter_params, problems, zone)
