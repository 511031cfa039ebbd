"""Progress bars for long operations: a stage's name and counts in, a terminal line per stage out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn
from rich.text import Text

from ..presentation.sync_summary import phase_label

ProgressCallback = Callable[[str, int, int], None]
"""Function called with a stage's name, the number of finished items and the total so far."""

_REDRAWN = 0.1  # seconds between two redraws of a stage's line


@contextmanager
def progress_bars(console: Console) -> Iterator[ProgressCallback]:
    """Draw a line per stage while the block runs: bar, counts, runs per second and time left."""
    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        _PaceColumn(),
    )
    # No redraw thread: reading forks worker processes, and a process with several threads should not fork.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as drawn:
        yield progress_callback(drawn)


def progress_callback(drawn: Progress, clock: Callable[[], float] = time.monotonic) -> ProgressCallback:
    """Return a callback for progress reports; it may be called for each run, and the total may grow."""
    tasks: dict[str, TaskID] = {}
    last: dict[str, float] = {}

    def report(phase: str, done: int, total: int) -> None:
        if total <= 0:
            return
        now = clock()
        if phase not in tasks:
            tasks[phase] = drawn.add_task(phase_label(phase), total=total)
        elif done < total and now - last[phase] < _REDRAWN:
            return
        last[phase] = now
        drawn.update(tasks[phase], completed=done, total=total, refresh=True)

    return report


def format_rate(done: float, total: float | None, seconds: float | None) -> str:
    """Format the rate of a stage and the time left; "" until the rate is known.

    >>> format_rate(500, 2000, 2.0), format_rate(2000, 2000, 8.0), format_rate(0, 10, 1.0)
    ('250/s, 6 s left', '250/s', '')
    """
    if not done or not seconds or total is None:
        return ""
    rate = done / seconds
    shown = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
    left = round((total - done) / rate)
    return f"{shown}, {_length(left)} left" if left > 0 else shown


def _length(seconds: int) -> str:
    return f"{seconds} s" if seconds < 100 else f"{round(seconds / 60)} min"


class _PaceColumn(TextColumn):
    """Column with the rate of a stage and the time left."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Return the text of one stage."""
        return Text(format_rate(task.completed, task.total, task.finished_time or task.elapsed), "dim")
