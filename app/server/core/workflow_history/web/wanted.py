"""The parameters that narrow an answer to some runs: a query string in, a checked filter out.

They are the options of the command line without their dashes, and take the same words. They are read here and
not by the framework, which takes longer for these seventeen than a list of runs takes to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from ..errors import InvalidQueryError
from ..filters import RunFilter
from ..narrowing import NARROWING, Narrowing, filter_from

MOST_CHARACTERS: Final = 500  # of one value
MOST_VALUES: Final = 50  # of one parameter

_BY_NAME: Final = {one.name: one for one in NARROWING}
_YES_OR_NO: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


async def wanted(request: Request) -> RunFilter:
    """Return which runs a request is about; raises InvalidQueryError."""
    query = request.query_params
    given = {name: _checked(_BY_NAME[name], query.getlist(name)) for name in query if name in _BY_NAME}
    return filter_from(given) if given else _ALL


_ALL: Final = RunFilter()

Wanted = Annotated[RunFilter, Depends(wanted)]
"""A handler's parameter: which runs an answer is about. Its operation is described with NARROWED."""


def _checked(one: Narrowing, values: list[str]) -> Any:
    if len(values) > (MOST_VALUES if one.many else 1):
        raise InvalidQueryError(f"{one.name} is given more than {MOST_VALUES if one.many else 1} times")
    if any(len(value) > MOST_CHARACTERS for value in values):
        raise InvalidQueryError(f"{one.name} has more than {MOST_CHARACTERS} characters")
    if one.many:
        return values
    if one.value is not None:
        return values[0]
    if values[0].lower() not in _YES_OR_NO:
        raise InvalidQueryError(f"{one.name}={values[0]!r}: say true or false")
    return _YES_OR_NO[values[0].lower()]


def _described(one: Narrowing) -> dict[str, Any]:
    text = {"type": "string", "maxLength": MOST_CHARACTERS}
    schema: dict[str, Any] = {"type": "boolean"} if one.value is None else text
    if one.many:
        schema = {"type": "array", "items": text, "maxItems": MOST_VALUES}
    return {"name": one.name, "in": "query", "required": False, "description": one.help, "schema": schema}


NARROWED: Final = {"parameters": [_described(one) for one in NARROWING]}
"""What an operation that takes a filter adds to its description (`openapi_extra`)."""


def given_of(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the narrowing part of a query string, as links and forms repeat it."""
    return {name: value for name, value in query.items() if name in _BY_NAME and value not in (None, "", [])}
