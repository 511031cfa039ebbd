"""What was measured, as rows: figure, baseline, floor, and whether the target is met; tables and JSON out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Unit = Literal["s", "bytes", "x"]


@dataclass(frozen=True, slots=True)
class Measure:
    """One number and what it is of."""

    value: float
    of: str
    unit: Unit = "s"

    def __str__(self) -> str:
        return f"{shown(self.value, self.unit)} {self.of}".strip()


@dataclass(frozen=True, slots=True)
class Target:
    """A bound, and the value that is held against it."""

    text: str
    limit: float
    value: float
    at_least: bool = False  # the limit is the least that will do, not the most

    @property
    def met(self) -> bool:
        """Whether the value keeps to the bound."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    case: str
    name: str
    figure: Measure
    baseline: Measure | None = None
    floor: Measure | None = None
    target: Target | None = None  # None: shown for what it is
    as_set: bool = True  # measured at the size that the target is set for
    wrong: str = ""  # a result that is not what it must be: whatever the figure, the row is missed
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """Met or missed, and whether at the size that counts."""
        if self.wrong:
            return f"missed: {self.wrong}"
        if self.target is None:
            return "–"
        word = "met" if self.target.met else "missed"
        return word if self.as_set else f"{word} at this size"

    @property
    def to_baseline(self) -> float | None:
        """How many times the figure the baseline is; ratios are not divided by ratios."""
        return _quotient(self.baseline, self.figure)

    @property
    def to_floor(self) -> float | None:
        """How many times the floor the figure is."""
        return _quotient(self.figure, self.floor)


def _quotient(over: Measure | None, under: Measure | None) -> float | None:
    if over is None or under is None or over.unit == "x" or under.value <= 0:
        return None
    return over.value / under.value


@dataclass(slots=True)
class Results:
    """All of one benchmark run."""

    size: str
    repeat: int
    machine: dict[str, str]
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    curves: dict[str, dict[int, float]] = field(default_factory=dict)  # name -> runs -> seconds

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data; the verdicts and ratios stand in it for whoever reads it."""
        data = asdict(self)
        for given, row in zip(data["rows"], self.rows, strict=True):
            given |= {"verdict": row.verdict, "to_baseline": row.to_baseline, "to_floor": row.to_floor}
        return data


def from_json(data: Mapping[str, Any]) -> Results:
    """Return results as they were when `as_json` was called."""
    rows = [_row(given) for given in data["rows"]]
    curves = {name: {int(n): s for n, s in points.items()} for name, points in data["curves"].items()}
    return Results(
        data["size"],
        data["repeat"],
        dict(data["machine"]),
        data["seconds"],
        rows,
        list(data["skipped"]),
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
    """Return a number as people read it.

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
    """Return the table as Markdown."""
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
    """Return what is to be known of single rows, and what was left out."""
    notes = [f"- {row.name}: {'; '.join(row.notes)}." for row in results.rows if row.notes]
    return "\n".join([*notes, *(f"- Left out: {text}." for text in results.left_out)])


def curves_table(curves: Mapping[str, Mapping[int, float]]) -> str:
    """Return seconds by the number of runs, and how much a doubling costs."""
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
    """Return which machine it was."""
    return table(("", ""), [(name, value) for name, value in machine.items()])


def table(head: Sequence[str], cells: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _ratio(value: float | None) -> str:
    return "–" if value is None else shown(value, "x")


def as_markdown(results: Results) -> str:
    """Return all of it as one page's part."""
    parts = [
        f"Size `{results.size}`, medians of {results.repeat}, {results.seconds / 60:.0f} minutes in all.",
        rows_table(results.rows),
        notes_list(results),
    ]
    if results.curves:
        parts.append("Seconds by the number of runs; in brackets: against half as many.")
        parts.append(curves_table(results.curves))
    return "\n\n".join(part for part in [*parts, machine_table(results.machine)] if part) + "\n"
