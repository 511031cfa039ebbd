"""Decide what every run of the demo will be: runs, seed, end and months in, one plan per run out. Pure.

Here stands what is planted for people to find, and how much goes wrong. Nothing is written.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from .agents import TEMPLATE_WEIGHTS
from .tasks import Request, family_tasks, ordinary_tasks

FailureKind = Literal[
    "failed",  # an error ends the run: a usage limit, an overloaded service, too long a prompt ...
    "cut_committer",  # a committer's stream has no result, the run went on
    "half_line",  # the same, and the last line is half written
    "empty_stream",
    "false_success",  # "Unknown skill", no cost, called a success
    "resumed",  # several cumulative results in one file
    "gemini",  # another CLI's stream
    "damaged_state",
    "stateless",
    "running",
]

REGRESSED_TEMPLATE = "adw_sdlc_iso"
REGRESSION_AGE = timedelta(days=21)
_PER_240_RUNS: tuple[tuple[FailureKind, int], ...] = (
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
# These need a reviewer and committers, and must not blur what is planted in the other templates.
_REVIEWED: frozenset[FailureKind] = frozenset(
    ("cut_committer", "half_line", "empty_stream", "resumed", "gemini", "running", "false_success")
)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What one run will be, before any of its files is made up."""

    run_id: str
    seed: str  # of the run's own random source
    started: datetime  # aware
    template: str
    model_set: Literal["base", "heavy"]
    request: Request
    mishap: FailureKind | None = None
    regressed: bool = False  # its planner costs about 2.5 times what it did
    build_loops: int = 0  # how often reviewers repeat build, lint and typecheck


def plan_runs(*, runs: int, seed: int, end: datetime, months: int) -> Iterator[RunPlan]:
    """Yield `runs` plans in order of time, the last one still running at `end`."""
    source = Random(f"{seed}:plan")  # noqa: S311 - a demo's dice, no secret
    starts = _starts(source, runs, end, months)
    mishaps = _mishaps(source, runs)
    requests = _requests(source, runs, mishaps)
    taken: set[str] = set()
    for turn, started in enumerate(starts):
        template = _template(source, mishaps.get(turn), requests[turn])
        run_id = _run_id(source, template, started, turn)
        while run_id in taken:
            run_id += "b"
        taken.add(run_id)
        yield RunPlan(
            run_id=run_id,
            seed=f"{seed}:{turn}",
            started=started,
            template=template,
            model_set=_model_set(source, template, requests[turn]),
            request=requests[turn],
            mishap=mishaps.get(turn),
            regressed=template == REGRESSED_TEMPLATE and started >= end - REGRESSION_AGE,
            build_loops=2 if requests[turn].family else source.choice((0, 2, 3, 3, 4, 5)),
        )


def family_size(runs: int) -> int:
    """Return how many runs ask for the planted task: eight of 240, at least two where there is room."""
    return min(max(8, runs // 30), runs // 4)


def _starts(source: Random, runs: int, end: datetime, months: int) -> list[datetime]:
    """Return when runs start: mostly weekdays, mostly by day, a little denser towards the end."""
    span = timedelta(days=30.44 * months)
    latest = end - timedelta(hours=4)
    moments = [
        min(_working_hour(source, end - span * (1 - ((turn + source.random()) / runs) ** 0.7)), latest)
        for turn in range(runs - 1)
    ]
    return [*sorted(moments), end - timedelta(minutes=12)] if runs else []


def _working_hour(source: Random, moment: datetime) -> datetime:
    if moment.weekday() > 4 and source.random() < 0.8:
        moment -= timedelta(days=moment.weekday() - 4)
    minutes = int(source.triangular(7 * 60, 21 * 60, 11 * 60))
    return moment.replace(
        hour=minutes // 60,
        minute=minutes % 60,
        second=source.randrange(60),
        microsecond=source.randrange(1_000_000),
    )


def _mishaps(source: Random, runs: int) -> dict[int, FailureKind]:
    """Return which run meets what; at most a third of all, each kind at least once where there is room."""
    wanted: list[FailureKind] = []
    for rank in range(max(count for _, count in _PER_240_RUNS) * (runs // 240 + 1)):
        wanted += [kind for kind, count in _PER_240_RUNS if rank < max(1, count * runs // 240)]
    chosen = wanted[: runs // 3]
    places = source.sample(range(max(0, runs - 1)), len(chosen))
    return {**dict(zip(places, chosen, strict=True)), **({runs - 1: "running"} if runs else {})}


def _requests(source: Random, runs: int, mishaps: dict[int, FailureKind]) -> list[Request]:
    """Return the request of each run; what failed is sometimes asked for once more."""
    requests = ordinary_tasks(source, runs)
    for turn in range(runs - 1):
        if mishaps.get(turn) == "failed" and turn + 1 not in mishaps and source.random() < 0.5:
            requests[turn + 1] = requests[turn]
    free = [turn for turn in range(runs) if turn not in mishaps]
    count = min(family_size(runs), len(free))
    for rank, task in enumerate(family_tasks(source, count)):
        requests[free[(2 * rank + 1) * len(free) // (2 * count)]] = task
    return _numbered(requests)


def _numbered(requests: list[Request]) -> list[Request]:
    numbers: dict[int, int] = {}
    return [
        replace(request, number=numbers.setdefault(id(request), len(numbers) + 1)) for request in requests
    ]


def _template(source: Random, mishap: FailureKind | None, request: Request) -> str:
    if request.family or mishap in _REVIEWED:
        return "adw_plan_build_review"
    chosen = source.choices(list(TEMPLATE_WEIGHTS), weights=list(TEMPLATE_WEIGHTS.values()))[0]
    needs_prompts = mishap in {"stateless", "damaged_state"}
    return "adw_plan_build" if needs_prompts and chosen in {"adw_quick", "adw_complete"} else chosen


def _model_set(source: Random, template: str, request: Request) -> Literal["base", "heavy"]:
    """Return the run's models; what is planted stays on one set, so that only the planted thing changes."""
    if request.family or template in {REGRESSED_TEMPLATE, "adw_quick", "adw_complete"}:
        return "base"
    return source.choice(("base", "heavy"))


def _run_id(source: Random, template: str, started: datetime, turn: int) -> str:
    if template == "adw_quick":
        return f"adw_{int(started.timestamp())}_{source.getrandbits(32):08x}"
    if template == "adw_complete":
        return f"adw-{started:%Y%m%d-%H%M%S}"
    # An odd factor makes a permutation of all 32-bit numbers: ids look random and never repeat.
    return f"{(turn + 1) * 2654435761 % 2**32:08x}"
