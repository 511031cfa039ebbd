"""Count each message and each result once across all runs of a history.

A copy of a run folder, a forked session or a transcript of a run's session repeats messages of another run.
Which run counts them depends on the runs alone (see `costs.accounting.deduplication`), never on the order of
syncs. If one of these runs changes, the shares of all runs connected by common messages are computed again.
This happens in the transaction that changes the runs, so that no message is counted twice or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

from ..common.models import Problem, Workflow
from ..common.spending import ANOTHER_RUN, is_copy, originals_of, run_basis
from ..common.urls import files_folder
from ..costs.accounting import cost_data
from ..costs.accounting.deduplication import Share, Spender, Unit, packed_units, shares_of, unpacked_units
from ..costs.accounting.message_claims import (
    Attempt,
    Claim,
    Elsewhere,
    first_written,
    thread_parts,
    units_of,
    unseen_subagents_of,
    with_elsewhere,
    with_shares,
)
from ..costs.accounting.missing_parts import agent_names, unseen_problem
from ..enrichment import with_sums
from ..ingest.streams.reading import MAX_PROBLEMS
from ..storage.history import History
from ..storage.rows.column_types import TIMES_OF_A_RUN, from_time, to_timestamp
from .merge_fields import REPLACED_FIELDS, add_scores, strip_derived
from .own_times import own_times, repeats_another
from .pattern_detection import BUILTIN, HOST

AnyRecord = TypeVar("AnyRecord", bound=Mapping[str, Any])

Name = tuple[int, str, str | None]  # key of the run, path of the stream, hash of its first line


class Settled(NamedTuple):
    """Result of settling the shares of runs with messages in common."""

    changed: frozenset[int] = frozenset()  # keys of the runs whose costs or times changed
    unlearnt: frozenset[int] = frozenset()  # keys of runs to read again for their requests and patterns


class Reckoned(NamedTuple):
    """Runs with messages in common, by database key, and their recomputed shares."""

    runs: dict[int, Workflow]  # all of these runs, as stored
    changed: dict[int, Workflow]  # runs whose costs or times changed
    claims: dict[int, list[Claim]]  # claims of the runs whose claims changed
    more: list[int]  # runs whose stored patterns include messages that another run counts now
    other: list[int]  # runs to read again, since other runs count different messages of them now
    parts: dict[int, list[tuple[Claim, Share]]]  # claims of the changed runs with their shares


def settle_shares(history: History, keys: Iterable[int]) -> Settled:
    """Update the costs and times of these runs and of all runs that have messages in common with them.

    Scores of changed runs are computed again, and their lists of similar runs are marked as outdated.
    Patterns detected in messages that another run counts are deleted. The runs have to be read again: then
    their patterns, requests and tool calls are found without those messages.
    """
    found = shares_now(history, keys)
    if not found.runs:
        return Settled()
    history.replace_claims(found.claims)
    for key, parts in found.parts.items():
        _name_unseen(history, key, found.runs[key], parts)
    history.save([strip_derived(run) for run in found.changed.values()], replace=REPLACED_FIELDS)
    now = {**found.runs, **found.changed}
    copies = [key for key, run in now.items() if is_copy(run.get("phase_costs") or ())]
    for detector in (BUILTIN, HOST):
        history.save_pattern_rows(dict.fromkeys([*copies, *found.more], ()), detector=detector)
    history.clear_fingerprints(found.other)
    return Settled(frozenset(found.changed), frozenset(found.other))


def shares_now(history: History, keys: Iterable[int], *, without: AbstractSet[int] = frozenset()) -> Reckoned:
    """Compute the shares of these runs and of all runs that have messages in common; store nothing.

    Runs in `without` are ignored as if they did not exist.
    """
    group = {key: own for key, own in history.connected(keys).items() if key not in without}
    runs = history.read(sorted(group))
    claims = {
        (key, *claim.name): claim
        for key, run in runs.items()
        for claim in group[key]
        if claim.name in {(agent.get("path"), agent.get("identity")) for agent in run["phase_costs"]}
    }
    spenders: dict[Any, Spender] = {name: claim.spender for name, claim in claims.items()}
    written = first_written(claims)
    ranks = {name: (written[name[0]], *_rank(runs[name[0]], name)) for name in claims}
    shares: dict[Any, Share] = shares_of(spenders, ranks)
    parts = thread_parts(claims, shares, ranks)
    changed: dict[int, Workflow] = {}
    kept_claims: dict[int, list[Claim]] = {}
    more: list[int] = []
    other: list[int] = []
    parts_of: dict[int, list[tuple[Claim, Share]]] = {}
    named = {_run_name(run): run for run in runs.values()}
    for key, run in runs.items():
        own = {name[1:]: claim for name, claim in claims.items() if name[0] == key}
        found, kept = with_shares(
            run.get("phase_costs") or (),
            own,
            {name: shares[key, *name] for name in own},
            {name: part for name in own if (part := parts.get((key, *name)))},
            partial(_called, key=key, runs=runs),
        )
        agents = [_as_read(agent, "timestamp") for agent in found]
        is_other = agents != run.get("phase_costs")
        repeats = any(map(repeats_another, agents))
        times = _as_read(own_times(run, agents), *TIMES_OF_A_RUN) if is_other or repeats else {}
        learnt = [with_elsewhere(claim, _elsewhere(shares[key, *claim.name], key)) for claim in kept]
        before, after = _units(own.values()), _units(learnt)
        if before != after:
            more += [key] if after - before else []
        known = {claim.name: claim.repeated for claim in own.values()}
        is_told_anew = any(known[claim.name] != claim.repeated for claim in learnt)
        other += [key] if is_told_anew or (before != after and not is_copy(agents)) else []
        is_other |= any(run.get(name) != times[name] for name in times)
        if is_other or before != after or key in other:
            kept_claims[key] = [*learnt, *(c for c in group[key] if c.name not in own)]
        silent = run.get("agents_without_stream") or ()
        originals = [named[name] for name in originals_of(agents) if name in named] if silent else []
        counted_elsewhere = {agent for original in originals for agent in agent_names(original)}
        if silent and is_copy(agents):
            is_other |= run.get("cost_basis") != run_basis(None, agents, silent, counted_elsewhere)
        if is_other:
            added = with_sums({**run, **times}, cost_data(agents), counted_elsewhere=counted_elsewhere)
            changed[key] = add_scores(added)
            parts_of[key] = [(claim, shares[key, *name]) for name, claim in own.items()]
    return Reckoned(runs, changed, kept_claims, more, other, parts_of)


def _elsewhere(share: Share, key: int) -> Elsewhere:
    """Return the units of a stream that runs other than this one count."""
    both = (share.others, share.repeated)
    return Elsewhere(
        *(packed_units(sorted(u for u, owner in some.items() if owner[0] != key)) for some in both)
    )


def _units(claims: Iterable[Claim]) -> set[tuple[Attempt, Unit]]:
    """Return the units that were excluded when a run's patterns were detected."""
    return {(claim.name, unit) for claim in claims for unit in unpacked_units(claim.elsewhere)}


def _name_unseen(history: History, key: int, run: Workflow, own: Iterable[tuple[Claim, Share]]) -> None:
    """Store a problem for each sub-agent without a transcript, but only in the run that called it."""
    gone: list[Problem] = []
    come: list[Problem] = []
    for claim, share in own:
        mine, theirs = unseen_subagents_of(claim, share)
        shown = "/".join(filter(None, (files_folder(run), claim.path)))
        gone += [unseen_problem(agent, shown) for agent in theirs]
        come += [unseen_problem(agent, shown) for agent in mine[:MAX_PROBLEMS]]
    history.replace_run_problems(run.get("agents_dir") or "", key, gone, come)


def runs_to_settle(
    history: History, stored: Mapping[int, Iterable[Claim]], new: AbstractSet[int]
) -> set[int]:
    """Return the keys of the runs whose shares must be computed after these runs and claims were stored.

    A run with no messages in common with others and no superseded attempts counts all of its spending.
    """
    known = history.claims([key for key in stored if key not in new])
    units = units_of(claim for own in (*stored.values(), *known.values()) for claim in own)
    several = {
        key
        for key, own in known.items()
        if len({claim.path for claim in own}) < len(own) or any(claim.alone for claim in own)
    }
    return several | (history.sharing(units) if units else set())


def as_if_alone(run: Workflow, claims: Iterable[Claim]) -> Workflow:
    """Return a stored run with the full spending of each of its streams, including parts that others count.

    The current content of its files is compared with that.
    """
    alone = {claim.name: claim.alone for claim in claims if claim.alone is not None}
    if not alone:
        return run
    agents = [
        {**agent, **(alone.get((agent.get("path"), agent.get("identity"))) or {})}
        for agent in run["phase_costs"]
    ]
    return {**run, "phase_costs": agents}


def _as_read(record: AnyRecord, *names: str) -> AnyRecord:
    """Return a record with times in the format of a history, so that equal times compare as equal."""
    times = {name: from_time(to_timestamp(record[name])) for name in names if record.get(name)}
    return cast("AnyRecord", {**record, **times})


def _rank(run: Workflow, name: Name) -> tuple[Any, ...]:
    """Return the sort key of equal streams, the original first: a copy usually has the longer name."""
    return len(run["id"]), run.get("project") or "", run["id"], name[1], name[2] or ""


def _called(name: Name, *, key: int, runs: Mapping[int, Workflow]) -> str:
    """Return the name of a stream in a record of the run `key`: its path, after the run if it is another."""
    owner, path, _ = name
    if owner == key:
        return path
    return f"{_run_name(runs[owner])}{ANOTHER_RUN}{path}"


def _run_name(run: Workflow) -> str:
    return f"{run['project']}/{run['id']}" if run.get("project") else run["id"]
