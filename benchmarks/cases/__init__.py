"""Registry of the benchmark cases by name, in the order in which they run; each returns result rows."""

from __future__ import annotations

from collections.abc import Callable

from ..bench import Bench
from ..results import Row
from ..series import Series
from . import (
    archives,
    first_sync,
    growth,
    memory,
    new_runs,
    questions,
    reading,
    rows,
    serving,
    similarity,
    start_up,
    unchanged,
)

Case = Callable[[Bench, Series], list[Row]]

CASES: dict[str, Case] = {
    "first-sync": first_sync.measure,
    "archives": archives.measure,
    "reading": reading.measure,
    "start-up": start_up.measure,
    "growth": growth.measure,
    "unchanged": unchanged.measure,
    "new-runs": new_runs.measure,
    "memory": memory.measure,
    "similarity": similarity.measure,
    "rows": rows.measure,
    "questions": questions.measure,
    "serving": serving.measure,
}
