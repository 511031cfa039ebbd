"""Count each message and each result once across all runs of a history.

A copy of a run folder, a forked session or a transcript of a run's session repeats messages that another run
has. Which run counts them depends on the runs alone (see `costs.accounting.deduplication`), never on the
order of syncs: whenever one of them changes, the shares of all that are connected by common messages are
computed again.
Called in the transaction that changes the runs, so that no message is ever counted twice or not at all.
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
    """What became of some runs that have messages in common."""

    changed: frozenset[int] = frozenset()  # keys of the runs whose costs are others now
    unlearnt: frozenset[int] = frozenset()  # keys of runs to be read again for what their own part tells


class Reckoned(NamedTuple):
    """Runs that have messages in common, by key, and what becomes of them."""

    runs: dict[int, Workflow]  # as they are stored
    changed: dict[int, Workflow]  # those whose costs are others now
    claims: dict[int, list[Claim]]  # of those whose claims are others now
    more: list[int]  # runs of whose messages others count more than their patterns were learnt without
    other: list[int]  # runs that are to be read again: others count others of their messages
    parts: dict[int, list[tuple[Claim, Share]]]  # the claims of changed runs, and their shares


def settle_shares(history: History, keys: Iterable[int]) -> Settled:
    """Bring the costs and times of these runs, and of all that have messages in common, up to date.

    The scores of runs whose costs changed are computed again; their lists of similar runs are marked as
    outdated. Patterns that were learnt from messages which another run counts are dropped: they are learnt
    again without those, as the run's request and its tool calls are.
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
    """Return these runs, all that have messages in common with them, and what they may count; store nothing.

    `without` these runs, as if they were not there.
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
    """Return the units of a stream that other runs than this one count."""
    both = (share.others, share.repeated)
    return Elsewhere(
        *(packed_units(sorted(u for u, owner in some.items() if owner[0] != key)) for some in both)
    )


def _units(claims: Iterable[Claim]) -> set[tuple[Attempt, Unit]]:
    """Return the units without which a run's patterns were learnt."""
    return {(claim.name, unit) for claim in claims for unit in unpacked_units(claim.elsewhere)}


def _name_unseen(history: History, key: int, run: Workflow, own: Iterable[tuple[Claim, Share]]) -> None:
    """Have a run name the sub-agents alone that it called by itself, and whose transcripts are not there."""
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
    """Return the keys of the runs whose shares are to be computed after these were stored with their claims.

    A run whose messages nobody else has, and which has no former attempts, counts all that it spent.
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
    """Return a stored run with what each of its streams spent by itself, whatever other runs count of it.

    What its files show now is compared with that.
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
    """Return a record with times as a history gives them back, so that equal ones are equal."""
    times = {name: from_time(to_timestamp(record[name])) for name in names if record.get(name)}
    return cast("AnyRecord", {**record, **times})


def _rank(run: Workflow, name: Name) -> tuple[Any, ...]:
    """Return what orders equal streams: a copy mostly has the longer name."""
    return len(run["id"]), run.get("project") or "", run["id"], name[1], name[2] or ""


def _called(name: Name, *, key: int, runs: Mapping[int, Workflow]) -> str:
    """Return what a stream is called in a record of the run with this key."""
    owner, path, _ = name
    if owner == key:
        return path
    return f"{_run_name(runs[owner])}{ANOTHER_RUN}{path}"


def _run_name(run: Workflow) -> str:
    return f"{run['project']}/{run['id']}" if run.get("project") else run["id"]
