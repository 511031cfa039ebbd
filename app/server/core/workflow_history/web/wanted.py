"""The parameters that narrow an answer to some runs: a query string in, a checked filter out.

They are the options of the command line without their dashes, and take the same words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import Parameter, Signature
from typing import Annotated, Any, Final

from fastapi import Depends, Query

from ..filters import RunFilter
from ..narrowing import NARROWING, Narrowing, filter_from

MOST_CHARACTERS: Final = 500  # of one value
MOST_VALUES: Final = 50  # of one parameter


def _reading() -> Callable[..., Awaitable[RunFilter]]:
    """Return a function that takes every parameter of NARROWING, as FastAPI reads one."""
    names = {f"narrow_{one.name}": one for one in NARROWING}  # "class" cannot be a parameter of Python

    async def wanted(**given: Any) -> RunFilter:
        return filter_from({names[name].name: value for name, value in given.items()})

    wanted.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(name, Parameter.KEYWORD_ONLY, annotation=_annotation(one), default=None)
            for name, one in names.items()
        ]
    )
    return wanted


def _annotation(one: Narrowing) -> Any:
    if one.value is None:
        return Annotated[bool | None, Query(alias=one.name, description=one.help)]
    value = Annotated[str, Query(max_length=MOST_CHARACTERS)]
    if one.many:
        many = Query(alias=one.name, description=one.help, max_length=MOST_VALUES)
        return Annotated[list[value] | None, many]
    return Annotated[str | None, Query(alias=one.name, description=one.help, max_length=MOST_CHARACTERS)]


Wanted = Annotated[RunFilter, Depends(_reading())]
"""A handler's parameter: which runs an answer is about."""


def given_of(query: Mapping[str, Any]) -> dict[str, Any]:
    """Return the narrowing part of a query string, as links and forms repeat it."""
    names = {one.name for one in NARROWING}
    return {name: value for name, value in query.items() if name in names and value not in (None, "", [])}
