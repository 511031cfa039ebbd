"""Format numbers, durations and times for people. An unknown value is a dash and never 0. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ..spending import UNKNOWN, number, to_decimal
from .text import single_line, truncate

_DAY_MINUTES = 24 * 60
_BYTE_UNITS = ("B", "kB", "MB", "GB", "TB")


def format_tokens(value: Any) -> str:
    """Format a token count in at most five characters.

    >>> [format_tokens(count) for count in (412, 1_250, 864_000, 999_999, 4_400_000, 0)]
    ['412', '1.3k', '864k', '1.0M', '4.4M', '0']
    """
    count = number(value)
    if count is None:
        return UNKNOWN
    if count < 1_000:
        return f"{count:.0f}"
    for size, unit in ((1e3, "k"), (1e6, "M"), (1e9, "B")):
        share = Decimal(str(count / size))
        short = share.quantize(Decimal("0.1"), ROUND_HALF_UP)
        if short < 10:
            return f"{short}{unit}"
        whole = share.quantize(Decimal(1), ROUND_HALF_UP)
        if whole < 1_000:
            return f"{whole}{unit}"
    return f"{count / 1e12:,.1f}T"


def format_count(value: Any) -> str:
    """Format a count with all of its digits.

    >>> format_count(1234567), format_count(None) == UNKNOWN
    ('1,234,567', True)
    """
    count = number(value)
    return UNKNOWN if count is None else f"{count:,.15g}"


def format_bytes(count: int) -> str:
    """Format a number of bytes with a decimal unit.

    >>> format_bytes(1_536_000), format_bytes(12)
    ('1.5 MB', '12 B')
    """
    amount, unit = float(count), 0
    while amount >= 1000 and unit < len(_BYTE_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.1f} {_BYTE_UNITS[unit]}" if unit else f"{count} B"


def format_duration(value: Any) -> str:
    """Format seconds as days, hours, minutes and seconds.

    >>> [format_duration(seconds) for seconds in (0, 0.04, 1.195, 41.4, 59.96, 361, 4_320, 180_000)]
    ['0s', '0.04s', '1.2s', '41s', '1m 00s', '6m 01s', '1h 12m', '2d 02h']
    """
    seconds = number(value)
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return _format_seconds(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    minutes = round(seconds / 60)
    if minutes < _DAY_MINUTES:
        return f"{minutes // 60}h {minutes % 60:02d}m"
    hours = round(seconds / 3600)
    return f"{hours // 24}d {hours % 24:02d}h"


def _format_seconds(seconds: float) -> str:
    if seconds <= 0:
        return "0s"
    if seconds < 1:
        return f"{seconds:.2f}s" if seconds >= 0.005 else "<0.01s"
    return f"{seconds:.1f}s" if round(seconds, 1) < 10 else f"{seconds:.0f}s"


def format_percent_change(value: Any) -> str:
    """Format a difference in percent with its sign.

    >>> (format_percent_change(3.14), format_percent_change(-0.25), format_percent_change(0),
    ...  format_percent_change(0.01))
    ('+3.1%', '-0.3%', '0%', '<0.1%')
    """
    share = to_decimal(value)
    if share is None:
        return UNKNOWN
    if share == 0:
        return "0%"
    short = share.quantize(Decimal("0.1"), ROUND_HALF_UP)
    return "<0.1%" if short == 0 else f"{short:+}%"


def pluralize(count: int, singular: str, plural: str | None = None) -> str:
    """Format a count with its noun in singular or plural.

    >>> pluralize(1, "run"), pluralize(1200, "run"), pluralize(0, "retry", "retries")
    ('1 run', '1,200 runs', '0 retries')
    """
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def format_timestamp(time: Any, zone: tzinfo | None = None, *, zone_known: Any = None) -> str:
    """Format an ISO 8601 text or datetime to the minute in a time zone; None is this machine's zone.

    A time without a zone or with an unknown one (`zone_known` is False) is read as UTC and marked with `?`.

    >>> format_timestamp("2026-01-11T04:56:47+00:00", timezone(timedelta(hours=-7)))
    '2026-01-10 21:56'
    >>> (format_timestamp("2026-01-11T04:56:47+00:00", UTC, zone_known=False),
    ...  format_timestamp("2026-01-11T04:56:47", UTC))
    ('2026-01-11 04:56?', '2026-01-11 04:56?')
    """
    moment = _parse_aware(time)
    if moment is None:
        return UNKNOWN if time is None else truncate(single_line(time), 20)
    parsed = _parse_moment(time)
    is_naive = parsed is not None and parsed.tzinfo is None
    mark = "?" if zone_known is False or is_naive else ""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}{mark}"


def day(time: Any, zone: tzinfo | None = None) -> str:
    """Format the day of an ISO 8601 text or datetime in a time zone; None is this machine's zone.

    >>> day("2026-01-11T04:56:47+00:00", timezone(timedelta(hours=-7)))
    '2026-01-10'
    """
    moment = _parse_aware(time)
    return UNKNOWN if moment is None else f"{moment.astimezone(zone):%Y-%m-%d}"


def offset_at(iso: Any) -> str | None:
    """Return the name of this machine's UTC offset at a time, or None if the argument is not a time."""
    moment = _parse_aware(iso)
    return None if moment is None else str(timezone(moment.astimezone().utcoffset() or timedelta()))


def is_moment(iso: Any) -> bool:
    """Return whether `format_timestamp` can parse a value as a time."""
    return _parse_aware(iso) is not None


def offset_name(offset_minutes: Any) -> str | None:
    """Return the name of a UTC offset given in minutes, or None if it is unknown.

    >>> offset_name(-420), offset_name(0), offset_name(None)
    ('UTC-07:00', 'UTC', None)
    """
    minutes = number(offset_minutes)
    if minutes is None or abs(minutes) >= _DAY_MINUTES:
        return None
    return str(timezone(timedelta(minutes=minutes)))


def _parse_aware(time: Any) -> datetime | None:
    moment = _parse_moment(time)
    # A UTC offset can move the first and the last day out of the calendar.
    if moment is None or not 1 < moment.year < 9999:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parse_moment(time: Any) -> datetime | None:
    try:
        return time if isinstance(time, datetime) else datetime.fromisoformat(time)
    except (TypeError, ValueError):
        return None
