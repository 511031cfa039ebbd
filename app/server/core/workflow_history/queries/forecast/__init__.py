"""Forecast the cost, duration and success probability of runs: a request or a run in, forecasts out.

Every value is based on past runs, which are listed. If they are too few, a reason replaces the value.
"""

from __future__ import annotations

from .backtest import CalibrationReport, calibration
from .new_task import forecast
from .records import Forecast, RunForecast
from .stored_run import forecast_run

__all__ = ["CalibrationReport", "Forecast", "RunForecast", "calibration", "forecast", "forecast_run"]
