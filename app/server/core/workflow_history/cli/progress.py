"""Move the bars: a phase's name and counts in, a Rich progress bar per phase moved. Prints nothing itself."""

from __future__ import annotations

from collections.abc import Callable

from rich.progress import Progress, TaskID

from .render.text import one_line

Report = Callable[[str, int, int], None]
"""Called with a phase's name, how much of it is done, and how much there is."""

NAMES = {
    "make": "making runs up",
    "scan": "reading",
    "enrich": "counting costs",
    "score": "scoring",
    "relate": "comparing",
    "store": "storing",
    "learn": "finding patterns",
}
"""The phases in words; one that is not here is shown by its own name."""


def steps(bars: Progress) -> Report:
    """Return what a sync reports its progress to; only whole percents are drawn."""
    tasks: dict[str, TaskID] = {}
    drawn: dict[str, int] = {}

    def report(phase: str, done: int, total: int) -> None:
        if total <= 0:
            return
        if phase not in tasks:
            tasks[phase] = bars.add_task(NAMES.get(phase) or one_line(phase), total=total)
        share = done * 100 // total
        if share != drawn.get(phase):
            drawn[phase] = share
            bars.update(tasks[phase], completed=done, total=total)

    return report
