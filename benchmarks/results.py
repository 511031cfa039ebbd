"""Benchmark results as rows of figure, baseline, floor and target, with their Markdown and JSON forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Unit = Literal["s", "bytes", "x"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number with its unit and a description."""

    value: float
    of: str
    unit: Unit = "s"

    def __str__(self) -> str:
        return f"{shown(self.value, self.unit)} {self.of}".strip()


@dataclass(frozen=True, slots=True)
class Target:
    """A limit and the value that is compared with it."""

    text: str
    limit: float
    value: float
    at_least: bool = False  # the limit is a minimum, not a maximum

    @property
    def met(self) -> bool:
        """Whether the value is within the limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the results table."""

    case: str
    name: str
    figure: Measure
    baseline: Measure | None = None
    floor: Measure | None = None
    target: Target | None = None  # None: the figure is shown without a verdict
    as_set: bool = True  # whether it was measured at the size that the target is set for
    wrong: str = ""  # description of an incorrect result, which counts as missed for any figure
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Verdict: met or missed, marked if not measured at the target's size; "–" without a target."""
        if self.wrong:
            return f"missed: {self.wrong}"
        if self.target is None:
            return "–"
        word = "met" if self.target.met else "missed"
        return word if self.as_set else f"{word} at this size"

    @property
    def to_baseline(self) -> float | None:
        """Baseline divided by figure; None if there is no baseline or it is a ratio itself."""
        return _quotient(self.baseline, self.figure)

    @property
    def to_floor(self) -> float | None:
        """Figure divided by floor; None if there is no floor or the figure is a ratio itself."""
        return _quotient(self.figure, self.floor)


def _quotient(over: Measure | None, under: Measure | None) -> float | None:
    if over is None or under is None or over.unit == "x" or under.value <= 0:
        return None
    return over.value / under.value


@dataclass(slots=True)
class Results:
    """All results of one benchmark run."""

    size: str
    repeat: int
    machine: dict[str, str]
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    curves: dict[str, dict[int, float]] = field(default_factory=dict)  # name -> runs -> seconds

    def as_json(self) -> dict[str, Any]:
        """Return the results as plain data, with the computed verdicts and ratios for readers of the file."""
        data = asdict(self)
        for given, row in zip(data["rows"], self.rows, strict=True):
            given |= {"verdict": row.verdict, "to_baseline": row.to_baseline, "to_floor": row.to_floor}
        return data


def from_json(data: Mapping[str, Any]) -> Results:
    """Build results from the data that `as_json` returned."""
    rows = [_row(given) for given in data["rows"]]
    curves = {name: {int(n): s for n, s in points.items()} for name, points in data["curves"].items()}
    return Results(
        data["size"],
        data["repeat"],
        dict(data["machine"]),
        data["seconds"],
        rows,
        list(data["left_out"]),
        curves,
    )


def _row(given: Mapping[str, Any]) -> Row:
    measures = {key: Measure(**given[key]) if given[key] else None for key in ("baseline", "floor")}
    target = Target(**given["target"]) if given["target"] else None
    return Row(
        given["case"], given["name"], Measure(**given["figure"]), measures["baseline"], measures["floor"],
        target, given["as_set"], given["wrong"], tuple(given["notes"]),
    )  # fmt: skip


def shown(value: float, unit: Unit) -> str:
    """Format a number with its unit.

    >>> shown(0.0312, "s"), shown(711, "s"), shown(64e6, "bytes"), shown(2.149, "x")
    ('31 ms', '711 s', '64 MB', '2.1×')
    """
    if unit == "bytes":
        return f"{value / 1e6:,.0f} MB"
    if unit == "x":
        return f"{value:,.1f}×" if abs(value) < 100 else f"{value:,.0f}×"
    if abs(value) < 1:
        return f"{value * 1000:.0f} ms" if abs(value) >= 0.01 else f"{value * 1000:.1f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s" if value < 100 else f"{value:,.0f} s"


def rows_table(rows: Iterable[Row]) -> str:
    """Format rows as a Markdown table."""
    head = ("what", "target", "figure", "baseline", "baseline ÷ figure", "floor", "figure ÷ floor", "")
    cells = [
        (
            row.name,
            row.target.text if row.target else "–",
            str(row.figure),
            str(row.baseline) if row.baseline else "–",
            _ratio(row.to_baseline),
            str(row.floor) if row.floor else "–",
            _ratio(row.to_floor),
            row.verdict if not row.verdict.startswith("missed") else f"**{row.verdict}**",
        )
        for row in rows
    ]
    return table(head, cells)


def notes_list(results: Results) -> str:
    """Format the notes on rows and the list of skipped measurements."""
    notes = [f"- {row.name}: {'; '.join(row.notes)}." for row in results.rows if row.notes]
    return "\n".join([*notes, *(f"- Left out: {text}." for text in results.left_out)])


def curves_table(curves: Mapping[str, Mapping[int, float]]) -> str:
    """Format seconds by number of runs, with the ratio to the previous size."""
    sizes = sorted({size for points in curves.values() for size in points})
    cells = []
    for at, size in enumerate(sizes):
        cell = [f"{size:,}"]
        for points in curves.values():
            before = points.get(sizes[at - 1]) if at else None
            value = points.get(size)
            grown = f" ({value / before:.2f}×)" if value and before and min(value, before) > 0 else ""
            cell.append("–" if value is None else shown(value, "s") + grown)
        cells.append(tuple(cell))
    return table(("runs", *curves), cells)


def machine_table(machine: Mapping[str, str]) -> str:
    """Format the description of the machine as a Markdown table."""
    return table(("", ""), [(name, value) for name, value in machine.items()])


def table(head: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    """Format a Markdown table."""
    lines = [head, ["---"] * len(head), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ratio(value: float | None) -> str:
    return "–" if value is None else shown(value, "x")


def as_markdown(results: Results) -> str:
    """Format all results as a section of a Markdown page."""
    parts = [
        f"Size `{results.size}`, medians of {results.repeat}, {results.seconds / 60:.0f} minutes in all.",
        rows_table(results.rows),
        notes_list(results),
    ]
    if results.curves:
        parts.append("Seconds by the number of runs; in brackets: against half as many.")
        parts.append(curves_table(results.curves))
    return "\n\n".join(part for part in [*parts, machine_table(results.machine)] if part) + "\n"
