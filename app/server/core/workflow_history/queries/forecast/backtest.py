"""Backtest forecasts: forecast every stored run from earlier runs and compare with the actual values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from ... import database
from ...analysis.forecast.backtest import (
    Backtest,
    Baselines,
    ProgressCallback,
    backtests,
    count_missing,
    latest_rows,
    success_outcome,
)
from ...analysis.forecast.calibration_metrics import (
    ForecastCase,
    OutcomeCase,
    brier,
    brier_gain,
    coverage,
    error_summary,
    win_rate,
)
from ...analysis.forecast.past_runs import Past
from ...analysis.similarity.portable_numerics import mean_of
from ...common.column_data import MISSING_CODE
from ...common.errors import InvalidQueryError
from ...common.proportions import significant
from .past_runs import load_past_runs, load_text_vectors

__all__ = ["CalibrationReport", "calibration"]

Comparison = Literal["better", "no better", "worse"]

DEFAULT_RUNS: Final = 2_000
"""Default number of runs in a backtest."""

_LEAST_OF_A_TEMPLATE = 10  # minimum number of forecasts for showing a workflow separately
_BINS = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.01))


@dataclass(frozen=True, slots=True)
class MethodError:
    """Error of one forecasting method."""

    name: str  # method: forecast; mean or median of earlier runs; template median of the workflow's
    count: int  # number of runs
    absolute: float  # median absolute error, US dollars or seconds
    log: float | None  # median absolute error of the natural logarithm: 0.1 is about 10% off


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of the p10-p90 intervals; nominal is 80%."""

    count: int  # number of runs with a forecast and an actual value
    held: int  # number of actual values inside the interval
    below: int  # number of actual values below p10; nominal is 10%
    above: int  # number of actual values above p90; nominal is 10%
    share: float  # coverage, 0 to 1
    low: float  # lower end of the 95% interval of the coverage
    high: float  # upper end of the 95% interval of the coverage


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """Comparison of forecasts with a simpler method, run by run."""

    against: str  # name of the other method, as in MethodError
    word: Comparison  # verdict; no better: the interval of the share includes 0.5
    count: int  # number of runs
    share: float  # share of runs with a closer forecast, 0 to 1; equal ones count half
    low: float  # lower end of the 95% interval of the share
    high: float  # upper end of the 95% interval of the share


@dataclass(frozen=True, slots=True)
class FigureCalibration:
    """Calibration of the forecasts of cost or duration."""

    forecast: int  # number of runs with an interval
    held: Coverage | None  # coverage of the intervals; None: no run
    errors: tuple[MethodError, ...]  # errors of each method, for the same runs
    errors_with_template: tuple[MethodError, ...]  # errors for runs whose workflow had earlier runs
    verdicts: tuple[BaselineComparison, ...]  # comparisons with each of the other methods


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Runs with about the same predicted success probability."""

    least: float  # lowest predicted probability, 0 to 1
    most: float  # highest predicted probability, not included
    count: int  # number of runs
    told: float  # mean predicted probability
    completed: float  # actual success rate


@dataclass(frozen=True, slots=True)
class SuccessCalibration:
    """Calibration of the forecasts of success."""

    count: int  # number of runs
    brier: float | None  # Brier score, 0 (certain and correct) to 1
    brier_base: float | None  # Brier score of predicting the success rate of all earlier runs
    bins: tuple[ReliabilityBin, ...]  # runs by predicted probability
    verdict: Comparison | None  # comparison with predicting the success rate of all earlier runs
    gain: float | None  # `brier_base` minus `brier`: above 0 is better
    gain_low: float | None  # lower end of the 95% interval of the gain
    gain_high: float | None  # upper end of the 95% interval of the gain


@dataclass(frozen=True, slots=True)
class TemplateCalibration:
    """Calibration of the forecasts of one workflow's runs."""

    template: str | None  # name of the workflow; None: runs without a workflow name
    cost: Coverage | None  # coverage of the cost intervals
    duration: Coverage | None  # coverage of the duration intervals


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """Calibration of forecasts of stored runs, each from runs that had ended before it began."""

    runs: int  # number of stored runs with a date that have ended
    tried: int  # number of the latest of these runs that were backtested
    unlike: int  # number of backtested runs without workflow and with too few similar runs
    thin: int  # number of backtested runs without a cost interval: too few earlier runs
    undated: int  # number of stored runs left out since their date is unknown
    cost: FigureCalibration  # calibration of the cost, US dollars
    duration: FigureCalibration  # calibration of the duration, in seconds
    success: SuccessCalibration  # calibration of the success probability
    templates: tuple[TemplateCalibration, ...]  # calibration by workflow, most frequent first


def calibration(
    most: int | None = DEFAULT_RUNS, *, told: ProgressCallback | None = None
) -> CalibrationReport:
    """Backtest the latest `most` stored runs (None: all) and report the calibration.

    `told` is a progress callback with the number of finished runs and of all runs. Raises InvalidQueryError.
    """
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise InvalidQueryError(f"most={most!r} is not allowed; use a number of runs from 1, or None for all")
    with database.open_if_exists() as history:
        if history is None:
            return _NOTHING
        past = load_past_runs(history)
        rows = latest_rows(past, most)
        vectors = load_text_vectors(history, past, np.arange(len(past))).vectors
    tests = list(backtests(past, vectors, rows, told))
    return _measured(past, tests)


def _measured(past: Past, tests: Sequence[Backtest]) -> CalibrationReport:
    costs, durations = Baselines(past, past.cost), Baselines(past, past.duration)
    cost = {test.row: costs.case_for(test.row, test.cost) for test in tests}
    duration = {test.row: durations.case_for(test.row, test.duration) for test in tests}
    endings = [ending for test in tests if (ending := success_outcome(past, test)) is not None]
    unlike, thin = count_missing(tests, past)
    return CalibrationReport(
        len(latest_rows(past, None)),
        len(tests),
        unlike,
        thin,
        past.undated + past.misdated,
        _figure(sum(test.cost.bounds is not None for test in tests), _there(cost.values()), 1e9),
        _figure(sum(test.duration.bounds is not None for test in tests), _there(duration.values()), 1e6),
        _success(endings),
        _templates(past, cost, duration),
    )


def _there(cases: Iterable[ForecastCase | None]) -> list[ForecastCase]:
    return [case for case in cases if case is not None]


def _figure(forecast: int, cases: Sequence[ForecastCase], unit: float) -> FigureCalibration:
    with_template = [case for case in cases if not np.isnan(case.template_median)]
    return FigureCalibration(
        forecast,
        _held(cases),
        _errors(cases, unit, _PLAIN),
        _errors(with_template, unit, _OF_TEMPLATES),
        (*_verdicts(cases, _PLAIN), *_verdicts(with_template, _OF_TEMPLATES)),
    )


_PLAIN = (("forecast", "median"), ("mean", "mean"), ("median", "plain_median"))
_OF_TEMPLATES = (("forecast", "median"), ("template median", "template_median"))


def _errors(
    cases: Sequence[ForecastCase], unit: float, ways: Sequence[tuple[str, str]]
) -> tuple[MethodError, ...]:
    came = np.array([case.actual for case in cases], np.float64)
    made = [
        (name, error_summary(came, np.array([getattr(case, way) for case in cases], np.float64)))
        for name, way in ways
    ]
    return tuple(
        MethodError(
            name,
            one.count,
            round(one.absolute / unit, 9),
            None if np.isnan(one.log) else significant(one.log),
        )
        for name, one in made
        if one is not None
    )


def _verdicts(
    cases: Sequence[ForecastCase], ways: Sequence[tuple[str, str]]
) -> tuple[BaselineComparison, ...]:
    (_, own), *others = ways
    found = []
    for name, way in others:
        came, told, other = (
            np.array([getattr(case, key) for case in cases], np.float64) for key in ("actual", own, way)
        )
        one = win_rate(came, told, other)
        if one is not None:
            found.append(
                BaselineComparison(
                    name,
                    _word(one.low, one.high, 0.5),
                    one.count,
                    significant(one.share),
                    significant(one.low),
                    significant(one.high),
                )
            )
    return tuple(found)


def _word(low: float, high: float, equal: float) -> Comparison:
    if low > equal:
        return "better"
    return "worse" if high < equal else "no better"


def _held(cases: Sequence[ForecastCase]) -> Coverage | None:
    found = coverage(cases)
    if found is None:
        return None
    return Coverage(
        found.count,
        found.inside,
        found.below,
        found.above,
        significant(found.share),
        significant(found.low),
        significant(found.high),
    )


def _success(endings: Sequence[OutcomeCase]) -> SuccessCalibration:
    if not endings:
        return _NO_SUCCESS
    completed = [ending.completed for ending in endings]
    bins = []
    for least, most in _BINS:
        some = [ending for ending in endings if least <= ending.probability < most]
        if some:
            mean = mean_of(np.array([ending.probability for ending in some]))
            share = sum(ending.completed for ending in some) / len(some)
            bins.append(
                ReliabilityBin(least, min(most, 1.0), len(some), significant(mean), significant(share))
            )
    told, base = ([getattr(ending, way) for ending in endings] for way in ("probability", "base_rate"))
    gain = brier_gain(told, base, completed)
    return SuccessCalibration(
        len(endings),
        significant(brier(told, completed)),
        significant(brier(base, completed)),
        tuple(bins),
        _word(gain.low, gain.high, 0.0),
        significant(gain.mean),
        significant(gain.low),
        significant(gain.high),
    )


def _templates(
    past: Past, cost: dict[int, ForecastCase | None], duration: dict[int, ForecastCase | None]
) -> tuple[TemplateCalibration, ...]:
    by_code: dict[int, list[int]] = {}
    for row in cost:
        by_code.setdefault(int(past.templates.codes[row]), []).append(row)
    found = []
    for code, rows in sorted(by_code.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        costs = _there(cost[row] for row in rows)
        if len(costs) >= _LEAST_OF_A_TEMPLATE:
            name = None if code == MISSING_CODE else past.templates.categories[code]
            durations = _there(duration[row] for row in rows)
            found.append(TemplateCalibration(name, _held(costs), _held(durations)))
    return tuple(found)


_NO_FIGURE = FigureCalibration(0, None, (), (), ())
_NO_SUCCESS = SuccessCalibration(0, None, None, (), None, None, None, None)
_NOTHING = CalibrationReport(0, 0, 0, 0, 0, _NO_FIGURE, _NO_FIGURE, _NO_SUCCESS, ())
