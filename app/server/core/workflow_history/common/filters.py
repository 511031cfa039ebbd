"""Validated filters that select runs by status, cost, date and more. No SQL, no command line.

All fields combine with AND: a run must match each of them. Several values of one field combine with OR.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final, NamedTuple

from .errors import InvalidQueryError, InvalidValueError

SCORES: Final[Mapping[str, str]] = {
    "clarity": "nl_clarity_score",
    "cost_efficiency": "cost_efficiency_score",
    "performance": "performance_score",
    "quality": "quality_score",
}
"""Score names in filters and the run keys that they refer to."""

NAME_FILTERS: Final = (
    "status", "project", "template", "issue_class", "branch", "issue", "pr", "model", "phase", "agent",
)  # fmt: skip
"""Fields of RunFilter with names, any of which a run may have."""

_HOURS: Final = {"h": 1, "d": 24, "w": 168}
"""Units of an age or a period, in hours."""

_AGE = re.compile(r"(\d+)([hdw])")


class Range(NamedTuple):
    """Inclusive range from `minimum` to `maximum`; None leaves that side open."""

    minimum: float | None = None
    maximum: float | None = None

    def validate(self, name: str) -> None:
        """Raise InvalidQueryError if a bound is not a number or the minimum exceeds the maximum."""
        bounds = [value for value in self if value is not None]
        if not all(_is_finite_number(value) for value in bounds):
            raise InvalidValueError(name, tuple(self), "Use a range of numbers.")
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise InvalidValueError(name, f"{bounds[0]:g}..{bounds[1]:g}", "Put the lower bound first.")


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Selection of runs; an empty filter selects all runs.

    Raises InvalidQueryError for an invalid value; the message names the allowed ones.
    """

    search: str | None = None  # full-text query; see docs/tour.md
    status: tuple[str, ...] = ()
    project: tuple[str, ...] = ()
    template: tuple[str, ...] = ()
    issue_class: tuple[str, ...] = ()  # with or without the leading slash
    branch: tuple[str, ...] = ()
    issue: tuple[str, ...] = ()  # with or without the leading #
    pr: tuple[str, ...] = ()  # pull request: number, owner/name#number or address
    model: tuple[str, ...] = ()  # part of a model name; matches if any agent of the run used such a model
    phase: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    pattern: str | None = None  # displayed pattern, its id, or the first digits of the id (4 or more)
    cost: Range | None = None  # USD, recorded cost plus lower bound
    tokens: Range | None = None  # total tokens
    duration: Range | None = None  # seconds
    scores: Mapping[str, Range] = field(default_factory=dict)  # ranges from 0 to 100, by the names in SCORES
    created_from: datetime | None = None  # earliest creation time, inclusive, time zone required
    created_before: datetime | None = None  # latest creation time, exclusive, time zone required
    has_cost: bool | None = None  # whether any cost of the run is known
    has_error: bool | None = None
    missing: bool | None = None  # whether the run's files are missing
    from_ago: str | None = None  # maximum age, such as 12h, 7d or 4w; excludes created_from
    before_ago: str | None = None  # minimum age, such as 12h, 7d or 4w; excludes created_before

    def __post_init__(self) -> None:
        for name in NAME_FILTERS:
            words = getattr(self, name)
            if not isinstance(words, tuple) or not all(isinstance(word, str) for word in words):
                raise InvalidValueError(name, words, "Use a tuple of texts.")
        if not all(word.strip() for word in self.model):
            raise InvalidValueError("model", "", "Use a model name or a part of it.")
        for name in ("search", "pattern"):
            _check_text(name, getattr(self, name))
        for name in ("cost", "tokens", "duration"):
            if (bounds := getattr(self, name)) is not None:
                _check_range(name, bounds)
        _check_scores(self.scores)
        for name in ("created_from", "created_before"):
            _check_moment(name, getattr(self, name))
        for ago, name in (("from_ago", "created_from"), ("before_ago", "created_before")):
            _check_text(ago, getattr(self, ago))
            if getattr(self, ago) is not None and getattr(self, name) is not None:
                raise InvalidQueryError(f"{ago} and {name} exclude each other. Use one of them.")
        self.at()

    def at(self, now: datetime | None = None) -> RunFilter:
        """Return the same filter with its ages replaced by times, counted back from `now`."""
        if self.from_ago is None and self.before_ago is None:
            return self
        start = self.created_from if self.from_ago is None else _time_ago(now, self.from_ago)
        end = self.created_before if self.before_ago is None else _time_ago(now, self.before_ago)
        return replace(self, created_from=start, created_before=end, from_ago=None, before_ago=None)

    @property
    def has_dates(self) -> bool:
        """Whether the filter restricts the creation time."""
        limits = (self.created_from, self.created_before, self.from_ago, self.before_ago)
        return any(value is not None for value in limits)

    @property
    def is_empty(self) -> bool:
        """Whether the filter selects all runs."""
        return self == RunFilter()


def is_age(text: str) -> bool:
    """Return whether a text is an age, such as `7d`, and not a date.

    >>> is_age("7d"), is_age("2026-03-01")
    (True, False)
    """
    return _AGE.fullmatch(text.strip().lower()) is not None


def parse_period(text: str, name: str = "period") -> timedelta:
    """Parse a period in hours, days or weeks: `36h`, `30d`, `4w`; raises InvalidQueryError if it is invalid.

    >>> parse_period("4w").days
    28
    """
    age = _AGE.fullmatch(text.strip().lower())
    if age is None:
        raise InvalidValueError(name, text, "Use hours, days or weeks: 36h, 30d, 4w.")
    try:
        return timedelta(hours=int(age[1]) * _HOURS[age[2]])
    except (OverflowError, ValueError) as error:
        raise InvalidValueError(name, text, "It is beyond the calendar; use a shorter one.") from error


def to_timedelta(value: object, name: str) -> timedelta:
    """Return a period given as a timedelta or as text; raises InvalidQueryError for anything else.

    >>> to_timedelta("4w", "period") == to_timedelta(timedelta(days=28), "period")
    True
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, str):
        return parse_period(value, name)
    raise InvalidValueError(name, value, "Use a timedelta, or text such as 36h, 30d, 4w.")


def _time_ago(now: datetime | None, age: str) -> datetime:
    try:
        return (now or datetime.now(UTC)) - parse_period(age)
    except OverflowError as error:
        raise InvalidValueError("age", age, "It is beyond the calendar; use a shorter one.") from error


def _is_finite_number(value: object) -> bool:
    """Return whether a value is a finite number that fits in a float."""
    try:
        return isinstance(value, int | float) and isfinite(value)
    except OverflowError:
        return False


def _check_range(name: str, bounds: object) -> None:
    if not isinstance(bounds, Range):
        raise InvalidValueError(name, bounds, "Use a Range.")
    bounds.validate(name)


def _check_scores(scores: object) -> None:
    if not isinstance(scores, Mapping):
        raise InvalidValueError("scores", scores, "Use a dict of Ranges by name.")
    for name, bounds in scores.items():
        if name not in SCORES:
            raise InvalidValueError("score", name, f"Use one of: {', '.join(SCORES)}.")
        _check_range(name, bounds)


def _check_text(name: str, value: object) -> None:
    if value is not None and not isinstance(value, str):
        raise InvalidValueError(name, value, "Use text or None.")


def _check_moment(name: str, value: object) -> None:
    if value is not None and (not isinstance(value, datetime) or value.tzinfo is None):
        raise InvalidValueError(name, value, "Use a datetime with a time zone.")
    try:
        if isinstance(value, datetime):
            value.astimezone(UTC)
    except OverflowError as error:
        raise InvalidValueError(name, str(value), "It is beyond the calendar in UTC.") from error
