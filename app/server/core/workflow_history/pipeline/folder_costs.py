"""Compute the costs of the runs in an agents folder without a history: a folder in, sums out. Writes nothing.

Costs are counted as by the first sync of the folder. Costs of superseded attempts are missing: only a history
stores them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from msgspec import structs

from .. import scanner
from ..common.errors import PER_RUN_ERRORS
from ..common.models import (
    SESSION_FORMATS,
    AgentRun,
    Problem,
    Severity,
    StreamFacts,
    StreamFormat,
    TimeBasis,
    Workflow,
)
from ..common.outcomes import Outcome
from ..common.phases import classify_phase
from ..common.spending import agent_cost, is_whole, original_of, originals_of, run_basis
from ..common.urls import join_url
from ..costs.accounting import cost_data
from ..costs.accounting.cost_sums import minimum_cost, sum_costs
from ..costs.accounting.deduplication import Share, Unit, assign_shares, in_several, sessions_of
from ..costs.accounting.message_claims import (
    SHARED_FIELDS,
    Claim,
    first_written,
    thread_parts,
    units_of,
    with_shares,
)
from ..costs.accounting.money import TOKEN_FIELDS
from ..costs.pricing.own_prices import OwnPrices, current_prices, use_prices
from ..enrichment import with_claims
from ..ingest.config.own_prices import use_configured_prices
from ..ingest.files import FolderPath, to_path
from ..ingest.runs.build_run import build_run, read_run, shows_a_run
from ..ingest.runs.cost_only_reader import read_spending
from ..ingest.runs.file_times import LIVE, OWN, FileTimeJudge, FileTimes, judge_file_times
from ..ingest.runs.git_commits import NO_COMMITS, commits_of
from ..ingest.runs.records import RunFolder
from ..ingest.sources.discovery import find_runs, walk_agents_folder
from ..ingest.streams import CUT_OFF, UNKNOWN_KIND
from .own_times import own_times
from .workers.executors import open_backend
from .workers.process_pool import batch_by_size, run_tasks
from .workers.task_dispatcher import TaskFunction

GROUPINGS = ("phase", "model", "agent", "run")
"""Keys by which costs can be grouped."""

RUNS_PER_TASK = 64  # maximum number of runs in one task
BYTES_PER_TASK = 32 << 20  # a task is full when its streams have this many bytes
SECONDS_PER_RUN = 0.0005  # estimated fixed time to read one run
SECONDS_PER_BYTE = 1 / 1500e6  # estimated time to read one byte of a stream

_AGENT_FIELDS = (
    "phase", "agent", "model", "cost", "cost_basis", "lower_bound_cost", *TOKEN_FIELDS, "unpriced_tokens",
    "models", "outcome", "duplicate_of", "path", "identity", "superseded", "ended_at", *SHARED_FIELDS,
)  # fmt: skip

_NO_STREAM: Mapping[str, Any] = {}
"""Entry of an agent without a stream: it makes the cost of its group a lower bound."""


@dataclass(frozen=True, slots=True)
class RunCost:
    """Cost of one run, with the fields that are shown with it; can be pickled."""

    id: str
    created_at: str | None  # ISO 8601 UTC
    utc_offset_minutes: int | None  # local time minus UTC; None: unknown
    status: str | None  # None: no file of the run could be read
    cost_basis: str | None  # the weakest basis of its parts; None: no cost is known
    agents: list[AgentRun]  # one per stream, with the fields needed for sums
    claims: tuple[Claim, ...]  # own spending of each stream
    without_messages: bool  # whether some streams were read without their messages
    silent_agents: tuple[str, ...]  # agents without a stream
    problems: tuple[Problem, ...]  # files or lines that could not be read
    times: FileTimes  # times at which its files were written
    is_undated: bool = False  # whether no file reports its time
    times_source: str | None = None  # source of `created_at`
    sessions: frozenset[str] = frozenset()  # session ids in its streams

    @property
    def is_partial(self) -> bool:
        """Whether the run may have spent more than is known."""
        return not is_whole(self.cost_basis, self.agents)

    @property
    def copy_of(self) -> str | None:
        """The original run that counts all of this run's spending; None: this run counts it itself."""
        return original_of(self.agents) if self.cost_basis is None else None

    @property
    def agent_names(self) -> set[str]:
        """Names of the run's agents, with and without a stream."""
        return {*(agent["agent"] for agent in self.agents if agent.get("agent")), *self.silent_agents}


@use_configured_prices()
def folder_costs(
    *agents_dirs: FolderPath | str, project: str | None = None, kinds: Sequence[str] = GROUPINGS
) -> dict[str, Any]:
    """Compute the costs of the runs in these folders: sums, and under `by` the groups of each kind.

    Groups are sorted by cost, highest first. Copies of other runs are only counted in `copies`; grouped by
    run they are listed last. If there are several folders, paths start with the path or URL of their folder,
    and so do the names of runs whose name is already taken.
    Raises AgentsFolderError if a folder cannot be listed, and ConfigError if own prices are invalid.
    """
    projects = [scanner.search_project(to_path(agents_dir)) for agents_dir in agents_dirs]
    roots = list(dict.fromkeys(root for project_folders in projects for root in project_folders.folders))
    run_by_name: dict[str, RunCost] = {}
    problems = [problem for project_folders in projects for problem in project_folders.unread()]
    for root in roots:
        walk = walk_agents_folder(root)
        for run in compute_run_costs(root, walk):
            name = run.id if run.id not in run_by_name else join_url(str(root), run.id)
            run_by_name[name] = replace(run, id=name)
            problems += _with_root(run.problems, root, len(roots))
        problems += _with_root(walk.problems, root, len(roots))
    counted_runs = [run for run in _count_messages_once(list(run_by_name.values())) if run.status is not None]
    runs = [run for run in counted_runs if run.copy_of is None]
    copies = [run for run in counted_runs if run.copy_of is not None]
    agents = [agent for run in runs for agent in run.agents]
    models = _entries_by_model(runs)
    unpriced = Counter[str | None]()
    for model, _, entry in models:
        unpriced[model] += entry.get("unpriced_tokens") or 0
    unpriced = +unpriced
    return {
        "agents_dir": str(roots[0]),
        "folders": [str(root) for root in roots],
        "project": project if project is not None else scanner.project_name(roots[0]),
        "runs": len(runs),
        "copies": len(copies),
        "agent_runs": len(agents),
        **sum_costs(agents),
        "partial": any(run.is_partial for run in runs),
        "runs_without_cost": sum(map(_has_unknown_cost, runs)),
        "unpriced_models": sorted(filter(None, unpriced)),
        "unpriced_by_model": [
            {"name": name, "tokens": tokens}
            for name, tokens in sorted(unpriced.items(), key=lambda item: (item[0] is None, item[0] or ""))
        ],
        "by": {kind: _groups(kind, runs, copies, models) for kind in kinds},
        "problems": [problem.as_dict() for problem in problems],
    }


def _has_unknown_cost(run: RunCost) -> bool:
    """Return whether a run has neither a recorded cost nor a lower bound."""
    return all(agent_cost(agent).minimum is None for agent in run.agents)


def _with_root(problems: Iterable[Problem], root: FolderPath, folders: int) -> list[Problem]:
    """Prefix the paths of problems with their folder, if there are several folders."""
    if folders == 1:
        return list(problems)
    return [replace(problem, path=join_url(str(root), problem.path)) for problem in problems]


def compute_run_costs(root: FolderPath, folders: Iterable[RunFolder]) -> Iterator[RunCost]:
    """Yield the cost of each run; file times of a copy date no run and select no prices."""
    now = datetime.now(UTC)
    tasks = batch_by_size(folders, lambda folder: folder.size, RUNS_PER_TASK, BYTES_PER_TASK)
    function = TaskFunction(partial(_read_costs, now=now, prices=current_prices()))
    with open_backend(None, None, root) as engine:
        runs = [
            run for group in run_tasks(function, tasks, _estimated_seconds, engine=engine) for run in group
        ]
    time_judge = FileTimeJudge(run.times for run in runs)
    times = {run.id: run.times for run in runs}
    misjudged_ids = set(time_judge.misjudged(times))
    doubtful_ids = misjudged_ids | {run.id for run in runs if run.is_undated and run.times.file_times != LIVE}
    commits = commits_of(root) if doubtful_ids else NO_COMMITS
    ids_with_messages = _ids_to_read_with_messages(runs)
    ids = ids_with_messages | (doubtful_ids if commits.times else misjudged_ids)
    folders_to_reread = {folder.id: folder for folder in find_runs(root, ids)} if ids else {}
    for number, run in enumerate(runs):
        folder, judgement = folders_to_reread.get(run.id), time_judge.judge(run.times)
        commit_time = commits.time_of(folder) if folder else None
        whole = run.id in ids_with_messages
        if folder is not None and (commit_time or run.id in misjudged_ids or whole):
            reread = _run_cost_or_problem(folder, now, judgement, commit_time, with_messages=whole)
            runs[number] = reread or run
    yield from runs


def _ids_to_read_with_messages(runs: Sequence[RunCost]) -> set[str]:
    """Return ids of runs that must be read with their messages, since another run may have the same ones.

    A stream only has messages of its own session; a Claude transcript may repeat those of any session.
    """
    if any(claim.facts and claim.facts.format in SESSION_FORMATS for run in runs for claim in run.claims):
        return {run.id for run in runs if run.without_messages}
    repeated_sessions = in_several(run.sessions for run in runs)
    return {run.id for run in runs if run.without_messages and not repeated_sessions.isdisjoint(run.sessions)}


def _count_messages_once(runs: Sequence[RunCost]) -> Iterator[RunCost]:
    """Yield the runs with each message and each result counted in one run only."""
    numbers_by_unit: dict[Unit, set[int]] = defaultdict(set)
    for number, run in enumerate(runs):
        for unit in units_of(run.claims):
            numbers_by_unit[unit].add(number)
    sharing_numbers = {
        number for sharing in numbers_by_unit.values() if len(sharing) > 1 for number in sharing
    }
    claims = {(number, *claim.name): claim for number in sharing_numbers for claim in runs[number].claims}
    written_by_number = first_written(claims)
    ranks = {
        name: (written_by_number[name[0]], len(runs[name[0]].id), runs[name[0]].id, name[1], name[2] or "")
        for name in claims
    }
    shares = assign_shares({name: claim.spender for name, claim in claims.items()}, ranks)
    parts = thread_parts(claims, shares, ranks)
    for number, run in enumerate(runs):
        yield run if number not in sharing_numbers else _with_own_share(run, number, shares, parts, runs)


def _with_own_share(
    run: RunCost,
    number: int,
    shares: Mapping[Any, Share],
    parts: Mapping[Any, StreamFacts],
    runs: Sequence[RunCost],
) -> RunCost:
    def display_name(name: tuple[int, str, str | None]) -> str:
        return name[1] if name[0] == number else f"{runs[name[0]].id}: {name[1]}"

    own_claims = {claim.name: claim for claim in run.claims}
    own_shares = {name: shares[number, *name] for name in own_claims}
    own_parts = {name: part for name in own_claims if (part := parts.get((number, *name)))}
    agents, _ = with_shares(run.agents, own_claims, own_shares, own_parts, display_name)
    basis = cost_data(agents).get("cost_basis")
    originals = originals_of(agents) if run.silent_agents else ()
    counted_elsewhere = (
        {name for other in runs if other.id in originals for name in other.agent_names}
        if originals
        else set()
    )
    basis = run_basis(basis, agents, run.silent_agents, counted_elsewhere)
    started = own_times({"times_source": run.times_source}, agents).get("created_at")
    created_at = run.created_at if started is None else _with_zone(started.isoformat())
    return replace(run, agents=agents, cost_basis=basis, created_at=created_at)


def _estimated_seconds(folders: Sequence[RunFolder]) -> float:
    return sum(SECONDS_PER_RUN + folder.size * SECONDS_PER_BYTE for folder in folders)


def _read_costs(folders: Sequence[RunFolder], now: datetime, prices: OwnPrices) -> list[RunCost]:
    with use_prices(prices):
        costs = [_run_cost_or_problem(folder, now) for folder in folders]
    return [run for run in costs if run is not None]


def _run_cost_or_problem(
    folder: RunFolder,
    now: datetime,
    judgement: str = OWN,
    commit_time: datetime | None = None,
    *,
    with_messages: bool = False,
) -> RunCost | None:
    """Read the costs of one run; an error becomes a problem of the run and does not affect others."""
    try:
        return _run_cost(folder, now, judgement, commit_time, with_messages=with_messages)
    except PER_RUN_ERRORS as error:
        problem = Problem(folder.id, f"it cannot be read: {type(error).__name__}: {error}")
        return _unreadable_run(folder, (problem,))


def _unreadable_run(folder: RunFolder, problems: tuple[Problem, ...]) -> RunCost:
    """Return the cost record of a run that could not be read."""
    return RunCost(
        folder.id, None, None, None, None, [], (), False, (), problems, FileTimes(OWN, *folder.file_times)
    )


def _run_cost(
    folder: RunFolder, now: datetime, judgement: str, commit_time: datetime | None, *, with_messages: bool
) -> RunCost | None:
    facts = read_run(folder) if with_messages else read_spending(folder)
    errors = tuple(problem for problem in facts.problems if _means_missing_cost(problem))
    if not shows_a_run(facts):
        return _unreadable_run(folder, errors) if errors else None
    final_judgement = judge_file_times(facts.evidence, facts.folder, judgement, commit_time)
    times = FileTimes(final_judgement, *facts.folder.file_times)
    scanned = build_run(facts, times, now=now, committed=commit_time)
    workflow, claims = with_claims(scanned.workflow, scanned.streams)
    return RunCost(
        facts.id,
        _created_at(workflow),
        workflow["utc_offset_minutes"],
        workflow["status"],
        workflow.get("cost_basis"),
        [
            cast("AgentRun", {key: agent.get(key) for key in _AGENT_FIELDS})
            for agent in workflow.get("phase_costs") or ()
        ],
        tuple([structs.replace(claim, written=scanned.written.get(claim.path)) for claim in claims]),
        not with_messages
        and any(stream.format == StreamFormat.CLAUDE and not stream.messages for stream in facts.streams),
        tuple(workflow.get("agents_without_stream") or ()),
        errors,
        times,
        workflow["times_basis"] != TimeBasis.REPORTED,
        workflow["times_source"],
        frozenset().union(*map(sessions_of, facts.streams)),
    )


def _means_missing_cost(problem: Problem) -> bool:
    """Return whether a problem means that some spending is not counted."""
    return problem.severity == Severity.ERROR or problem.reason in (UNKNOWN_KIND, CUT_OFF)


def _created_at(workflow: Workflow) -> str | None:
    """Return a run's creation time in the format of a history: without a time zone if that is unknown."""
    created_at: str | None = workflow["created_at"]
    return None if created_at is None else _with_zone(created_at, "Z" if workflow["time_zone_known"] else "")


def _with_zone(utc: str, zone: str = "Z") -> str:
    return utc.replace("+00:00", zone)


def _entries_by_model(runs: Iterable[RunCost]) -> list[tuple[str | None, str, Mapping[str, Any]]]:
    """Return (model, run id, entry) per model of each agent run, or the agent run if no model is known."""
    agents: list[tuple[str, Mapping[str, Any]]] = [(run.id, agent) for run in runs for agent in run.agents]
    return [
        (entry["model"], run_id, entry) for run_id, agent in agents for entry in agent["models"] or [agent]
    ]


def _groups(
    kind: str,
    runs: Sequence[RunCost],
    copies: Sequence[RunCost],
    models: Sequence[tuple[str | None, str, Mapping[str, Any]]],
) -> list[dict[str, Any]]:
    """Return the sums of each group of a kind, highest cost first; `copies` are only listed by run."""
    if kind == "run":
        run_entries = map(_run_entry, (*runs, *copies))
        return sorted(
            run_entries, key=lambda run: (run["copy_of"] is not None, -minimum_cost(run), run["name"])
        )
    known_run_ids = {
        run.id for run in runs if run.silent_agents or any(a["outcome"] != Outcome.EMPTY for a in run.agents)
    }
    entries: list[tuple[str | None, str, Mapping[str, Any]]]
    if kind == "model":
        entries = [*models, *((None, run.id, _NO_STREAM) for run in runs if run.silent_agents)]
    else:
        entries = [
            (cast("Mapping[str, Any]", agent)[kind], run.id, agent) for run in runs for agent in run.agents
        ]
        entries += [
            (classify_phase(name) if kind == "phase" else name, run.id, _NO_STREAM)
            for run in runs
            for name in run.silent_agents
        ]
    groups = _sum_by_name(entries, known_run_ids)
    return sorted(groups, key=lambda entry: (-minimum_cost(entry), str(entry["name"])))


def _sum_by_name(
    entries: Iterable[tuple[str | None, str, Mapping[str, Any]]], known_run_ids: AbstractSet[str]
) -> list[dict[str, Any]]:
    """Sum entries by name; runs in `known_run_ids` have a non-empty stream or an agent without a stream."""
    groups: dict[str | None, list[Mapping[str, Any]]] = {}
    run_ids: dict[str | None, set[str]] = {}
    accounted_ids: dict[str | None, set[str]] = defaultdict(set)
    for name, run_id, entry in entries:
        groups.setdefault(name, []).append(entry)
        run_ids.setdefault(name, set()).add(run_id)
        if _has_known_spending(entry) or (entry.get("outcome") == Outcome.EMPTY and run_id in known_run_ids):
            accounted_ids[name].add(run_id)
    return [
        _group(name, group, len(run_ids[name]), all_known=run_ids[name] == accounted_ids[name])
        for name, group in groups.items()
    ]


def _has_known_spending(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry's spending is known, here or in the stream that it duplicates."""
    amounts = (entry.get("cost"), entry.get("lower_bound_cost"), entry.get("duplicate_of"))
    return any(amount is not None for amount in amounts)


def _group(
    name: str | None, entries: Sequence[Mapping[str, Any]], runs: int, *, all_known: bool
) -> dict[str, Any]:
    """Return the sums of a group; they are a lower bound if the spending of some run is unknown."""
    sums = sum_costs(entries)
    return {
        "name": name,
        "runs": runs,
        "agent_runs": sum(entry is not _NO_STREAM for entry in entries),
        **sums,
        "partial": sums["partial"] or not all_known,
    }


def _run_entry(run: RunCost) -> dict[str, Any]:
    return {
        "name": run.id,
        "created_at": run.created_at,
        "utc_offset_minutes": run.utc_offset_minutes,
        "status": run.status,
        "cost_basis": run.cost_basis,
        "copy_of": run.copy_of,
        "agent_runs": len(run.agents),
        **sum_costs(run.agents),
        "partial": run.is_partial,
    }
