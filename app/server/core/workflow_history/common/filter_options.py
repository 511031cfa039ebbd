"""Parse filter options as users type them into a validated RunFilter.

The command line offers them as options, the REST API and web pages as parameters of the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

from .errors import InvalidQueryError
from .filters import HOURS, SCORES, Range, RunFilter, is_age, parse_period
from .time_zones import zone_named

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNTS = {"k": 1e3, "m": 1e6, "b": 1e9}
_AGE = re.compile(r"(\d+)([hdw])")
_WHOLE_DAY = re.compile(r"\d{4}-\d\d-\d\d|today|yesterday", re.IGNORECASE)
_LONGEST = 100_000  # hours, days, weeks or runs in --recent; a larger number is a typo
_PARTS = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


OptionParser = Callable[[Any, tzinfo | None], dict[str, Any]]
"""Parser of an option: typed value and time zone of days (None: local) in, fields of RunFilter out."""


class FilterOption(NamedTuple):
    """One option that filters runs."""

    flags: str  # option as typed on the command line; two flags with a slash are yes and no
    metavar: str | None  # placeholder of the value in help; None for a yes/no option
    parse: OptionParser
    help: str
    multiple: bool = False  # whether the option may be repeated

    @property
    def name(self) -> str:
        """Name of the parameter without dashes, such as `status` or `error`."""
        return self.flags.split()[0].split("/")[0].removeprefix("--")


def _words(name: str) -> OptionParser:
    return lambda given, _zone: {name: tuple(given)}


def _one(name: str) -> OptionParser:
    return lambda given, _zone: {name: given}


def _range(name: str, unit: Callable[[str], float]) -> OptionParser:
    return lambda given, _zone: {name: parse_range(given, unit)}


def _scores(given: Sequence[str], _zone: tzinfo | None) -> dict[str, Any]:
    found = {}
    for entry in given:
        name, colon, bounds = entry.partition(":")
        if not colon:
            raise InvalidQueryError(f"--score {entry!r}: say it as {next(iter(SCORES))}:50..100")
        found[name] = parse_range(bounds, float)
    return {"scores": found}


def _since(given: str, zone: tzinfo | None) -> dict[str, Any]:
    if is_age(given):
        return {"from_ago": _age(given)}
    return {"created_from": parse_moment(given, zone=zone)}


def _until(given: str, zone: tzinfo | None) -> dict[str, Any]:
    """Return the end of a whole day, or else the time itself, as the upper limit."""
    if is_age(given):
        return {"before_ago": _age(given)}
    end = parse_moment(given, zone=zone)
    if _WHOLE_DAY.fullmatch(given.strip()) is None:
        return {"created_before": end}
    try:
        return {"created_before": _midnight(end.date() + timedelta(days=1), zone)}
    except (OverflowError, OSError, ValueError) as error:
        raise InvalidQueryError(f"{given!r} is beyond the calendar; say a nearer time") from error


def _age(given: str) -> str:
    """Return a normalized age; raises InvalidQueryError if it reaches beyond the calendar."""
    parse_moment(given)
    return given.strip().lower()


def parse_range(given: str, unit: Callable[[str], float] = float) -> Range:
    """Parse a range: `1..5`, `1..` (at least), `..5` (at most), `5` (at least).

    >>> parse_range("..2.5"), parse_range("90..10m", parse_duration)
    (Range(minimum=None, maximum=2.5), Range(minimum=90.0, maximum=600.0))
    """
    least, dots, most = given.partition("..")
    try:
        return Range(unit(least) if least.strip() else None, unit(most) if dots and most.strip() else None)
    except ValueError as error:
        raise InvalidQueryError(f"{given!r} is no range; say it as 1..5, 1.. or ..5") from error


def parse_duration(given: str) -> float:
    """Parse a duration in seconds: a number, or text such as `1h30m`.

    >>> parse_duration("90"), parse_duration("1h30m")
    (90.0, 5400.0)
    """
    text = given.strip().lower()
    parts = _PARTS.findall(text)
    if parts and "".join(f"{count}{unit}" for count, unit in parts) == text:
        return float(sum(float(count) * _UNITS[unit] for count, unit in parts))
    return float(text)


def parse_count(given: str) -> float:
    """Parse a count: `250000`, `250k`, `1.5M`.

    >>> parse_count("1.5M")
    1500000.0
    """
    text = given.strip().lower()
    return float(text[:-1]) * _AMOUNTS[text[-1]] if text[-1:] in _AMOUNTS else float(text)


def parse_usd(given: str) -> float:
    """Parse an amount of US dollars, with or without the dollar sign."""
    return float(given.strip().removeprefix("$"))


def parse_moment(given: str, now: datetime | None = None, zone: tzinfo | None = None) -> datetime:
    """Parse a time: an ISO 8601 date or time, an age such as `7d`, `today` or `yesterday`.

    Days are in `zone`, or in this machine's time zone if it is None. Raises InvalidQueryError.
    """
    try:
        found = _moment(given.strip(), now or datetime.now(UTC), zone)
        found.astimezone(UTC)  # a time outside the UTC calendar cannot be compared with anything
    except InvalidQueryError:
        raise
    except (OverflowError, OSError, ValueError) as error:  # ValueError: a zone's rules lack year 0
        raise InvalidQueryError(f"{given!r} is beyond the calendar; say a nearer time") from error
    return found


def _moment(given: str, now: datetime, zone: tzinfo | None) -> datetime:
    text, here = given.lower(), now.astimezone(zone)
    if is_age(text):
        return here - parse_period(text)
    if text in {"today", "yesterday"}:
        return _midnight(here.date() - timedelta(days=int(text == "yesterday")), zone)
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise InvalidQueryError(
            f"{given!r} is no time; say it as 2026-03-01, 2026-03-01T12:00, 7d (ago), today or yesterday"
        ) from error
    return found if found.tzinfo else _placed(found, zone)


def _midnight(day: date, zone: tzinfo | None) -> datetime:
    return _placed(datetime.combine(day, time()), zone)


def _placed(naive: datetime, zone: tzinfo | None) -> datetime:
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)


def parse_recent(given: str) -> timedelta | int:
    """Parse the extent of the recent window: an age, or a number of runs.

    >>> parse_recent("2w"), parse_recent("50")
    (datetime.timedelta(days=14), 50)
    """
    text = given.strip().lower()
    age = _AGE.fullmatch(text)
    digits = age[1] if age else text
    number = int(digits) if digits.isdecimal() and len(digits) <= len(str(_LONGEST)) else 0
    if not 0 < number <= _LONGEST:
        raise InvalidQueryError(f"--recent {given!r}: say it as 7d, 4w or 12h, or as a number of runs: 50")
    return timedelta(hours=number * HOURS[age[2]]) if age else number


FILTER_OPTIONS = (
    FilterOption("--status", "WORD", _words("status"),
              "Ended so: completed, failed, stopped, running, incomplete, unknown.", multiple=True),
    FilterOption("--search -s", "TEXT", _one("search"),
              'Holds these words; "some words" side by side, -word leaves out.'),
    FilterOption("--project", "NAME", _words("project"), "Of this project.", multiple=True),
    FilterOption("--template", "NAME", _words("template"), "Of this workflow.", multiple=True),
    FilterOption(
        "--class", "WORD", _words("issue_class"), "Of this class of issue, such as bug.", multiple=True
    ),
    FilterOption(
        "--model", "NAME", _words("model"), "Used this model; a part of its name will do.", multiple=True
    ),
    FilterOption("--phase", "NAME", _words("phase"), "Went through this phase.", multiple=True),
    FilterOption("--agent", "NAME", _words("agent"), "Had this agent at work.", multiple=True),
    FilterOption("--pattern", "PATTERN", _one("pattern"), "Shows this pattern; see patterns."),
    FilterOption("--cost", "RANGE", _range("cost", parse_usd), "Cost so many US dollars: 1..5, 1.. or ..5."),
    FilterOption("--tokens", "RANGE", _range("tokens", parse_count), "Took so many tokens: 500k..2M."),
    FilterOption("--duration", "RANGE", _range("duration", parse_duration), "Took so long: 5m..1h."),
    FilterOption("--score", "NAME:RANGE", _scores, "Scored so: quality:..50.", multiple=True),
    FilterOption("--since", "TIME", _since, "Made from then on: 2026-03-01, 7d (ago), today."),
    FilterOption("--until", "TIME", _until, "Made until then, that day included."),
    FilterOption("--known-cost/--unknown-cost", None, _one("has_cost"), "Its cost is known, or is not."),
    FilterOption("--error/--no-error", None, _one("has_error"), "With an error, or without."),
    FilterOption("--gone/--present", None, _one("gone"), "Its files are gone, or still there."),
)  # fmt: skip
"""All filter options; they can be combined freely."""


def build_filter(given: Mapping[str, Any], tz: str | None = None) -> RunFilter:
    """Build a filter from option values by option name; None and empty values do not restrict it.

    `tz` names the time zone of days; None is this machine's.

    >>> build_filter({"status": ["failed"], "cost": "1.."}).cost
    Range(minimum=1.0, maximum=None)
    >>> build_filter({"until": "2026-03-28"}, "Europe/Berlin").created_before.isoformat()
    '2026-03-29T00:00:00+01:00'
    """
    found, zone = RunFilter(), zone_named(tz)
    for one in FILTER_OPTIONS:
        value = given.get(one.name)
        if value is not None and value not in ("", [], ()):
            found = replace(found, **one.parse(value, zone))
    return found
