"""What runs will cost and take, and whether they work: a request or a run in, forecasts out.

Every figure rests on past runs, which are named; where they are too few there is none, and it says why.
"""

from __future__ import annotations

from .calibration import Calibration, calibration
from .forecast_new import forecast
from .forecast_run import forecast_run
from .forecast_shapes import Forecast, RunForecast

__all__ = ["Calibration", "Forecast", "RunForecast", "calibration", "forecast", "forecast_run"]
