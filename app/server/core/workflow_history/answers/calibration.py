"""How well forecasts hold: every stored run is forecast from those before it and held against what came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from .. import database
from ..columns import NO_WORD
from ..errors import InvalidQueryError
from ..forecasting.backtest import Backtest, Baselines, Told, backtests, ending_of, latest, reasons
from ..forecasting.measuring import Case, Ending, brier, brier_gain, closer, errors, held
from ..forecasting.past import Past
from ..numerics import mean_of
from ..proportions import significant
from .past_runs import read_past, read_texts

__all__ = ["Calibration", "calibration"]

Word = Literal["better", "no better", "worse"]

LATEST: Final = 2_000
"""Runs that are forecast, unless all are asked for."""

_LEAST_OF_A_TEMPLATE = 10  # forecasts without which a template is not shown by itself
_BINS = ((0.0, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 0.95), (0.95, 1.01))


@dataclass(frozen=True, slots=True)
class ErrorOf:
    """How far off one way of forecasting was."""

    name: str  # forecast; mean, median: of all earlier runs; template median: of the template's
    count: int  # runs
    absolute: float  # median of the absolute errors, US dollars or seconds
    log: float | None  # median of the absolute errors of the natural logarithm: 0.1 is some 10% off


@dataclass(frozen=True, slots=True)
class Held:
    """How often p10 to p90 held what came; 80% of the time is meant."""

    count: int  # runs that were forecast and of which is known what came
    held: int
    below: int  # came below p10; a tenth is meant
    above: int  # came above p90; a tenth is meant
    share: float  # 0 to 1
    low: float  # 95% interval of the share
    high: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether forecasts came closer than a simpler way of telling, run by run."""

    against: str  # the name of the other way, as in ErrorOf
    word: Word  # no better: the interval of the share holds one half
    count: int  # runs
    share: float  # 0 to 1: of the runs, the forecast was closer; of equal ones half
    low: float  # 95% interval of the share
    high: float


@dataclass(frozen=True, slots=True)
class FigureCalibration:
    """How forecasts of one figure held."""

    forecast: int  # runs that got an interval
    held: Held | None  # None: no run
    errors: tuple[ErrorOf, ...]  # of the same runs
    errors_with_template: tuple[ErrorOf, ...]  # of those whose template had earlier runs
    verdicts: tuple[Verdict, ...]  # one for each other way


@dataclass(frozen=True, slots=True)
class ChanceBin:
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
    bins: tuple[ChanceBin, ...]
    verdict: Word | None  # than telling each run the share of all before it
    gain: float | None  # `brier_base` less `brier`: above 0 is better
    gain_low: float | None  # 95% interval of the gain
    gain_high: float | None


@dataclass(frozen=True, slots=True)
class TemplateCalibration:
    """How forecasts of one template's runs held."""

    template: str | None  # None: the runs that name none
    cost: Held | None
    duration: Held | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """How forecasts of the stored runs held, each made from the runs that had ended before it began."""

    runs: int  # stored runs with a date that have ended
    tried: int  # the latest of those, for which a forecast was made
    unlike: int  # of those, no forecast: no template, and no run that asks for the like
    thin: int  # of those, no interval of the cost: too few runs before
    undated: int  # stored runs left out: nothing tells when they were
    cost: FigureCalibration  # US dollars
    duration: FigureCalibration  # seconds
    success: SuccessCalibration
    templates: tuple[TemplateCalibration, ...]  # those with some forecasts, the most frequent first


def calibration(most: int | None = LATEST, *, told: Told | None = None) -> Calibration:
    """Forecast the latest `most` stored runs (None: all), and tell how that held.

    `told` is called with how many are done, and of how many. Raises InvalidQueryError.
    """
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise InvalidQueryError(f"most={most!r} is not allowed; use a number of runs from 1, or None for all")
    with database.existing() as history:
        if history is None:
            return _NOTHING
        past = read_past(history)
        rows = latest(past, most)
        vectors = read_texts(history, past, np.arange(len(past))).vectors
    tests = list(backtests(past, vectors, rows, told))
    return _measured(past, tests)


def _measured(past: Past, tests: Sequence[Backtest]) -> Calibration:
    costs, durations = Baselines(past, past.cost), Baselines(past, past.duration)
    cost = {test.row: costs.case(test.row, test.cost) for test in tests}
    duration = {test.row: durations.case(test.row, test.duration) for test in tests}
    endings = [ending for test in tests if (ending := ending_of(past, test)) is not None]
    unlike, thin = reasons(tests, past)
    return Calibration(
        len(latest(past, None)),
        len(tests),
        unlike,
        thin,
        past.undated + past.misdated,
        _figure(sum(test.cost.bounds is not None for test in tests), _there(cost.values()), 1e9),
        _figure(sum(test.duration.bounds is not None for test in tests), _there(duration.values()), 1e6),
        _success(endings),
        _templates(past, cost, duration),
    )


def _there(cases: Iterable[Case | None]) -> list[Case]:
    return [case for case in cases if case is not None]


def _figure(forecast: int, cases: Sequence[Case], unit: float) -> FigureCalibration:
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


def _errors(cases: Sequence[Case], unit: float, ways: Sequence[tuple[str, str]]) -> tuple[ErrorOf, ...]:
    came = np.array([case.came for case in cases], np.float64)
    made = [
        (name, errors(came, np.array([getattr(case, way) for case in cases], np.float64)))
        for name, way in ways
    ]
    return tuple(
        ErrorOf(
            name,
            one.count,
            round(one.absolute / unit, 9),
            None if np.isnan(one.log) else significant(one.log),
        )
        for name, one in made
        if one is not None
    )


def _verdicts(cases: Sequence[Case], ways: Sequence[tuple[str, str]]) -> tuple[Verdict, ...]:
    (_, own), *others = ways
    found = []
    for name, way in others:
        came, told, other = (
            np.array([getattr(case, key) for case in cases], np.float64) for key in ("came", own, way)
        )
        one = closer(came, told, other)
        if one is not None:
            found.append(
                Verdict(
                    name,
                    _word(one.low, one.high, 0.5),
                    one.count,
                    significant(one.share),
                    significant(one.low),
                    significant(one.high),
                )
            )
    return tuple(found)


def _word(low: float, high: float, equal: float) -> Word:
    if low > equal:
        return "better"
    return "worse" if high < equal else "no better"


def _held(cases: Sequence[Case]) -> Held | None:
    found = held(cases)
    if found is None:
        return None
    return Held(
        found.count,
        found.held,
        found.below,
        found.above,
        significant(found.share),
        significant(found.low),
        significant(found.high),
    )


def _success(endings: Sequence[Ending]) -> SuccessCalibration:
    if not endings:
        return _NO_SUCCESS
    completed = [ending.completed for ending in endings]
    bins = []
    for least, most in _BINS:
        some = [ending for ending in endings if least <= ending.told < most]
        if some:
            mean = mean_of(np.array([ending.told for ending in some]))
            share = sum(ending.completed for ending in some) / len(some)
            bins.append(ChanceBin(least, min(most, 1.0), len(some), significant(mean), significant(share)))
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
    past: Past, cost: dict[int, Case | None], duration: dict[int, Case | None]
) -> tuple[TemplateCalibration, ...]:
    by_code: dict[int, list[int]] = {}
    for row in cost:
        by_code.setdefault(int(past.templates.codes[row]), []).append(row)
    found = []
    for code, rows in sorted(by_code.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        costs = _there(cost[row] for row in rows)
        if len(costs) >= _LEAST_OF_A_TEMPLATE:
            name = None if code == NO_WORD else past.templates.words[code]
            durations = _there(duration[row] for row in rows)
            found.append(TemplateCalibration(name, _held(costs), _held(durations)))
    return tuple(found)


_NO_FIGURE = FigureCalibration(0, None, (), (), ())
_NO_SUCCESS = SuccessCalibration(0, None, None, (), None, None, None, None)
_NOTHING = Calibration(0, 0, 0, 0, 0, _NO_FIGURE, _NO_FIGURE, _NO_SUCCESS, ())
