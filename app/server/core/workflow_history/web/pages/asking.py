"""What the pages that add up share: an address in, the filter that it means and the form for it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from ...errors import InvalidQueryError
from ...filters import RunFilter
from ...zones import LOCAL
from ..context import Context
from ..views.narrow import Choice, Narrow, narrow
from ..wanted import asked_of


@dataclass(frozen=True, slots=True)
class Question:
    """What a page was asked."""

    where: RunFilter
    given: dict[str, Any]  # what narrows, as it was typed
    query: dict[str, str]  # the last value of every parameter

    def word(self, name: str, usual: str = "") -> str:
        """Return one parameter; `usual` where it is not given, or empty."""
        return self.query.get(name) or usual

    @property
    def zone(self) -> str:
        """The name of the time zone that days are of."""
        return str(self.given.get("tz", LOCAL))

    def form(self, path: str, here: Context, own: Sequence[Choice] = (), *, ages: bool = True) -> Narrow:
        """Return the form that narrows the page."""
        return narrow(path, self.given, here.words.all(), own, ages=ages)


def question(request: Request) -> Question:
    """Return what a request asks; raises InvalidQueryError where a filter cannot be read."""
    query = {name: request.query_params.getlist(name) for name in request.query_params}
    asked = asked_of(query)
    if asked.problems:
        raise InvalidQueryError("; ".join(f"{name}: {why}" for name, why in asked.problems.items()))
    return Question(asked.where, asked.given, {name: values[-1] for name, values in query.items()})
