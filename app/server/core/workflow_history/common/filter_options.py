"""Parse filter options as users type them into a validated RunFilter.

The command line offers them as options, the REST API and web pages as parameters of the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final, NamedTuple

from .errors import InvalidQueryError, InvalidValueError
from .filters import SCORES, Range, RunFilter, is_age, parse_period
from .time_zones import zone_named

_SECONDS_PER_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_COUNT_SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9}
_WHOLE_DAY = re.compile(r"\d{4}-\d\d-\d\d|today|yesterday", re.IGNORECASE)
_MAX_RECENT = 100_000  # hours, days, weeks or runs in --window; a larger number is a typo
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


OptionParser = Callable[[Any, tzinfo | None, str], dict[str, Any]]
"""Parser of an option: typed value, time zone of days (None: local) and the option's name in, fields of
RunFilter out."""


class FilterOption(NamedTuple):
    """One option that filters runs."""

    flags: str  # option as typed on the command line; two flags with a slash are yes and no
    metavar: str | None  # placeholder of the value in help; None for a yes/no option
    parse: OptionParser
    help: str
    multiple: bool = False  # whether the option may be repeated
    parameter: str | None = None  # name of the parameter, if it is not that of the option

    @property
    def name(self) -> str:
        """Name of the parameter without dashes, such as `status` or `error`."""
        return self.parameter or self.flags.split()[0].split("/")[0].removeprefix("--")


def _list_parser(name: str) -> OptionParser:
    return lambda values, _zone, _option: {name: tuple(values)}


def _value_parser(name: str) -> OptionParser:
    return lambda value, _zone, _option: {name: value}


def _range_parser(name: str, parse_bound: Callable[[str], float]) -> OptionParser:
    return lambda value, _zone, option: {name: parse_range(value, parse_bound, option)}


def _parse_scores(entries: Sequence[str], _zone: tzinfo | None, option: str) -> dict[str, Any]:
    scores = {}
    for entry in entries:
        name, colon, bounds = entry.partition(":")
        if not colon:
            example = f"{next(iter(SCORES))}:50..100"
            raise InvalidValueError(option, entry, f"Use a name and a range, such as {example}.")
        scores[name] = parse_range(bounds, float, option)
    return {"scores": scores}


def _parse_since(text: str, zone: tzinfo | None, option: str) -> dict[str, Any]:
    if is_age(text):
        return {"from_ago": _normalize_age(text, option)}
    return {"created_from": parse_moment(text, zone=zone, name=option)}


def _parse_until(text: str, zone: tzinfo | None, option: str) -> dict[str, Any]:
    if is_age(text):
        return {"before_ago": _normalize_age(text, option)}
    return {"created_before": parse_end(text, zone=zone, name=option)}


def parse_end(text: str, zone: tzinfo | None = None, name: str = "time") -> datetime:
    """Parse the exclusive end of a period; the end of a whole day is the next midnight."""
    end = parse_moment(text, zone=zone, name=name)
    if _WHOLE_DAY.fullmatch(text.strip()) is None:
        return end
    try:
        return _midnight(end.date() + timedelta(days=1), zone)
    except (OverflowError, OSError, ValueError) as error:
        raise InvalidValueError(name, text, "It is beyond the calendar; use a nearer time.") from error


def _normalize_age(text: str, name: str) -> str:
    """Return a normalized age; raises InvalidQueryError if it reaches beyond the calendar."""
    parse_moment(text, name=name)
    return text.strip().lower()


def parse_range(text: str, parse_bound: Callable[[str], float] = float, name: str = "range") -> Range:
    """Parse a range: `1..5`, `1..` (at least), `..5` (at most), `5` (at least).

    >>> parse_range("..2.5"), parse_range("90..10m", parse_duration)
    (Range(minimum=None, maximum=2.5), Range(minimum=90.0, maximum=600.0))
    """
    lower, dots, upper = text.partition("..")
    try:
        return Range(
            parse_bound(lower) if lower.strip() else None,
            parse_bound(upper) if dots and upper.strip() else None,
        )
    except ValueError as error:
        raise InvalidValueError(name, text, "Use a range: 1..5, 1.. or ..5.") from error


def parse_duration(text: str) -> float:
    """Parse a duration in seconds: a number, or text such as `1h30m`.

    >>> parse_duration("90"), parse_duration("1h30m")
    (90.0, 5400.0)
    """
    normalized = text.strip().lower()
    parts = _DURATION_PART.findall(normalized)
    if parts and "".join(f"{count}{unit}" for count, unit in parts) == normalized:
        return float(sum(float(count) * _SECONDS_PER_UNIT[unit] for count, unit in parts))
    return float(normalized)


def parse_count(text: str) -> float:
    """Parse a count: `250000`, `250k`, `1.5M`.

    >>> parse_count("1.5M")
    1500000.0
    """
    normalized = text.strip().lower()
    multiplier = _COUNT_SUFFIXES.get(normalized[-1:])
    return float(normalized) if multiplier is None else float(normalized[:-1]) * multiplier


def parse_usd(text: str) -> float:
    """Parse an amount of US dollars, with or without the dollar sign."""
    return float(text.strip().removeprefix("$"))


def parse_moment(
    text: str, now: datetime | None = None, zone: tzinfo | None = None, name: str = "time"
) -> datetime:
    """Parse a time: an ISO 8601 date or time, an age such as `7d`, `today` or `yesterday`.

    Days are in `zone`, or in this machine's time zone if it is None; `name` is used in errors. Raises
    InvalidQueryError.
    """
    try:
        moment = _parse_moment(text.strip(), now or datetime.now(UTC), zone, name)
        moment.astimezone(UTC)  # a time outside the UTC calendar cannot be compared with anything
    except InvalidQueryError:
        raise
    except (OverflowError, OSError, ValueError) as error:  # ValueError: a zone's rules lack year 0
        raise InvalidValueError(name, text, "It is beyond the calendar; use a nearer time.") from error
    return moment


def _parse_moment(text: str, now: datetime, zone: tzinfo | None, name: str) -> datetime:
    lower, local_now = text.lower(), now.astimezone(zone)
    if is_age(lower):
        return local_now - parse_period(lower, name)
    if lower in {"today", "yesterday"}:
        return _midnight(local_now.date() - timedelta(days=int(lower == "yesterday")), zone)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        remedy = "Use a date (2026-03-01), a time (2026-03-01T12:00), an age (7d), today or yesterday."
        raise InvalidValueError(name, text, remedy) from error
    return moment if moment.tzinfo else _with_zone(moment, zone)


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    return _with_zone(datetime.combine(day, time()), zone)


def _with_zone(naive: datetime, zone: tzinfo | None) -> datetime:
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)


def parse_recent(text: str, name: str = "window") -> timedelta | int:
    """Parse the extent of the recent window: an age, or a number of runs. `name` is used in errors.

    >>> parse_recent("2w"), parse_recent("50")
    (datetime.timedelta(days=14), 50)
    """
    normalized = text.strip().lower()
    is_period = is_age(normalized)
    digits = normalized[:-1] if is_period else normalized
    number = int(digits) if digits.isdecimal() and len(digits) <= len(str(_MAX_RECENT)) else 0
    if not 0 < number <= _MAX_RECENT:
        raise InvalidValueError(name, text, "Use an age (7d, 4w, 12h) or a number of runs (50).")
    return parse_period(normalized, name) if is_period else number


FILTER_OPTIONS = (
    FilterOption(
        "--status",
        "STATUS",
        _list_parser("status"),
        "Status: completed, failed, ended, stopped, running, incomplete, unknown. Repeatable.",
        multiple=True,
    ),
    FilterOption(
        "--search -s", "TEXT", _value_parser("search"), 'Full-text search. "exact phrase", -exclude, prefix*.'
    ),
    FilterOption("--project", "NAME", _list_parser("project"), "Project name. Repeatable.", multiple=True),
    FilterOption(
        "--workflow",
        "NAME",
        _list_parser("template"),
        "Workflow name. Repeatable.",
        multiple=True,
    ),
    FilterOption(
        "--class",
        "CLASS",
        _list_parser("issue_class"),
        "Issue class, such as bug. Repeatable.",
        multiple=True,
    ),
    FilterOption("--branch", "NAME", _list_parser("branch"), "Branch name. Repeatable.", multiple=True),
    FilterOption("--issue", "NUMBER", _list_parser("issue"), "Issue: 12 or #12. Repeatable.", multiple=True),
    FilterOption(
        "--pr",
        "PR",
        _list_parser("pr"),
        "Pull request: 12, owner/name#12 or its URL. Repeatable.",
        multiple=True,
    ),
    FilterOption(
        "--model",
        "NAME",
        _list_parser("model"),
        "Model name or part of it. Repeatable.",
        multiple=True,
    ),
    FilterOption(
        "--phase", "NAME", _list_parser("phase"), "Only runs with this phase. Repeatable.", multiple=True
    ),
    FilterOption(
        "--agent", "NAME", _list_parser("agent"), "Only runs with this agent. Repeatable.", multiple=True
    ),
    FilterOption(
        "--pattern", "PATTERN", _value_parser("pattern"), "Only runs with this pattern (ID or signature)."
    ),
    FilterOption("--cost", "RANGE", _range_parser("cost", parse_usd), "Cost range in USD: 1..5, 1.., ..5."),
    FilterOption("--tokens", "RANGE", _range_parser("tokens", parse_count), "Token range: 500k..2M."),
    FilterOption("--duration", "RANGE", _range_parser("duration", parse_duration), "Duration range: 5m..1h."),
    FilterOption(
        "--score", "NAME:RANGE", _parse_scores, "Score range: quality:..50. Repeatable.", multiple=True
    ),
    FilterOption("--since", "TIME", _parse_since, "Created at or after: 2026-03-01, 7d, today."),
    FilterOption("--until", "TIME", _parse_until, "Created before the end of this date or time."),
    FilterOption(
        "--known-cost/--unknown-cost",
        None,
        _value_parser("has_cost"),
        "Only runs with, or without, a known cost.",
    ),
    FilterOption(
        "--error/--no-error",
        None,
        _value_parser("has_error"),
        "Only runs with, or without, an error message.",
    ),
    FilterOption(
        "--gone/--present",
        None,
        _value_parser("missing"),
        "Only runs whose files are missing, or still present.",
        parameter="missing",
    ),
)
"""All filter options; they can be combined freely."""

FORMER_FILTER_NAMES: Final[Mapping[str, str]] = {"template": "workflow", "gone": "missing"}
"""Names of parameters that were renamed, with their present names. They are still accepted."""


def build_filter(options: Mapping[str, Any], tz: str | None = None) -> RunFilter:
    """Build a filter from option values by option name; None and empty values do not restrict it.

    `tz` names the time zone of days; None is this machine's.

    >>> build_filter({"status": ["failed"], "cost": "1.."}).cost
    Range(minimum=1.0, maximum=None)
    >>> build_filter({"until": "2026-03-28"}, "Europe/Berlin").created_before.isoformat()
    '2026-03-29T00:00:00+01:00'
    """
    run_filter, zone = RunFilter(), zone_named(tz)
    present = {FORMER_FILTER_NAMES.get(name, name): value for name, value in options.items()}
    for option in FILTER_OPTIONS:
        value = present.get(option.name)
        if value is not None and value not in ("", [], ()):
            run_filter = replace(run_filter, **option.parse(value, zone, option.name))
    return run_filter
