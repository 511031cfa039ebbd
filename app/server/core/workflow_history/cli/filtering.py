"""The options that narrow an answer to some runs: typed words in, a checked filter out. Opens nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from inspect import Parameter, Signature
from typing import Annotated, Any, NamedTuple

import typer
from typer.main import get_command

from ..errors import InvalidQueryError
from ..filters import SCORES, Range, RunFilter
from .options import AskingCommand, CommandGroup, typed

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AMOUNTS = {"k": 1e3, "m": 1e6, "b": 1e9}
_AGO = re.compile(r"(\d+)([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}
_WHOLE_DAY = re.compile(r"\d{4}-\d\d-\d\d|today|yesterday", re.IGNORECASE)
_PARTS = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def filter_of(context: typer.Context) -> RunFilter:
    """Return the runs that were asked for."""
    found: RunFilter = context.meta.get(_META, RunFilter())
    return found


_META = "workflow_history.filter"

Take = Callable[[Any], dict[str, Any]]
"""What was typed in, the filter's fields out."""


class Narrowing(NamedTuple):
    """One option that narrows."""

    words: str  # as it is typed; two words with a slash: yes and no
    value: str | None  # what its value is called; None: yes or no
    take: Take
    help: str
    many: bool = False  # may be given more than once


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
    return {"created_from": moment_of(given)}


def _until(given: str) -> dict[str, Any]:
    end = moment_of(given)
    if not _WHOLE_DAY.fullmatch(given.strip()):
        return {"created_before": end}
    try:
        return {"created_before": end + timedelta(days=1)}
    except OverflowError as error:
        raise InvalidQueryError(_OFF_CALENDAR.format(given)) from error


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
    text, current = given.strip().lower(), now or datetime.now(UTC).astimezone()
    if _AGO.fullmatch(text):
        try:
            return current - period_of(text)
        except OverflowError as error:
            raise InvalidQueryError(f"{given!r} ago was before the calendar began") from error
    if text in {"today", "yesterday"}:
        day = current.date() - timedelta(days=int(text == "yesterday"))
        return datetime.combine(day, time()).astimezone()
    try:
        found = datetime.fromisoformat(given.strip())
    except ValueError as error:
        raise InvalidQueryError(
            f"{given!r} is no time; say it as 2026-03-01, 2026-03-01T12:00, 7d (ago), today or yesterday"
        ) from error
    try:
        aware = found if found.tzinfo else found.astimezone()
        aware.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise InvalidQueryError(_OFF_CALENDAR.format(given)) from error
    return aware


_OFF_CALENDAR = "{!r} is beyond the calendar, here or in UTC; take a time some days off its ends"

NARROWING = (
    Narrowing("--status", "WORD", _words("status"),
              "Ended so: completed, failed, running, incomplete, unknown.", many=True),
    Narrowing("--search -s", "TEXT", lambda given: {"search": typed(given)},
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
    Narrowing("--error/--no-error", None, _one("has_error"), "With an error, or without."),
    Narrowing("--gone/--present", None, _one("gone"), "Its files are gone, or still there."),
)  # fmt: skip
"""Every option that narrows; each combines with all others."""


class FilterCommand(AskingCommand):
    """A command whose answer can be narrowed to some runs: `filter_of` returns which."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self.params.extend(_narrowing_options())


class FilterGroup(CommandGroup):
    """A group that answers by itself where none of its commands is named; its answer can be narrowed too."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.params.extend(_narrowing_options())


def _narrowing_options() -> list[Any]:
    holder = typer.Typer(add_completion=False)
    holder.command()(_narrowing())
    return list(get_command(holder).params)


def _narrowing() -> Callable[..., None]:
    """Return a function that takes every option of NARROWING, as Typer reads one."""

    def narrowing(**_given: Any) -> None:
        """Take the options; their callbacks have done all there is to do."""

    annotations = {f"option_{place}": _annotation(one) for place, one in enumerate(NARROWING)}
    narrowing.__annotations__ = annotations
    parameters = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=None)
        for name, annotation in annotations.items()
    ]
    narrowing.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return narrowing


def _annotation(one: Narrowing) -> Any:
    def narrow(context: typer.Context, given: Any) -> None:
        if given is not None and given != []:
            context.meta[_META] = replace(filter_of(context), **one.take(given))

    option = typer.Option(
        *one.words.split(),
        metavar=one.value or "",
        callback=narrow,
        expose_value=False,
        help=one.help,
        rich_help_panel="Which runs",
    )
    kind = bool if one.value is None else list[str] if one.many else str
    return Annotated[kind | None, option]
