"""What got worse or better as a page shows it: findings in, plots, figures and links out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from markupsafe import Markup

from ...amounts import money
from ...answers.watch import Figure, Finding, StandOut
from ...watching.words import MEASURE_NAMES
from ...wording.numbers import counted, day
from ...wording.text import cut, one_line
from ..charts.findings import Level, before_after
from ..charts.units import COUNT, MONEY, SECONDS, SHARE, Unit
from ..rendering import address, run_address

_UNITS: Final[Mapping[str, Unit]] = {
    "cost": MONEY, "duration": SECONDS, "turns": COUNT, "failures": SHARE, "cache": SHARE,
    "tool_errors": SHARE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of a finding."""

    name: str
    before: str
    after: str
    runs: str


@dataclass(frozen=True, slots=True)
class FindingCard:
    """One lasting change."""

    head: str  # what matters most of the sentence
    rest: str
    worse: bool
    chart: Markup
    money: str | None  # what came of it
    figures: tuple[FigureRow, ...]
    runs: tuple[tuple[str, str], ...]  # name and address, the most telling first
    since: str  # address of the runs since then
    trend: str  # address of the trend of its workflow and phase


@dataclass(frozen=True, slots=True)
class StandOutRow:
    """One run far above others."""

    name: str
    href: str
    sentence: str
    value: str
    usual: str
    more: str | None


def cards(findings: Sequence[Finding], given: Mapping[str, Any], zone: tzinfo | None) -> list[FindingCard]:
    """Return a card for each finding; days are of a zone, None: this machine's."""
    return [_card(finding, given, zone) for finding in findings]


def stand_outs(found: Sequence[StandOut]) -> list[StandOutRow]:
    """Return a row for each run that stands out."""
    return [
        StandOutRow(
            cut(one_line(one.id), 32),
            run_address({"id": one.id, "project": one.project}),
            one_line(one.sentence),
            _UNITS[one.measure].say(one.value),
            _UNITS[one.measure].say(one.usual),
            None if one.extra_cost is None else money(one.extra_cost),
        )
        for one in found
    ]


def _card(finding: Finding, given: Mapping[str, Any], zone: tzinfo | None) -> FindingCard:
    head, _, rest = one_line(finding.sentence).partition(": ")
    narrowed = {
        "template": [finding.template] if finding.template else None,
        "phase": [finding.main.phase] if finding.main.phase else None,
    }
    known = {name: value for name, value in narrowed.items() if value}
    return FindingCard(
        head,
        rest,
        finding.worse,
        _chart(finding, head, day(finding.since, zone)),
        _money(finding.extra_cost),
        tuple(_row(one) for one in (finding.main, *finding.along, *finding.others)),
        tuple(
            (cut(one_line(run.id), 24), run_address({"id": run.id, "project": run.project}))
            for run in finding.runs
        ),
        address("/", {**given, **known, "since": finding.since.isoformat()}),
        address("/trends", {**given, **known}),
    )


def _chart(finding: Finding, title: str, since: str) -> Markup:
    main = finding.main
    unit = _UNITS[main.measure]
    levels = (
        Level(main.before, f"{unit.say(main.before)} in {counted(main.before_runs, 'run')} before"),
        Level(main.after, f"{unit.say(main.after)} in {counted(main.after_runs, 'run')} since {since}"),
    )
    return before_after(title, finding.curve, finding.curve_change, levels, unit, worse=finding.worse)


def _row(figure: Figure) -> FigureRow:
    unit = _UNITS[figure.measure]
    where = one_line(figure.phase) if figure.phase else "the whole run"
    return FigureRow(
        f"{MEASURE_NAMES[figure.measure]}, {where}",
        unit.say(figure.before),
        unit.say(figure.after),
        f"{figure.before_runs:,} → {figure.after_runs:,}",
    )


def _money(extra: float | None) -> str | None:
    return None if extra is None else f"{money(abs(extra))} {'more' if extra > 0 else 'less'} since then"
