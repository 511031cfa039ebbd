"""What a caller may narrow an answer to: plain values in, a checked filter out. No SQL, no command line.

Everything combines: a run must meet all that is asked for. Several values of one name mean any of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final, NamedTuple

from .errors import InvalidQueryError

SCORES: Final[Mapping[str, str]] = {
    "clarity": "nl_clarity_score",
    "cost_efficiency": "cost_efficiency_score",
    "performance": "performance_score",
    "quality": "quality_score",
}
"""What the scores are called when asked for, and their keys in a run."""

HOURS: Final = {"h": 1, "d": 24, "w": 168}
"""The units of an age or a period, in hours."""

_AGE = re.compile(r"(\d+)([hdw])")


class Range(NamedTuple):
    """Amounts from `least` to `most`, both included; None: open on that side."""

    minimum: float | None = None
    maximum: float | None = None

    def validate(self, name: str) -> None:
        """Raise InvalidQueryError where it is no range."""
        given = [value for value in self if value is not None]
        if not all(_is_number(value) for value in given):
            raise InvalidQueryError(f"{name}={tuple(self)} is no range of numbers")
        if len(given) == 2 and given[0] > given[1]:
            raise InvalidQueryError(
                f"{name}: {given[0]:g} is more than {given[1]:g}; say the lesser one first"
            )


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are meant; without any value: all. Raises InvalidQueryError, which names what is allowed."""

    search: str | None = None  # full text; see docs/asking.md
    status: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    template: tuple[str, ...] = ()
    issue_class: tuple[str, ...] = ()  # with or without its slash
    model: tuple[str, ...] = ()  # a part of the name is enough; any agent of the run may have used it
    phase: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    pattern: str | None = None  # what recurs as it is shown, its id, or the id's first digits (4 or more)
    cost: Range | None = None  # USD at least: on record and beyond it
    tokens: Range | None = None  # all tokens
    duration: Range | None = None  # seconds
    scores: Mapping[str, Range] = field(default_factory=dict)  # by SCORES, 0 to 100
    created_from: datetime | None = None  # aware
    created_before: datetime | None = None  # aware
    has_cost: bool | None = None  # something is known of its cost
    has_error: bool | None = None
    gone: bool | None = None  # only this history knows the run
    from_ago: str | None = None  # 12h, 7d or 4w: created in that time until now; excludes created_from
    before_ago: str | None = None  # likewise: created before that; excludes created_before

    def __post_init__(self) -> None:
        for name in ("status", "project", "template", "issue_class", "model", "phase", "agent"):
            _check_words(name, getattr(self, name))
        if not all(word.strip() for word in self.model):
            raise InvalidQueryError("model='' is a part of every name; say some letters of one")
        for name in ("search", "pattern"):
            _check_text(name, getattr(self, name))
        for name in ("cost", "tokens", "duration"):
            if getattr(self, name) is not None:
                _check_range(name, getattr(self, name))
        _check_scores(self.scores)
        for name in ("created_from", "created_before"):
            _check_moment(name, getattr(self, name))
        for ago, name in (("from_ago", "created_from"), ("before_ago", "created_before")):
            _check_text(ago, getattr(self, ago))
            if getattr(self, ago) is not None and getattr(self, name) is not None:
                raise InvalidQueryError(f"{ago} and {name} exclude each other; use one of them")
        self.at()

    def at(self, now: datetime | None = None) -> RunFilter:
        """Return the same filter with moments instead of ages, which are counted back from now."""
        if self.from_ago is None and self.before_ago is None:
            return self
        return replace(
            self,
            created_from=self.created_from if self.from_ago is None else _before(now, self.from_ago),
            created_before=self.created_before if self.before_ago is None else _before(now, self.before_ago),
            from_ago=None,
            before_ago=None,
        )

    @property
    def has_dates(self) -> bool:
        """Whether runs are meant by when they were created."""
        given = (self.created_from, self.created_before, self.from_ago, self.before_ago)
        return any(value is not None for value in given)

    @property
    def is_empty(self) -> bool:
        """Whether all runs are meant."""
        return self == RunFilter()


def is_age(text: str) -> bool:
    """Return whether a time is said by how long ago it is.

    >>> is_age("7d"), is_age("2026-03-01")
    (True, False)
    """
    return _AGE.fullmatch(text.strip().lower()) is not None


def parse_period(given: str) -> timedelta:
    """Read a length of time in hours, days or weeks: `36h`, `30d`, `4w`.

    >>> parse_period("4w").days
    28
    """
    age = _AGE.fullmatch(given.strip().lower())
    if age is None:
        raise InvalidQueryError(f"{given!r} is no period; say it as 36h, 30d or 4w")
    try:
        return timedelta(hours=int(age[1]) * HOURS[age[2]])
    except (OverflowError, ValueError) as error:
        raise InvalidQueryError(f"a period of {given!r} is beyond the calendar") from error


def length_of(given: object, name: str) -> timedelta:
    """Return a length of time that is given as it is or in words; raises InvalidQueryError for anything else.

    >>> length_of("4w", "period") == length_of(timedelta(days=28), "period")
    True
    """
    if isinstance(given, timedelta):
        return given
    if isinstance(given, str):
        return parse_period(given)
    raise InvalidQueryError(
        f"{name}={given!r} is not allowed; use a timedelta, or text such as 36h, 30d or 4w"
    )


def _before(now: datetime | None, age: str) -> datetime:
    try:
        return (now or datetime.now(UTC)) - parse_period(age)
    except OverflowError as error:
        raise InvalidQueryError(f"{age!r} is beyond the calendar; say a nearer time") from error


def _is_number(value: object) -> bool:
    """Return whether a float can hold it."""
    try:
        return isinstance(value, int | float) and isfinite(value)
    except OverflowError:
        return False


def _check_range(name: str, bounds: object) -> None:
    if not isinstance(bounds, Range):
        raise InvalidQueryError(f"{name}={bounds!r} is not allowed; use a Range")
    bounds.validate(name)


def _check_scores(scores: object) -> None:
    if not isinstance(scores, Mapping):
        raise InvalidQueryError(f"scores={scores!r} is not allowed; use a dict of Ranges by name")
    for name, bounds in scores.items():
        if name not in SCORES:
            raise InvalidQueryError(f"no score {name!r}; use one of: {', '.join(SCORES)}")
        _check_range(name, bounds)


def _check_text(name: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise InvalidQueryError(f"{name}={value!r} is not allowed; use text or None")


def _check_words(name: str, value: object) -> None:
    if not isinstance(value, tuple) or not all(isinstance(word, str) for word in value):
        raise InvalidQueryError(f"{name}={value!r} is not allowed; use a tuple of texts")


def _check_moment(name: str, value: object) -> None:
    if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
        raise InvalidQueryError(f"{name}={value!r} is not allowed; use a datetime with a time zone")
    try:
        if isinstance(value, datetime):
            value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidQueryError(f"{name}={value} is beyond the calendar in UTC") from error
