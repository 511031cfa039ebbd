"""What narrows an answer to some runs, in words as people type them: texts in, a checked filter out.

The command line takes these as options, REST and pages as parameters of the same names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

from .errors import InvalidQueryError
from .filters import SCORES, Range, RunFilter

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNTS = {"k": 1e3, "m": 1e6, "b": 1e9}
_AGO = re.compile(r"(\d+)([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}
_WHOLE_DAY = re.compile(r"\d{4}-\d\d-\d\d|today|yesterday", re.IGNORECASE)
_LONGEST = 100_000  # hours, days, weeks or runs that are recent: more is a slip
_PARTS = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


Take = Callable[[Any], dict[str, Any]]
"""What was typed in, the filter's fields out."""


class Narrowing(NamedTuple):
    """One option that narrows."""

    words: str  # as it is typed; two words with a slash: yes and no
    value: str | None  # what its value is called; None: yes or no
    take: Take
    help: str
    many: bool = False  # may be given more than once

    @property
    def name(self) -> str:
        """What it is called where there are no dashes: `status`, `error`."""
        return self.words.split()[0].split("/")[0].removeprefix("--")


def _words(name: str) -> Take:
    return lambda given: {name: tuple(given)}


def _one(name: str) -> Take:
    return lambda given: {name: given}


def _range(name: str, unit: Callable[[str], float]) -> Take:
    return lambda given: {name: range_of(given, unit)}


def _scores(given: Sequence[str]) -> dict[str, Any]:
    found = {}
    for entry in given:
        name, colon, bounds = entry.partition(":")
        if not colon:
            raise InvalidQueryError(f"--score {entry!r}: say it as {next(iter(SCORES))}:50..100")
        found[name] = range_of(bounds, float)
    return {"scores": found}


def _since(given: str) -> dict[str, Any]:
    return {"created_from": moment_of(given), "from_ago": _ago(given)}


def _until(given: str) -> dict[str, Any]:
    end = moment_of(given)
    try:
        before = end + timedelta(days=1) if _WHOLE_DAY.fullmatch(given.strip()) else end
    except OverflowError as error:
        raise InvalidQueryError(f"{given!r} is beyond the calendar; say a nearer time") from error
    return {"created_before": before, "before_ago": _ago(given)}


def _ago(given: str) -> str | None:
    """Return a time that is said by how long ago it is; None: it is said otherwise."""
    text = given.strip().lower()
    return text if _AGO.fullmatch(text) else None


def range_of(given: str, unit: Callable[[str], float] = float) -> Range:
    """Read amounts: `1..5`, `1..` (at least), `..5` (at most), `5` (at least).

    >>> range_of("..2.5"), range_of("90..10m", seconds_of)
    (Range(least=None, most=2.5), Range(least=90.0, most=600.0))
    """
    least, dots, most = given.partition("..")
    try:
        return Range(unit(least) if least.strip() else None, unit(most) if dots and most.strip() else None)
    except ValueError as error:
        raise InvalidQueryError(f"{given!r} is no range; say it as 1..5, 1.. or ..5") from error


def seconds_of(given: str) -> float:
    """Read a duration: seconds, or `1h30m`.

    >>> seconds_of("90"), seconds_of("1h30m")
    (90.0, 5400.0)
    """
    text = given.strip().lower()
    parts = _PARTS.findall(text)
    if parts and "".join(f"{count}{unit}" for count, unit in parts) == text:
        return float(sum(float(count) * _UNITS[unit] for count, unit in parts))
    return float(text)


def count_of(given: str) -> float:
    """Read a count: `250000`, `250k`, `1.5M`.

    >>> count_of("1.5M")
    1500000.0
    """
    text = given.strip().lower()
    return float(text[:-1]) * _AMOUNTS[text[-1]] if text[-1:] in _AMOUNTS else float(text)


def dollars_of(given: str) -> float:
    """Read an amount of US dollars, its sign or not."""
    return float(given.strip().removeprefix("$"))


def period_of(given: str) -> timedelta:
    """Read a length of time in hours, days or weeks: `36h`, `30d`, `4w`.

    >>> period_of("4w").days
    28
    """
    ago = _AGO.fullmatch(given.strip().lower())
    if ago is None:
        raise InvalidQueryError(f"{given!r} is no period; say it as 36h, 30d or 4w")
    try:
        return timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
    except (OverflowError, ValueError) as error:
        raise InvalidQueryError(f"a period of {given!r} is longer than the calendar") from error


def moment_of(given: str, now: datetime | None = None) -> datetime:
    """Read a moment: a date or time in ISO 8601 (of this machine's zone), `7d` ago, `today`, `yesterday`."""
    try:
        found = _moment(given.strip(), now or datetime.now(UTC).astimezone())
        found.astimezone(UTC)  # where that is no moment any more, nothing could be held against it
    except InvalidQueryError:
        raise
    except (OverflowError, OSError, ValueError) as error:  # the last: a zone's rules have no year 0
        raise InvalidQueryError(f"{given!r} is beyond the calendar; say a nearer time") from error
    return found


def _moment(given: str, current: datetime) -> datetime:
    text = given.lower()
    if ago := _AGO.fullmatch(text):
        return current - timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
    if text in {"today", "yesterday"}:
        day = current.date() - timedelta(days=int(text == "yesterday"))
        return datetime.combine(day, time()).astimezone()
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise InvalidQueryError(
            f"{given!r} is no time; say it as 2026-03-01, 2026-03-01T12:00, 7d (ago), today or yesterday"
        ) from error
    return found if found.tzinfo else found.astimezone()


def recent_of(given: str) -> timedelta | int:
    """Read an age or a number of runs.

    >>> recent_of("2w"), recent_of("50")
    (datetime.timedelta(days=14), 50)
    """
    text = given.strip().lower()
    age = _AGO.fullmatch(text)
    digits = age[1] if age else text
    number = int(digits) if digits.isdecimal() and len(digits) <= len(str(_LONGEST)) else 0
    if not 0 < number <= _LONGEST:
        raise InvalidQueryError(f"--recent {given!r}: say it as 7d, 4w or 12h, or as a number of runs: 50")
    return timedelta(hours=number * _HOURS[age[2]]) if age else number


NARROWING = (
    Narrowing("--status", "WORD", _words("status"),
              "Ended so: completed, failed, stopped, running, incomplete, unknown.", many=True),
    Narrowing("--search -s", "TEXT", _one("search"),
              'Holds these words; "some words" side by side, -word leaves out.'),
    Narrowing("--project", "NAME", _words("project"), "Of this project.", many=True),
    Narrowing("--template", "NAME", _words("template"), "Of this workflow.", many=True),
    Narrowing("--class", "WORD", _words("issue_class"), "Of this class of issue, such as bug.", many=True),
    Narrowing("--model", "NAME", _words("model"), "Used this model; a part of its name will do.", many=True),
    Narrowing("--phase", "NAME", _words("phase"), "Went through this phase.", many=True),
    Narrowing("--agent", "NAME", _words("agent"), "Had this agent at work.", many=True),
    Narrowing("--pattern", "PATTERN", _one("pattern"), "Shows this pattern; see patterns."),
    Narrowing("--cost", "RANGE", _range("cost", dollars_of), "Cost so many US dollars: 1..5, 1.. or ..5."),
    Narrowing("--tokens", "RANGE", _range("tokens", count_of), "Took so many tokens: 500k..2M."),
    Narrowing("--duration", "RANGE", _range("duration", seconds_of), "Took so long: 5m..1h."),
    Narrowing("--score", "NAME:RANGE", _scores, "Scored so: quality:..50.", many=True),
    Narrowing("--since", "TIME", _since, "Made from then on: 2026-03-01, 7d (ago), today."),
    Narrowing("--until", "TIME", _until, "Made until then, that day included."),
    Narrowing("--known-cost/--unknown-cost", None, _one("has_cost"), "Its cost is known, or is not."),
    Narrowing("--error/--no-error", None, _one("has_error"), "With an error, or without."),
    Narrowing("--gone/--present", None, _one("gone"), "Its files are gone, or still there."),
)  # fmt: skip
"""Every option that narrows; each combines with all others."""


def filter_from(given: Mapping[str, Any]) -> RunFilter:
    """Return the filter that some values make, each by its option's name; None and () narrow nothing.

    >>> filter_from({"status": ["failed"], "cost": "1.."}).cost
    Range(least=1.0, most=None)
    """
    found = RunFilter()
    for one in NARROWING:
        value = given.get(one.name)
        if value is not None and value not in ("", [], ()):
            found = replace(found, **one.take(value))
    return found
