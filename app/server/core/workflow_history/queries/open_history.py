"""Open a history as an object with the queries as methods: a path or database URL in, a context manager out.

The functions of the public API use the configured database. Each method here is one of these functions with
the database of its object. Two histories can be open at once, also in one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL

from .. import database
from ..analytics import get_history_analytics
from ..maintenance.backup import backup_history
from ..maintenance.merge.merge_history import merge_history
from ..resync import resync_all_completed_workflows, resync_workflow_cost
from ..storage.connection.url import database_url
from ..sync import sync_workflow_history
from . import forecast as forecasts
from . import statistics as figures
from .anomalies import find_anomalies
from .budgets import check_budgets
from .compare import compare_runs
from .explain import explain_run
from .export import export as export_table
from .list_runs import find_runs
from .patterns import decide_pattern, find_patterns, show_pattern
from .similar import similar_runs

_P = ParamSpec("_P")
_Result = TypeVar("_Result")


def _method(function: Callable[_P, _Result]) -> Callable[Concatenate[OpenHistory, _P], _Result]:
    """Convert a function of the public API to a method of a history."""

    @wraps(function)
    def method(self: OpenHistory, /, *args: _P.args, **kwargs: _P.kwargs) -> _Result:
        with database.use_database(self.url):
            return function(*args, **kwargs)

    return method


class OpenHistory:
    """A history with the queries as methods; a history that does not exist yet is read as an empty one."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def __repr__(self) -> str:
        return f"OpenHistory({self.url.render_as_string()!r})"

    # Writing
    sync = _method(sync_workflow_history)
    resync = _method(resync_workflow_cost)
    resync_all = _method(resync_all_completed_workflows)
    insert = _method(database.insert_workflow)
    update = _method(database.update_workflow)
    decide = _method(decide_pattern)
    merge = _method(merge_history)
    backup = _method(backup_history)

    # Runs
    run = _method(database.get_workflow_by_id)
    runs = _method(find_runs)
    compare = _method(compare_runs)
    explain = _method(explain_run)
    similar = _method(similar_runs)
    export = _method(export_table)

    # Statistics
    analytics = _method(get_history_analytics)
    overview = _method(figures.overview)
    statistics = _method(figures.run_statistics)
    timeline = _method(figures.timeline)
    trend = _method(figures.trend)
    waste = _method(figures.waste)

    # Forecasts, anomalies, budgets and patterns
    forecast = _method(forecasts.forecast)
    forecast_run = _method(forecasts.forecast_run)
    calibration = _method(forecasts.calibration)
    anomalies = _method(find_anomalies)
    budgets = _method(check_budgets)
    patterns = _method(find_patterns)
    pattern = _method(show_pattern)


@contextmanager
def open_history(location: Path | str | URL) -> Iterator[OpenHistory]:
    """Open the history at a path or a database URL, regardless of the environment variables.

    No file is created until something is stored. Connections stay open until the end of the context.

    >>> with open_history("no/such/history.db") as history:
    ...     history.runs().total
    0
    """
    with database.pooled_connections():
        yield OpenHistory(database_url(location))
