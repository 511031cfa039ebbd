"""Backtest forecasts: forecast every stored run from earlier runs and compare with the actual values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

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
from ...analysis.forecast.past_runs import PastRuns
from ...analysis.similarity.portable_numerics import mean_of
from ...common.column_data import MISSING_CODE
from ...common.errors import InvalidValueError
from ...common.field_docs import Doc
from ...common.proportions import significant
from .past_runs import load_past_runs, load_text_vectors

__all__ = ["CalibrationReport", "calibration"]

Comparison = Literal["better", "no better", "worse"]

DEFAULT_RUNS: Final = 2_000
"""Default number of runs in a backtest."""

_MIN_TEMPLATE_FORECASTS = 10  # minimum number of forecasts for showing a workflow separately
_BINS = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.01))


@dataclass(frozen=True, slots=True)
class MethodError:
    """Error of one forecasting method."""

    name: Annotated[str, Doc("method: forecast, mean or median of earlier runs, or median of its workflow")]
    count: Annotated[int, Doc("number of runs")]
    absolute: Annotated[float, Doc("median absolute error, USD or seconds")]
    log: Annotated[
        float | None,
        Doc("median absolute error of the natural logarithm: 0.1 is about 10% off; null: no run above 0"),
    ]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Coverage of the p10-p90 intervals; nominal is 80%."""

    count: Annotated[int, Doc("number of runs with a forecast and an actual value")]
    inside: Annotated[int, Doc("number of actual values inside the interval")]
    below: Annotated[int, Doc("number of actual values below p10; nominal is 10%")]
    above: Annotated[int, Doc("number of actual values above p90; nominal is 10%")]
    share: Annotated[float, Doc("coverage, 0 to 1")]
    low: Annotated[float, Doc("lower end of the 95% interval of the coverage")]
    high: Annotated[float, Doc("upper end of the 95% interval of the coverage")]


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """Comparison of forecasts with a simpler method, run by run."""

    against: Annotated[str, Doc("name of the other method, as in MethodError")]
    word: Annotated[Comparison, Doc("verdict; no better: the interval of the share includes 0.5")]
    count: Annotated[int, Doc("number of runs")]
    share: Annotated[float, Doc("share of runs with a closer forecast, 0 to 1; equal ones count half")]
    low: Annotated[float, Doc("lower end of the 95% interval of the share")]
    high: Annotated[float, Doc("upper end of the 95% interval of the share")]


@dataclass(frozen=True, slots=True)
class FigureCalibration:
    """Calibration of the forecasts of cost or duration."""

    forecast: Annotated[int, Doc("number of runs with an interval")]
    coverage: Annotated[Coverage | None, Doc("coverage of the intervals; null: no run")]
    errors: Annotated[tuple[MethodError, ...], Doc("errors of each method, for the same runs")]
    errors_with_template: Annotated[
        tuple[MethodError, ...], Doc("errors for runs of a workflow with earlier runs")
    ]
    verdicts: Annotated[tuple[BaselineComparison, ...], Doc("comparisons with each of the other methods")]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Runs with about the same predicted success probability."""

    least: Annotated[float, Doc("lowest predicted probability, 0 to 1")]
    most: Annotated[float, Doc("highest predicted probability, not included")]
    count: Annotated[int, Doc("number of runs")]
    predicted: Annotated[float, Doc("mean predicted probability")]
    completed: Annotated[float, Doc("actual success rate")]


@dataclass(frozen=True, slots=True)
class SuccessCalibration:
    """Calibration of the forecasts of success."""

    count: Annotated[int, Doc("number of runs")]
    brier: Annotated[float | None, Doc("Brier score, 0 (certain and correct) to 1; null: no run")]
    brier_base: Annotated[
        float | None, Doc("Brier score of predicting the success rate of all earlier runs; null: no run")
    ]
    bins: Annotated[tuple[ReliabilityBin, ...], Doc("runs by predicted probability")]
    verdict: Annotated[
        Comparison | None,
        Doc("comparison with predicting the success rate of all earlier runs; null: no run"),
    ]
    gain: Annotated[float | None, Doc("`brier_base` minus `brier`: above 0 is better; null: no run")]
    gain_low: Annotated[float | None, Doc("lower end of the 95% interval of the gain; null: no run")]
    gain_high: Annotated[float | None, Doc("upper end of the 95% interval of the gain; null: no run")]


@dataclass(frozen=True, slots=True)
class TemplateCalibration:
    """Calibration of the forecasts of one workflow's runs."""

    template: Annotated[str | None, Doc("name of the workflow; null: runs without a workflow name")]
    cost: Annotated[Coverage | None, Doc("coverage of the cost intervals; null: no run")]
    duration: Annotated[Coverage | None, Doc("coverage of the duration intervals; null: no run")]


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """Calibration of forecasts of stored runs, each from runs that had ended before it began."""

    runs: Annotated[int, Doc("number of stored runs with a date that have ended")]
    backtested: Annotated[int, Doc("number of the latest of these runs that were backtested")]
    unlike: Annotated[int, Doc("number of backtested runs without workflow and with too few similar runs")]
    low_n: Annotated[
        int,
        Doc("number of backtested runs without a whole cost interval: too few earlier runs or exact costs"),
    ]
    undated: Annotated[int, Doc("number of stored runs left out since their date is unknown")]
    cost: Annotated[FigureCalibration, Doc("calibration of the cost, USD")]
    duration: Annotated[FigureCalibration, Doc("calibration of the duration, in seconds")]
    success: Annotated[SuccessCalibration, Doc("calibration of the success probability")]
    templates: Annotated[tuple[TemplateCalibration, ...], Doc("calibration by workflow, most frequent first")]


def calibration(
    most: int | None = DEFAULT_RUNS, *, progress: ProgressCallback | None = None
) -> CalibrationReport:
    """Backtest the latest `most` stored runs (None: all) and report the calibration.

    `progress` is called with the number of finished runs and of all runs. Raises InvalidQueryError.
    """
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise InvalidValueError("most", most, "Use a number of runs from 1, or None for all.")
    with database.open_if_exists() as history:
        if history is None:
            return _EMPTY_REPORT
        past = load_past_runs(history)
        rows = latest_rows(past, most)
        vectors = load_text_vectors(history, past, np.arange(len(past))).vectors
    tests = list(backtests(past, vectors, rows, progress))
    return _to_report(past, tests)


def _to_report(past: PastRuns, tests: Sequence[Backtest]) -> CalibrationReport:
    costs, durations = Baselines(past, past.cost), Baselines(past, past.duration)
    cost = {test.row: costs.case_for(test.row, test.cost) for test in tests}
    duration = {test.row: durations.case_for(test.row, test.duration) for test in tests}
    outcomes = [outcome for test in tests if (outcome := success_outcome(past, test)) is not None]
    unlike, thin = count_missing(tests, past)
    return CalibrationReport(
        len(latest_rows(past, None)),
        len(tests),
        unlike,
        thin,
        past.undated + past.invalid_timestamps,
        _to_figure_calibration(sum(test.cost.is_bounded for test in tests), _known_cases(cost.values()), 1e9),
        _to_figure_calibration(
            sum(test.duration.is_bounded for test in tests), _known_cases(duration.values()), 1e6
        ),
        _to_success_calibration(outcomes),
        _to_template_calibrations(past, cost, duration),
    )


def _known_cases(cases: Iterable[ForecastCase | None]) -> list[ForecastCase]:
    return [case for case in cases if case is not None]


def _to_figure_calibration(
    forecast_count: int, cases: Sequence[ForecastCase], unit: float
) -> FigureCalibration:
    with_template = [case for case in cases if not np.isnan(case.template_median)]
    return FigureCalibration(
        forecast_count,
        _to_coverage(cases),
        _method_errors(cases, unit, _BASELINES),
        _method_errors(with_template, unit, _TEMPLATE_BASELINES),
        (
            *_compare_with_baselines(cases, _BASELINES),
            *_compare_with_baselines(with_template, _TEMPLATE_BASELINES),
        ),
    )


_BASELINES = (("forecast", "median"), ("mean", "mean"), ("median", "plain_median"))
_TEMPLATE_BASELINES = (("forecast", "median"), ("template median", "template_median"))


def _method_errors(
    cases: Sequence[ForecastCase], unit: float, methods: Sequence[tuple[str, str]]
) -> tuple[MethodError, ...]:
    actual = np.array([case.actual for case in cases], np.float64)
    summaries = [
        (name, error_summary(actual, np.array([getattr(case, attribute) for case in cases], np.float64)))
        for name, attribute in methods
    ]
    return tuple(
        MethodError(
            name,
            summary.count,
            round(summary.absolute / unit, 9),
            None if np.isnan(summary.log) else significant(summary.log),
        )
        for name, summary in summaries
        if summary is not None
    )


def _compare_with_baselines(
    cases: Sequence[ForecastCase], methods: Sequence[tuple[str, str]]
) -> tuple[BaselineComparison, ...]:
    (_, forecast_attribute), *baselines = methods
    comparisons = []
    for name, attribute in baselines:
        actual, forecasts, baseline = (
            np.array([getattr(case, key) for case in cases], np.float64)
            for key in ("actual", forecast_attribute, attribute)
        )
        rate = win_rate(actual, forecasts, baseline)
        if rate is not None:
            comparisons.append(
                BaselineComparison(
                    name,
                    _verdict(rate.low, rate.high, 0.5),
                    rate.count,
                    significant(rate.share),
                    significant(rate.low),
                    significant(rate.high),
                )
            )
    return tuple(comparisons)


def _verdict(low: float, high: float, equal: float) -> Comparison:
    if low > equal:
        return "better"
    return "worse" if high < equal else "no better"


def _to_coverage(cases: Sequence[ForecastCase]) -> Coverage | None:
    measured = coverage(cases)
    if measured is None:
        return None
    return Coverage(
        measured.count,
        measured.inside,
        measured.below,
        measured.above,
        significant(measured.share),
        significant(measured.low),
        significant(measured.high),
    )


def _to_success_calibration(outcomes: Sequence[OutcomeCase]) -> SuccessCalibration:
    if not outcomes:
        return _EMPTY_SUCCESS
    completed = [outcome.completed for outcome in outcomes]
    bins = []
    for lowest, highest in _BINS:
        group = [outcome for outcome in outcomes if lowest <= outcome.probability < highest]
        if group:
            mean = mean_of(np.array([outcome.probability for outcome in group]))
            share = sum(outcome.completed for outcome in group) / len(group)
            bins.append(
                ReliabilityBin(lowest, min(highest, 1.0), len(group), significant(mean), significant(share))
            )
    predicted = [outcome.probability for outcome in outcomes]
    base_rates = [outcome.base_rate for outcome in outcomes]
    gain = brier_gain(predicted, base_rates, completed)
    return SuccessCalibration(
        len(outcomes),
        significant(brier(predicted, completed)),
        significant(brier(base_rates, completed)),
        tuple(bins),
        _verdict(gain.low, gain.high, 0.0),
        significant(gain.mean),
        significant(gain.low),
        significant(gain.high),
    )


def _to_template_calibrations(
    past: PastRuns, cost: dict[int, ForecastCase | None], duration: dict[int, ForecastCase | None]
) -> tuple[TemplateCalibration, ...]:
    by_code: dict[int, list[int]] = {}
    for row in cost:
        by_code.setdefault(int(past.templates.codes[row]), []).append(row)
    templates = []
    for code, rows in sorted(by_code.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        costs = _known_cases(cost[row] for row in rows)
        if len(costs) >= _MIN_TEMPLATE_FORECASTS:
            name = None if code == MISSING_CODE else past.templates.categories[code]
            durations = _known_cases(duration[row] for row in rows)
            templates.append(TemplateCalibration(name, _to_coverage(costs), _to_coverage(durations)))
    return tuple(templates)


_EMPTY_FIGURE = FigureCalibration(0, None, (), (), ())
_EMPTY_SUCCESS = SuccessCalibration(0, None, None, (), None, None, None, None)
_EMPTY_REPORT = CalibrationReport(0, 0, 0, 0, 0, _EMPTY_FIGURE, _EMPTY_FIGURE, _EMPTY_SUCCESS, ())
