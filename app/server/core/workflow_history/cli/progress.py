"""Progress bars for long operations: a stage's name and counts in, a terminal line per stage out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn
from rich.text import Text

from ..presentation.sync_summary import stage_label

ProgressCallback = Callable[[str, int, int], None]
"""Function called with a stage's name, the number of finished items and the total so far."""

_REDRAW_INTERVAL = 0.1  # seconds between two redraws of a stage's line


@contextmanager
def progress_bars(console: Console) -> Iterator[ProgressCallback]:
    """Draw a line per stage while the block runs: bar, counts, runs per second and time left."""
    columns = (
        TextColumn("{task.description:<16}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        _RateColumn(),
    )
    # No redraw thread: reading forks worker processes, and a process with several threads should not fork.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        yield progress_callback(progress)


def progress_callback(progress: Progress, clock: Callable[[], float] = time.monotonic) -> ProgressCallback:
    """Return a callback for progress reports; it may be called for each run, and the total may grow."""
    tasks: dict[str, TaskID] = {}
    drawn_at: dict[str, float] = {}

    def report(stage: str, done: int, total: int) -> None:
        if total <= 0:
            return
        now = clock()
        if stage not in tasks:
            tasks[stage] = progress.add_task(stage_label(stage), total=total)
        elif done < total and now - drawn_at[stage] < _REDRAW_INTERVAL:
            return
        drawn_at[stage] = now
        progress.update(tasks[stage], completed=done, total=total, refresh=True)

    return report


def format_rate(done: float, total: float | None, seconds: float | None) -> str:
    """Format the rate of a stage and the time left; "" until the rate is known.

    >>> format_rate(500, 2000, 2.0), format_rate(2000, 2000, 8.0), format_rate(0, 10, 1.0)
    ('250/s, 6 s left', '250/s', '')
    """
    if not done or not seconds or total is None:
        return ""
    rate = done / seconds
    per_second = f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
    remaining = round((total - done) / rate)
    if remaining <= 0:
        return per_second
    time_left = f"{remaining} s" if remaining < 100 else f"{round(remaining / 60)} min"
    return f"{per_second}, {time_left} left"


class _RateColumn(TextColumn):
    """Column with the rate of a stage and the time left."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        """Return the text of one stage."""
        return Text(format_rate(task.completed, task.total, task.finished_time or task.elapsed), "dim")
