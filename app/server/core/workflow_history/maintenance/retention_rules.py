"""Retention rules: option values as users type them in, a validated rule out. Pure, except for the clock.

A rule selects runs with the filters of lists, and by age. The newest of the selected runs may stay.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ..common.errors import InvalidQueryError, InvalidValueError
from ..common.filter_options import FILTER_OPTIONS, FORMER_FILTER_NAMES, build_filter
from ..common.filters import RunFilter

RULE_KEYS: Final = ("older_than", "keep", *(option.name for option in FILTER_OPTIONS))
"""Names of the options that a rule may contain."""

_AGE: Final = re.compile(r"(\d{1,6})(d|w|mo|y)")
_DAYS: Final = {"d": 1, "w": 7}
_MONTHS: Final = {"mo": 1, "y": 12}


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """Rule that selects the runs to delete."""

    where: RunFilter  # the selected runs; a run of unknown age never matches an age
    keep: int = 0  # number of runs to keep in each project, the newest of the selected ones

    @property
    def matches_all(self) -> bool:
        """Whether all runs are selected, which is too much to request by mistake."""
        return self.where.is_empty


def parse_rule(options: Mapping[str, Any], now: datetime | None = None) -> RetentionRule:
    """Parse a rule from option values by name; raises InvalidQueryError if one is invalid.

    >>> parse_rule({"older_than": "18mo"}, datetime(2026, 8, 31, tzinfo=UTC)).where.created_before.date()
    datetime.date(2025, 2, 28)
    """
    options = {FORMER_FILTER_NAMES.get(name, name): value for name, value in options.items()}
    if unknown := [name for name in options if name not in RULE_KEYS]:
        raise InvalidQueryError(f"Unknown key {unknown[0]!r}. Use one of: {', '.join(RULE_KEYS)}.")
    filters = {
        option.name: [value] if option.multiple and isinstance(value, str) else value
        for option in FILTER_OPTIONS
        if (value := options.get(option.name)) is not None
    }
    rule = RetentionRule(build_filter(filters))
    return with_max_age(rule, options.get("older_than"), options.get("keep"), now)


def with_max_age(
    rule: RetentionRule, older_than: Any, keep: Any = None, now: datetime | None = None
) -> RetentionRule:
    """Return the rule limited to runs older than an age such as "18mo", of which the `keep` newest stay.

    None leaves that part of the rule unchanged. Raises InvalidQueryError for an invalid value.
    """
    where = rule.where
    if older_than is not None:
        cutoff = _cutoff(older_than, now or datetime.now(UTC))
        where = where.at(now)
        created_before = where.created_before
        where = replace(
            where, created_before=cutoff if created_before is None else min(cutoff, created_before)
        )
    if keep is None:
        return RetentionRule(where, rule.keep)
    if isinstance(keep, bool) or not isinstance(keep, int) or keep < 0:
        raise InvalidValueError("keep", keep, "Use a whole number of runs.")
    return RetentionRule(where, keep)


def _cutoff(age: Any, now: datetime) -> datetime:
    match = _AGE.fullmatch(age.strip().lower()) if isinstance(age, str) else None
    if match is None:
        raise InvalidValueError("older_than", age, "Use an age: 90d, 12w, 18mo or 2y.")
    number, unit = int(match[1]), match[2]
    try:
        if unit in _DAYS:
            return now - timedelta(days=number * _DAYS[unit])
        year, month = divmod(now.year * 12 + now.month - 1 - number * _MONTHS[unit], 12)
        return now.replace(year=year, month=month + 1, day=min(now.day, monthrange(year, month + 1)[1]))
    except (ValueError, OverflowError) as error:
        raise InvalidValueError(
            "older_than", age, "It is longer than the calendar; use a shorter age."
        ) from error
