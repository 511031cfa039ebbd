"""Plan the runs of the demo: number, seed, end and months in, one plan per run out. Pure.

This module defines the findings that the demo contains on purpose, and the number of failures.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from .agents import TEMPLATE_WEIGHTS
from .tasks import Request, family_tasks, ordinary_tasks

MishapKind = Literal[
    "failed",  # an error ends the run: a usage limit, an overloaded service, a too long prompt ...
    "cut_committer",  # a committer's stream has no result, and the run continued
    "half_line",  # like cut_committer, and the last line is only half written
    "empty_stream",
    "false_success",  # "Unknown skill" without cost, reported as a success
    "resumed",  # several cumulative results in one file
    "gemini",  # another CLI's stream
    "damaged_state",
    "stateless",
    "running",
]

REGRESSED_TEMPLATE = "adw_sdlc_iso"
REGRESSION_AGE = timedelta(days=21)
_MISHAPS_PER_240_RUNS: tuple[tuple[MishapKind, int], ...] = (
    ("failed", 19),
    ("stateless", 9),
    ("cut_committer", 6),
    ("half_line", 1),
    ("empty_stream", 1),
    ("false_success", 1),
    ("resumed", 1),
    ("gemini", 1),
    ("damaged_state", 1),
)
# These need a reviewer and committers, and must not obscure the findings in the other templates.
_NEEDS_REVIEWER: frozenset[MishapKind] = frozenset(
    ("cut_committer", "half_line", "empty_stream", "resumed", "gemini", "running", "false_success")
)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Plan of one run, before any of its files is generated."""

    run_id: str
    seed: str  # seed of the run's own random source
    started: datetime  # aware
    template: str
    model_set: Literal["base", "heavy"]
    request: Request
    mishap: MishapKind | None = None
    regressed: bool = False  # its planner costs about 2.5 times as much as before
    build_loops: int = 0  # number of times reviewers run build, lint and typecheck


def plan_runs(*, runs: int, seed: int, end: datetime, months: int) -> Iterator[RunPlan]:
    """Yield `runs` plans in order of time; the last run is still running at `end`."""
    source = Random(f"{seed}:plan")  # noqa: S311 - a demo's dice, no secret
    starts = _start_times(source, runs, end, months)
    mishaps = _assign_mishaps(source, runs)
    requests = _assign_requests(source, runs, mishaps)
    used_ids: set[str] = set()
    for turn, started in enumerate(starts):
        template = _choose_template(source, mishaps.get(turn), requests[turn])
        run_id = _make_run_id(source, template, started, turn)
        while run_id in used_ids:
            run_id += "b"
        used_ids.add(run_id)
        yield RunPlan(
            run_id=run_id,
            seed=f"{seed}:{turn}",
            started=started,
            template=template,
            model_set=_choose_model_set(source, template, requests[turn]),
            request=requests[turn],
            mishap=mishaps.get(turn),
            regressed=template == REGRESSED_TEMPLATE and started >= end - REGRESSION_AGE,
            build_loops=2 if requests[turn].family else source.choice((0, 2, 3, 3, 4, 5)),
        )


def family_size(runs: int) -> int:
    """Return the number of runs with the planted task: one in 30, at least 8, but at most a quarter."""
    return min(max(8, runs // 30), runs // 4)


def _start_times(source: Random, runs: int, end: datetime, months: int) -> list[datetime]:
    """Return the start times of runs: mostly on weekdays and by day, a little denser towards the end."""
    span = timedelta(days=30.44 * months)
    latest = end - timedelta(hours=4)
    times = [
        min(
            _move_to_working_hours(source, end - span * (1 - ((turn + source.random()) / runs) ** 0.7)),
            latest,
        )
        for turn in range(runs - 1)
    ]
    return [*sorted(times), end - timedelta(minutes=12)] if runs else []


def _move_to_working_hours(source: Random, moment: datetime) -> datetime:
    if moment.weekday() > 4 and source.random() < 0.8:
        moment -= timedelta(days=moment.weekday() - 4)
    minutes = int(source.triangular(7 * 60, 21 * 60, 11 * 60))
    return moment.replace(
        hour=minutes // 60,
        minute=minutes % 60,
        second=source.randrange(60),
        microsecond=source.randrange(1_000_000),
    )


def _assign_mishaps(source: Random, runs: int) -> dict[int, MishapKind]:
    """Assign failures to runs: to a third of them at most, each kind at least once if possible."""
    kinds: list[MishapKind] = []
    for rank in range(max(count for _, count in _MISHAPS_PER_240_RUNS) * (runs // 240 + 1)):
        kinds += [kind for kind, count in _MISHAPS_PER_240_RUNS if rank < max(1, count * runs // 240)]
    chosen = kinds[: runs // 3]
    turns = source.sample(range(max(0, runs - 1)), len(chosen))
    return {**dict(zip(turns, chosen, strict=True)), **({runs - 1: "running"} if runs else {})}


def _assign_requests(source: Random, runs: int, mishaps: dict[int, MishapKind]) -> list[Request]:
    """Return the request of each run; the request of a failed run is sometimes repeated in the next one."""
    requests = ordinary_tasks(source, runs)
    for turn in range(runs - 1):
        if mishaps.get(turn) == "failed" and turn + 1 not in mishaps and source.random() < 0.5:
            requests[turn + 1] = requests[turn]
    free = [turn for turn in range(runs) if turn not in mishaps]
    count = min(family_size(runs), len(free))
    for rank, task in enumerate(family_tasks(source, count)):
        requests[free[(2 * rank + 1) * len(free) // (2 * count)]] = task
    numbers: dict[int, int] = {}  # a repeated request keeps its number
    return [
        replace(request, number=numbers.setdefault(id(request), len(numbers) + 1)) for request in requests
    ]


def _choose_template(source: Random, mishap: MishapKind | None, request: Request) -> str:
    if request.family or mishap in _NEEDS_REVIEWER:
        return "adw_plan_build_review"
    chosen = source.choices(list(TEMPLATE_WEIGHTS), weights=list(TEMPLATE_WEIGHTS.values()))[0]
    needs_prompts = mishap in {"stateless", "damaged_state"}
    return "adw_plan_build" if needs_prompts and chosen in {"adw_quick", "adw_complete"} else chosen


def _choose_model_set(source: Random, template: str, request: Request) -> Literal["base", "heavy"]:
    """Return the run's model set; runs with planted findings use one set, so that nothing else changes."""
    if request.family or template in {REGRESSED_TEMPLATE, "adw_quick", "adw_complete"}:
        return "base"
    return source.choice(("base", "heavy"))


def _make_run_id(source: Random, template: str, started: datetime, turn: int) -> str:
    if template == "adw_quick":
        return f"adw_{int(started.timestamp())}_{source.getrandbits(32):08x}"
    if template == "adw_complete":
        return f"adw-{started:%Y%m%d-%H%M%S}"
    # An odd factor makes a permutation of all 32-bit numbers: ids look random and never repeat.
    return f"{(turn + 1) * 2654435761 % 2**32:08x}"
