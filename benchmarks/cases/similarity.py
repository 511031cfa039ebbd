"""Case: all-pairs similarity of runs in memory, compared with difflib and with splitting their texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from .. import plain, subjects
from ..bench import Bench
from ..measuring import in_turn, timed
from ..results import Measure, Row, Target
from ..series import Series
from ..sizes import FULL
from ..texts import request_of

_LIMITS = {10_000: 2.0, 100_000: 60.0}  # runs -> seconds
_REPEAT_UP_TO = 20_000


def measure(bench: Bench, _series: Series) -> list[Row]:
    """Return a row for each number of runs."""
    return [_row(bench, runs) for runs in bench.size.similar_of]


def _row(bench: Bench, runs: int) -> Row:
    workflows = some_workflows(runs)
    bench.say(f"all-pairs similarity of {runs:,} runs")
    contestants: dict[str, Callable[[], object]] = {
        "ours": partial(subjects.all_similar, workflows),
        "words": partial(_split, workflows),
    }
    subjects.all_similar(workflows[:2])  # loads the tables outside the measurement
    timings = in_turn(contestants, bench.repeat if runs <= _REPEAT_UP_TO else 1)
    took = timings["ours"].median
    few = bench.size.pairs_of
    pair = timed(partial(plain.relate, workflows[:few])).median / (few * (few - 1))
    different = _sample_that_differs(workflows, timings["ours"].results[0], bench.size.sample)
    limit = _LIMITS.get(runs)
    return Row(
        "similarity",
        f"All-pairs similarity of {runs:,} runs",
        Measure(took, "texts to lists"),
        Measure(pair * runs**2, "difflib"),
        Measure(timings["words"].median, "split into words"),
        Target(f"< {limit:.0f} s", limit, took) if limit else None,
        as_set=runs in FULL.similar_of,
        wrong=f"{different} of {bench.size.sample} sampled lists are others" if different else "",
        notes=(
            f"{bench.size.sample} of its lists were recalculated pair by pair, and compared to the bit",
            f"difflib is extrapolated quadratically from {few} runs",
            *bench.told("it was", timings["ours"]),
        ),
    )


def some_workflows(runs: int) -> list[subjects.Workflow]:
    """Generate runs with the fields that similarity compares."""
    chance = Random(11)
    workflows: list[subjects.Workflow] = []
    for index in range(runs):
        request = request_of(7, index, 0.2)
        seconds = chance.uniform(60, 2400)
        workflows.append(
            {
                "id": f"{index:08x}",
                "nl_input": f"{request.title}\n\n{request.body}",
                "status": chance.choices(("completed", "failed", "incomplete", None), (80, 8, 7, 5))[0],
                "total_cost": round(seconds * chance.uniform(0.001, 0.006), 6),
                "duration_seconds": round(seconds, 3),
            }
        )
    return workflows


def _split(workflows: Sequence[subjects.Workflow]) -> int:
    return sum(len(set(workflow["nl_input"].lower().split())) for workflow in workflows)


def _sample_that_differs(workflows: Sequence[subjects.Workflow], lists: subjects.Lists, sample: int) -> int:
    """Return how many of `sample` lists are not bit-identical to a pairwise evaluation of the formula."""
    chosen = Random(5).sample(list(workflows), sample)
    return sum(subjects.plainly_similar(each, workflows) != lists[each["id"]] for each in chosen)
