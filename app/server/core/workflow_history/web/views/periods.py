"""Names and links of days, weeks and months on pages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from ...common.filters import RunFilter
from ...common.time_zones import LOCAL_ZONE
from ..rendering import url_for


@dataclass(frozen=True, slots=True)
class Periods:
    """Names and links of the periods on one page. A period is given by its first day."""

    by: str  # day, week or month
    zone: tzinfo | None  # time zone of days; None: the local zone
    now: datetime
    filter_params: Mapping[str, Any]  # filter parameters of the page
    where: RunFilter

    def short(self, first: date) -> str:
        """Return a short name for an axis.

        >>> Periods("month", None, datetime.max, {}, RunFilter()).short(date(2026, 3, 1))
        'Mar 2026'
        """
        return f"{first:%b %Y}" if self.by == "month" else f"{first:%b} {first.day}"

    def long(self, first: date) -> str:
        """Return the full name."""
        return {"month": f"{first:%B %Y}", "week": f"week of {first}"}.get(self.by, f"{first:%a} {first}")

    def end(self, first: date) -> date:
        """Return the first day after a period."""
        if self.by == "month":
            return (first + timedelta(days=31)).replace(day=1)
        return first + timedelta(days=7 if self.by == "week" else 1)

    def is_unfinished(self, first: date) -> bool:
        """Return whether a period is partial, because it has not ended yet."""
        return self._start_time(self.end(first)) > self.now

    def url(self, first: date, **changes: Any) -> str:
        """Return the URL of the runs in a period, without the days that the page's filter excludes."""
        end = self.end(first)
        where = self.where.at(self.now)
        filter_starts_later = where.created_from is not None and where.created_from > self._start_time(first)
        filter_ends_earlier = where.created_before is not None and where.created_before < self._start_time(
            end
        )
        if self.zone is None:
            since, until = first.isoformat(), (end - timedelta(days=1)).isoformat()
        else:
            since, until = self._start_time(first).isoformat(), self._start_time(end).isoformat()
        dates = {
            "since": self.filter_params["since"] if filter_starts_later else since,
            "until": self.filter_params["until"] if filter_ends_earlier else until,
        }
        return url_for("/", {**self.filter_params, **changes, **dates})

    def _start_time(self, day: date) -> datetime:
        naive = datetime.combine(day, time())
        return naive.replace(tzinfo=self.zone) if self.zone else naive.astimezone()


def zone_words(name: str) -> str:
    """Return the display name of a time zone."""
    return "server time" if name == LOCAL_ZONE else name
