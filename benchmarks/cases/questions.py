"""Case: queries of a large history; the slowest of each kind, compared with reading all runs into Python."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from app.server.core.workflow_history.common.filters import Range, RunFilter

from .. import subjects
from ..asking import make_history
from ..bench import Bench
from ..measuring import in_turn, timed
from ..results import Measure, Row, Target
from ..series import Series
from ..sizes import FULL

_LIMIT = 0.100  # seconds
_REPEAT = 5
_UNPACKED_RUNS = 3000
_MAX_RATIO = 20
_GROUPINGS = ("month", "template", "phase", "agent", "model")
_RUNS: dict[str, dict[str, Any]] = {
    "the newest": {},
    "the oldest": {"order": "asc"},
    "the most expensive": {"sort": "cost"},
    "a failed one": {"where": RunFilter(status=("failed",))},
}

_NOTES = {
    "Overview": ("five questions in one: by week, template, model and phase, what was wasted, the trend",)
}

Question = Callable[[], object]


def measure(bench: Bench, _series: Series) -> list[Row]:
    """Return a row for each kind of query."""
    database, runs = bench.new_database(), bench.size.rows
    bench.say(f"a history of {runs:,} runs to put questions to")
    make_history(bench.scratch, runs, database)
    with subjects.history_at(database):
        # Keep only its time: with all these rows in memory, the garbage collector would dominate the timings.
        baseline = Measure(timed(subjects.every_row).median, "load every run's values into Python")
        kinds = _kinds(runs)
        bench.say(f"{sum(map(len, kinds.values()))} questions")
        rows = [_row(bench, kind, questions, baseline) for kind, questions in kinds.items()]
    database.unlink()
    return [*rows, _unpacked_row(bench)]


def _row(bench: Bench, kind: str, questions: Mapping[str, Question], baseline: Measure) -> Row:
    for question in questions.values():
        question()  # does the imports and loads that happen only once
    timings = in_turn(questions, _REPEAT)
    name, slowest = max(timings.items(), key=lambda item: item[1].median)
    all_of_them = ", ".join(f"{what} {timing.median * 1000:.0f}" for what, timing in timings.items())
    return Row(
        "questions",
        f"{kind} among {bench.size.rows:,} runs",
        Measure(slowest.median, f"the slowest: {name}"),
        baseline,
        None,
        Target("< 100 ms each", _LIMIT, slowest.median),
        as_set=bench.size.rows == FULL.rows,
        notes=(f"milliseconds: {all_of_them}", *_NOTES.get(kind, ())),
    )


def _unpacked_row(bench: Bench) -> Row:
    """Compare queries of runs without packed columns, as another program stores them, with packed ones."""
    packed, unpacked = bench.new_database(), bench.new_database()
    runs = min(bench.size.rows, _UNPACKED_RUNS)
    bench.say(f"a history of {runs:,} runs, packed and not")
    make_history(bench.scratch, runs, packed)
    shutil.copy(packed, unpacked)
    subjects.drop_packed_columns(unpacked)
    questions: dict[str, Question] = {
        "overview": subjects.overview,
        **{f"by {by}": partial(subjects.sums, by) for by in _GROUPINGS},
        "waste": subjects.waste,
    }
    timings = in_turn(
        {
            (name, database): partial(_ask, database, question)
            for name, question in questions.items()
            for database in (packed, unpacked)
        },
        _REPEAT,
    )
    times = {name: [timings[name, database].median for database in (unpacked, packed)] for name in questions}
    ratios = (f"{name} {slow * 1000:.0f} ({slow / fast:.0f}×)" for name, (slow, fast) in times.items())
    slow, fast = times["overview"]
    return Row(
        "questions",
        f"Overview of {runs:,} runs without packed columns",
        Measure(slow, "from their rows"),
        None,
        Measure(fast, "from packed columns"),
        Target("< 20× from packed columns", _MAX_RATIO, slow / fast),
        as_set=runs == _UNPACKED_RUNS,
        notes=(f"milliseconds, and times as long as packed: {', '.join(ratios)}",),
    )


def _ask(database: Path, question: Question) -> object:
    with subjects.history_at(database):
        return question()


def _kinds(runs: int) -> dict[str, dict[str, Question]]:
    ask: Any = partial(partial, subjects.list_page)
    end = max(0, runs - 20)
    page = ask(limit=1)()
    return {
        "Lists": {
            "the newest": ask(),
            "the last page": ask(offset=end),
            "the most expensive": ask(sort="cost"),
            "the cheapest, last page": ask(sort="cost", order="asc", offset=end),
            "by duration, in the middle": ask(sort="duration", offset=page // 2),
            "by model, last page": ask(sort="model", offset=end),
            "by quality, last page": ask(sort="quality", offset=end),
        },
        "Filtered lists": {
            name: ask(where=where)
            for name, where in {
                "failed": RunFilter(status=("failed",)),
                "of a workflow": RunFilter(template=("adw_sdlc_iso",)),
                "of a cost": RunFilter(cost=Range(1, 2)),
                "of a phase": RunFilter(phase=("review",)),
                "of an agent": RunFilter(agent=("sdlc_planner",)),
                "of a model": RunFilter(model=("opus",)),
                "without an error": RunFilter(has_error=False),
                "since a day": RunFilter(created_from=datetime(2025, 9, 1, tzinfo=UTC)),
            }.items()
        }
        | {"of an agent, last page": ask(where=RunFilter(agent=("sdlc_planner",)), offset=int(runs * 0.7))},
        "Searches": {
            "a rare word": ask(where=RunFilter(search="ticket4711")),
            "two words": ask(where=RunFilter(search="csv export")),
            "a phrase": ask(where=RunFilter(search='"as CSV"')),
            "a word in nearly all runs": ask(where=RunFilter(search="the")),
            "the same by cost": ask(where=RunFilter(search="the"), sort="cost"),
            "runs without a word": ask(where=RunFilter(search="-csv")),
        },
        "Sums": {
            **{f"by {by}": partial(subjects.sums, by) for by in _GROUPINGS},
            "by phase across month": partial(subjects.sums, "phase", across="month"),
            "failed by phase": partial(subjects.sums, "phase", where=RunFilter(status=("failed",))),
            "waste": subjects.waste,
            "trend": subjects.trend,
        },
        "Overview": {"all of it": subjects.overview},
        "One run": {
            what: partial(subjects.whole_run, name)
            for what, asked in _RUNS.items()
            for name in subjects.first_names(limit=1, **asked)
        },
    }
