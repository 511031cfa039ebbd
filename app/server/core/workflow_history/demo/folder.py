"""Write a realistic agents directory for demos and benchmarks.

Equal parameters give equal bytes and file times. Nothing is written outside the target.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

from ..common.errors import AgentsFolderError
from ..common.urls import refuse_url
from .lines import random_uuid
from .plan import REGRESSED_TEMPLATE, REGRESSION_AGE, MishapKind, plan_runs
from .runs import GeneratedFile, GeneratedRun, StreamSizes, make_run
from .scripts import BUILD_LOOP

NOT_RUNS = ("security_logs", "context_bundles", "_archived")


def make_noise_files(seed: int, end: datetime) -> list[GeneratedFile]:
    """Return the files of the directories in NOT_RUNS, and one stray file among the runs."""
    source = Random(f"{seed}:clutter")  # noqa: S311 - a demo's dice, no secret
    day, archived = end - timedelta(days=3), end - timedelta(days=150)
    blocked = {"timestamp": day.isoformat(), "tool": "Bash", "command": "rm -rf build/", "blocked": True}
    paths = ("README.md", "src/orders/service.py", "tests/orders/test_routes.py")
    bundle = "".join(json.dumps({"operation": "read", "file_path": path}) + "\n" for path in paths)
    state = {"adw_id": "0badcafe", "issue_number": "0", "branch_name": None, "plan_file": None}
    return [
        GeneratedFile(f"security_logs/blocked_{day:%Y-%m-%d}.jsonl", json.dumps(blocked) + "\n", day),
        GeneratedFile(f"context_bundles/{day:%m%d_%H}_{random_uuid(source)}.jsonl", bundle, day),
        GeneratedFile("_archived/0badcafe/adw_state.json", json.dumps(state, indent=2), archived),
        GeneratedFile("_archived/README.md", "Runs from before the move to worktrees.\n", archived),
        GeneratedFile("package.json", '{\n  "name": "agents",\n  "private": true\n}\n', archived),
    ]


@dataclass(frozen=True, slots=True)
class PlantedFindings:
    """Findings that the demo contains on purpose, for users and tests to detect."""

    regression_start: datetime  # aware; since then the plan phase costs about 2.5 times as much
    regression_template: str  # template with the regression
    regression_agent: str  # agent with the regression
    costs_before: tuple[Decimal, ...]  # US dollars of that agent's streams before it, oldest first
    costs_after: tuple[Decimal, ...]  # US dollars of that agent's streams since then, oldest first
    build_loop: tuple[str, ...]  # commands that reviewers repeat in this order
    build_loop_runs: tuple[str, ...]  # ids of the runs with at least two rounds of it
    family: tuple[str, ...]  # ids of the runs with the same task in different words, oldest first
    mishaps: dict[MishapKind, tuple[str, ...]]  # ids of the runs by kind of failure
    odd_streams: dict[str, str]  # stream that is unusual because of a failure, relative path by run id
    not_runs: tuple[str, ...]  # directories next to the runs that are not runs


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """Summary of the written directory."""

    path: Path  # the agents directory
    runs: int  # number of runs
    streams: int  # number of streams
    bytes: int  # total size of the files
    reported_cost: Decimal  # sum of the costs in all result messages, US dollars
    planted: PlantedFindings  # findings that the demo contains on purpose


@dataclass(slots=True)
class _Totals:
    """Counts and findings of the runs written so far."""

    runs: int = 0
    streams: int = 0
    bytes: int = 0
    reported_cost: Decimal = Decimal()
    costs: dict[bool, list[Decimal]] = field(default_factory=lambda: {False: [], True: []})
    loops: list[str] = field(default_factory=list)
    family: list[str] = field(default_factory=list)
    mishaps: dict[MishapKind, tuple[str, ...]] = field(default_factory=dict)
    odd_streams: dict[str, str] = field(default_factory=dict)


def make_agents_folder(
    target: Path,
    *,
    runs: int = 240,
    seed: int = 1,
    end: datetime,
    months: int = 6,
    stream_kb: int = 30,
    base64_share: float = 0.01,
    progress: Callable[[int, int], None] | None = None,
) -> DemoFolder:
    """Write `runs` runs of the `months` before `end` to `target`, and return a summary.

    `end` is aware; its time zone is the local one of the runs. `stream_kb` is the average size of a stream
    in KiB; it is at least about 10, as the lines need that much in any case. `base64_share` is the share of
    streams (0 to 1) with a screenshot on one long line. `progress` is called with the number of written runs
    and of all runs. Raises AgentsFolderError if `target` is a file or not empty, and ValueError if a number
    is less than 1 or `end` has no time zone.
    """
    refuse_url(target)
    _check_arguments(target, runs, end, months, stream_kb)
    target.mkdir(parents=True, exist_ok=True)
    totals = _Totals()
    sizes = StreamSizes(stream_kb, base64_share)
    for plan in plan_runs(runs=runs, seed=seed, end=end, months=months):
        run = make_run(plan, sizes, end=end)
        _write_files(target, run.files)
        _count_run(totals, run)
        if progress is not None:
            progress(totals.runs, runs)
    noise_files = make_noise_files(seed, end)
    _write_files(target, noise_files)
    totals.bytes += _byte_count(noise_files)
    return _summarize(target, totals, end)


def _check_arguments(target: Path, runs: int, end: datetime, months: int, stream_kb: int) -> None:
    if min(runs, months, stream_kb) < 1:
        raise ValueError("runs, months and stream_kb must be 1 or more")
    if end.utcoffset() is None:
        raise ValueError("end must have a time zone")
    if target.is_dir():
        if any(target.iterdir()):
            raise AgentsFolderError(f"{target} is not empty; name a folder that is new or empty")
    elif target.exists():
        raise AgentsFolderError(f"{target} is a file; name a folder that is new or empty")


def _write_files(target: Path, files: Iterable[GeneratedFile]) -> None:
    root = os.fspath(target)
    created_folders: set[str] = set()
    for file in files:
        path = f"{root}/{file.path}"
        folder = path.rpartition("/")[0]
        if folder not in created_folders:
            Path(folder).mkdir(parents=True, exist_ok=True)
            created_folders.add(folder)
        Path(path).write_bytes(file.text.encode("utf-8"))
        modified_ns = round(file.modified.timestamp() * 1_000_000) * 1_000
        os.utime(path, ns=(modified_ns, modified_ns))


def _count_run(totals: _Totals, run: GeneratedRun) -> None:
    plan = run.plan
    totals.runs += 1
    totals.streams += run.streams
    totals.bytes += _byte_count(run.files)
    totals.reported_cost += run.reported_cost
    if run.plan_cost is not None and plan.template == REGRESSED_TEMPLATE:
        totals.costs[plan.regressed].append(run.plan_cost)
    if plan.build_loops > 1 and any("/reviewer/" in file.path for file in run.files):
        totals.loops.append(plan.run_id)
    if plan.request.family:
        totals.family.append(plan.run_id)
    if plan.mishap is not None:
        totals.mishaps[plan.mishap] = (*totals.mishaps.get(plan.mishap, ()), plan.run_id)
    if run.odd_stream is not None:
        totals.odd_streams[plan.run_id] = run.odd_stream


def _byte_count(files: Iterable[GeneratedFile]) -> int:
    return sum(len(file.text.encode("utf-8")) for file in files)


def _summarize(target: Path, totals: _Totals, end: datetime) -> DemoFolder:
    planted = PlantedFindings(
        regression_start=end - REGRESSION_AGE,
        regression_template=REGRESSED_TEMPLATE,
        regression_agent="sdlc_planner",
        costs_before=tuple(totals.costs[False]),
        costs_after=tuple(totals.costs[True]),
        build_loop=BUILD_LOOP,
        build_loop_runs=tuple(totals.loops),
        family=tuple(totals.family),
        mishaps=totals.mishaps,
        odd_streams=totals.odd_streams,
        not_runs=NOT_RUNS,
    )
    return DemoFolder(target, totals.runs, totals.streams, totals.bytes, totals.reported_cost, planted)
