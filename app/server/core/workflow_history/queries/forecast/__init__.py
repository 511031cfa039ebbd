"""What runs will cost and take, and whether they work: a request or a run in, forecasts out.

Every figure rests on past runs, which are named; where they are too few there is none, and it says why.
"""

from __future__ import annotations

from .backtest import CalibrationReport, calibration
from .new_task import forecast
from .records import Forecast, RunForecast
from .stored_run import forecast_run

__all__ = ["CalibrationReport", "Forecast", "RunForecast", "calibration", "forecast", "forecast_run"]
