"""The parameters that narrow an answer to some runs: a query string in, a checked filter out.

They are the options of the command line without their dashes, and take the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter, Signature
from typing import Annotated, Any, Final

from fastapi import Depends, Query

from ..errors import InvalidQueryError
from ..filters import RunFilter
from ..narrowing import NARROWING, Narrowing, filter_from

MOST_CHARACTERS: Final = 500  # of one value
MOST_VALUES: Final = 50  # of one parameter
_YES, _NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


def _reading() -> Callable[..., RunFilter]:
    """Return a function that takes every parameter of NARROWING, as FastAPI reads one."""
    names = {f"narrow_{place}": one for place, one in enumerate(NARROWING)}  # no name of Python: "class"

    def wanted(**given: Any) -> RunFilter:
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What a query string asks for, and what of it cannot be read: a form shows both."""

    where: RunFilter  # of what could be read
    given: dict[str, Any]  # as it was typed, by parameter: links and forms repeat it
    problems: dict[str, str]  # by parameter


def asked_of(query: Mapping[str, Sequence[str]]) -> Asked:
    """Read the narrowing part of a query string; a faulty part stops no other.

    >>> asked_of({"cost": ["x"], "status": ["failed", ""], "page": ["2"]}).problems
    {'cost': "'x' is no range; say it as 1..5, 1.. or ..5"}
    """
    where, given, problems = RunFilter(), {}, {}
    for one in NARROWING:
        values = [value for value in query.get(one.name, ()) if value.strip()]
        if values:
            given[one.name] = values if one.many else values[-1]
            try:
                where = replace(where, **one.take(_checked(one, values)))
            except InvalidQueryError as error:
                problems[one.name] = str(error)
    return Asked(where, given, problems)


def _checked(one: Narrowing, values: Sequence[str]) -> Any:
    if len(values) > MOST_VALUES or any(len(value) > MOST_CHARACTERS for value in values):
        raise InvalidQueryError(f"at most {MOST_VALUES} values of {MOST_CHARACTERS} characters are taken")
    if one.value is not None:
        return list(values) if one.many else values[-1]
    word = values[-1].lower()
    if word not in _YES | _NO:
        raise InvalidQueryError(f"{values[-1]!r} is not allowed; use true or false")
    return word in _YES
