"""How well forecasts hold: every stored run is forecast from those before it and held against what came."""

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
"""Runs that are forecast, unless all are asked for."""

_LEAST_OF_A_TEMPLATE = 10  # forecasts without which a template is not shown by itself
_BINS = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.01))


@dataclass(frozen=True, slots=True)
class MethodError:
    """How far off one way of forecasting was."""

    name: str  # forecast; mean, median: of all earlier runs; template median: of the template's
    count: int  # runs
    absolute: float  # median of the absolute errors, US dollars or seconds
    log: float | None  # median of the absolute errors of the natural logarithm: 0.1 is some 10% off


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often p10 to p90 held what came; 80% of the time is meant."""

    count: int  # runs that were forecast and of which is known what came
    held: int
    below: int  # came below p10; a tenth is meant
    above: int  # came above p90; a tenth is meant
    share: float  # 0 to 1
    low: float  # 95% interval of the share
    high: float


@dataclass(frozen=True, slots=True)
class BaselineComparison:
    """Whether forecasts came closer than a simpler way of telling, run by run."""

    against: str  # the name of the other way, as in ErrorOf
    word: Comparison  # no better: the interval of the share holds one half
    count: int  # runs
    share: float  # 0 to 1: of the runs, the forecast was closer; of equal ones half
    low: float  # 95% interval of the share
    high: float


@dataclass(frozen=True, slots=True)
class FigureCalibration:
    """How forecasts of one figure held."""

    forecast: int  # runs that got an interval
    held: Coverage | None  # None: no run
    errors: tuple[MethodError, ...]  # of the same runs
    errors_with_template: tuple[MethodError, ...]  # of those whose template had earlier runs
    verdicts: tuple[BaselineComparison, ...]  # one for each other way


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Runs that were given about the same chance, and how many succeeded."""

    least: float  # 0 to 1
    most: float  # not included
    count: int
    told: float  # mean of the chances
    completed: float  # share that succeeded


@dataclass(frozen=True, slots=True)
class SuccessCalibration:
    """How forecasts of success held."""

    count: int  # runs
    brier: float | None  # 0 (sure and right) to 1
    brier_base: float | None  # of telling each run the share of all runs before it
    bins: tuple[ReliabilityBin, ...]
    verdict: Comparison | None  # than telling each run the share of all before it
    gain: float | None  # `brier_base` less `brier`: above 0 is better
    gain_low: float | None  # 95% interval of the gain
    gain_high: float | None


@dataclass(frozen=True, slots=True)
class TemplateCalibration:
    """How forecasts of one template's runs held."""

    template: str | None  # None: the runs that name none
    cost: Coverage | None
    duration: Coverage | None


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """How forecasts of the stored runs held, each made from the runs that had ended before it began."""

    runs: int  # stored runs with a date that have ended
    tried: int  # the latest of those, for which a forecast was made
    unlike: int  # of those, no forecast: no template, and too few runs before that ask for the like
    thin: int  # of those, no interval of the cost: too few runs before
    undated: int  # stored runs left out: nothing tells when they were
    cost: FigureCalibration  # US dollars
    duration: FigureCalibration  # seconds
    success: SuccessCalibration
    templates: tuple[TemplateCalibration, ...]  # those with some forecasts, the most frequent first


def calibration(
    most: int | None = DEFAULT_RUNS, *, told: ProgressCallback | None = None
) -> CalibrationReport:
    """Forecast the latest `most` stored runs (None: all), and tell how that held.

    `told` is called with how many are done, and of how many. Raises InvalidQueryError.
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
    came = np.array([case.came for case in cases], np.float64)
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
            np.array([getattr(case, key) for case in cases], np.float64) for key in ("came", own, way)
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
        found.held,
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
        some = [ending for ending in endings if least <= ending.told < most]
        if some:
            mean = mean_of(np.array([ending.told for ending in some]))
            share = sum(ending.completed for ending in some) / len(some)
            bins.append(
                ReliabilityBin(least, min(most, 1.0), len(some), significant(mean), significant(share))
            )
    told, base = ([getattr(ending, way) for ending in endings] for way in ("told", "base"))
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
