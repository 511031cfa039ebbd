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

from ..common.models import Problem, Severity, StreamFacts, Workflow
from ..common.spending import ANOTHER_RUN, is_copy, originals_of, run_basis
from ..common.urls import files_folder
from ..costs.accounting import cost_data
from ..costs.accounting.deduplication import Share, Spender, Unit, assign_shares, pack_units, unpack_units
from ..costs.accounting.message_claims import (
    Attempt,
    Claim,
    Elsewhere,
    doubts_about_turns,
    first_written,
    thread_parts,
    units_of,
    unseen_subagents_of,
    with_elsewhere,
    with_shares,
)
from ..costs.accounting.missing_parts import agent_names, unseen_problem
from ..enrichment import with_sums
from ..ingest.streams.line_parser import MAX_PROBLEMS
from ..storage.history import History
from ..storage.rows.column_types import TIMES_OF_A_RUN, from_time, to_timestamp
from .merge_fields import REPLACED_FIELDS, add_scores, strip_derived
from .own_times import own_times, repeats_other_run
from .pattern_detection import BUILTIN, HOST

AnyRecord = TypeVar("AnyRecord", bound=Mapping[str, Any])

StreamName = tuple[int, str, str | None]  # key of the run, path of the stream, hash of its first line


class SettledShares(NamedTuple):
    """Result of settling the shares of runs with messages in common."""

    changed: frozenset[int] = frozenset()  # keys of the runs whose costs or times changed
    keys_to_reread: frozenset[int] = frozenset()  # keys of runs to read again for their requests and patterns


class RecomputedShares(NamedTuple):
    """Runs with messages in common, by database key, and their recomputed shares."""

    runs: dict[int, Workflow]  # all of these runs, as stored
    changed: dict[int, Workflow]  # runs whose costs or times changed
    claims: dict[int, list[Claim]]  # claims of the runs whose claims changed
    keys_to_clear: list[int]  # runs whose stored patterns include messages that another run counts now
    keys_to_reread: list[int]  # runs to read again, since other runs count different messages of them now
    shares: dict[int, list[tuple[Claim, Share]]]  # claims of the changed runs with their shares


def settle_shares(history: History, keys: Iterable[int]) -> SettledShares:
    """Update the costs and times of these runs and of all runs that have messages in common with them.

    Scores of changed runs are computed again, and their lists of similar runs are marked as outdated.
    Patterns detected in messages that another run counts are deleted. The runs have to be read again: then
    their patterns, requests and tool calls are found without those messages.
    """
    recomputed = recompute_shares(history, keys)
    if not recomputed.runs:
        return SettledShares()
    history.replace_claims(recomputed.claims)
    for key, shares in recomputed.shares.items():
        _store_problems(history, key, recomputed.runs[key], shares)
    history.save([strip_derived(run) for run in recomputed.changed.values()], replace=REPLACED_FIELDS)
    current_runs = {**recomputed.runs, **recomputed.changed}
    copy_keys = [key for key, run in current_runs.items() if is_copy(run.get("phase_costs") or ())]
    for detector in (BUILTIN, HOST):
        history.save_pattern_rows(
            dict.fromkeys([*copy_keys, *recomputed.keys_to_clear], ()), detector=detector
        )
    history.clear_fingerprints(recomputed.keys_to_reread)
    return SettledShares(frozenset(recomputed.changed), frozenset(recomputed.keys_to_reread))


def recompute_shares(
    history: History, keys: Iterable[int], *, without: AbstractSet[int] = frozenset()
) -> RecomputedShares:
    """Compute the shares of these runs and of all runs that have messages in common; store nothing.

    Runs in `without` are ignored as if they did not exist.
    """
    claims_by_run = {
        key: claims for key, claims in history.connected_claims(keys).items() if key not in without
    }
    runs = history.read(sorted(claims_by_run))
    claims = {
        (key, *claim.name): claim
        for key, run in runs.items()
        for claim in claims_by_run[key]
        if claim.name in {(agent.get("path"), agent.get("identity")) for agent in run["phase_costs"]}
    }
    shares, parts = _shares_and_parts(claims, runs)
    result = RecomputedShares(runs, {}, {}, [], [], {})
    run_by_name = {_run_name(run): run for run in runs.values()}
    for key, run in runs.items():
        own_claims = {name[1:]: claim for name, claim in claims.items() if name[0] == key}
        agent_records, kept_claims = with_shares(
            run.get("phase_costs") or (),
            own_claims,
            {name: shares[key, *name] for name in own_claims},
            {name: part for name in own_claims if (part := parts.get((key, *name)))},
            partial(_stream_name, key=key, runs=runs),
        )
        agents = [_with_stored_times(agent, "timestamp") for agent in agent_records]
        has_changed = agents != run.get("phase_costs")
        times: dict[str, Any] = {}
        if has_changed or any(map(repeats_other_run, agents)):
            times = _with_stored_times(own_times(run, agents), *TIMES_OF_A_RUN)
            has_changed |= any(run.get(name) != times[name] for name in times)
        new_claims = [
            with_elsewhere(claim, _elsewhere(shares[key, *claim.name], key)) for claim in kept_claims
        ]
        old_units, new_units = _excluded_units(own_claims.values()), _excluded_units(new_claims)
        has_new_repeats = any(own_claims[claim.name].repeated != claim.repeated for claim in new_claims)
        must_reread = has_new_repeats or (old_units != new_units and not is_copy(agents))
        if new_units - old_units:
            result.keys_to_clear.append(key)
        if must_reread:
            result.keys_to_reread.append(key)
        if has_changed or old_units != new_units or must_reread:
            others = (claim for claim in claims_by_run[key] if claim.name not in own_claims)
            result.claims[key] = [*new_claims, *others]
        silent_agents = run.get("agents_without_stream") or ()
        originals = [
            run_by_name[name] for name in originals_of(agents) if name in run_by_name and silent_agents
        ]
        counted_elsewhere = {agent for original in originals for agent in agent_names(original)}
        if silent_agents and is_copy(agents):
            has_changed |= run.get("cost_basis") != run_basis(None, agents, silent_agents, counted_elsewhere)
        if has_changed:
            updated = with_sums({**run, **times}, cost_data(agents), counted_elsewhere=counted_elsewhere)
            result.changed[key] = add_scores(updated)
            result.shares[key] = [(claim, shares[key, *name]) for name, claim in own_claims.items()]
    return result


def _shares_and_parts(
    claims: Mapping[StreamName, Claim], runs: Mapping[int, Workflow]
) -> tuple[dict[Any, Share], dict[Any, StreamFacts]]:
    """Return the share of each stream, and the parts of threads, by stream.

    The original of equal streams is in the run that was written first; a copy usually has the longer name.
    """
    written = first_written(claims)
    ranks = {
        (key, path, identity): (
            written[key],
            len(runs[key]["id"]),
            runs[key].get("project") or "",
            runs[key]["id"],
            path,
            identity or "",
        )
        for key, path, identity in claims
    }
    spenders: dict[Any, Spender] = {name: claim.spender for name, claim in claims.items()}
    shares: dict[Any, Share] = assign_shares(spenders, ranks)
    return shares, thread_parts(claims, shares, ranks)


def _elsewhere(share: Share, key: int) -> Elsewhere:
    """Return the units of a stream that runs other than this one count."""
    units_by_kind = (share.others, share.repeated)
    return Elsewhere(
        *(
            pack_units(sorted(unit for unit, owner in units.items() if owner[0] != key))
            for units in units_by_kind
        )
    )


def _excluded_units(claims: Iterable[Claim]) -> set[tuple[Attempt, Unit]]:
    """Return the units that were excluded when a run's patterns were detected."""
    return {(claim.name, unit) for claim in claims for unit in unpack_units(claim.elsewhere)}


def _store_problems(history: History, key: int, run: Workflow, claims: Iterable[tuple[Claim, Share]]) -> None:
    """Store the problems of a run that depend on other runs.

    A sub-agent without a transcript is a problem of the run that called it. Doubts about an output's totals,
    such as an unknown model, are none if the thread's session has its messages.
    """
    removed: list[Problem] = []
    added: list[Problem] = []
    for claim, share in claims:
        own_agents, other_agents = unseen_subagents_of(claim, share)
        path = "/".join(filter(None, (files_folder(run), claim.path)))
        removed += [unseen_problem(agent, path) for agent in other_agents]
        added += [unseen_problem(agent, path) for agent in own_agents[:MAX_PROBLEMS]]
        doubts = [Problem(path, reason, line, Severity.WARNING) for line, reason in doubts_about_turns(claim)]
        has_messages = share.duplicate_of is None and not share.record
        (removed if has_messages else added).extend(doubts[:MAX_PROBLEMS])
    history.replace_run_problems(run.get("agents_dir") or "", key, removed, added)


def runs_to_settle(
    history: History, stored_claims: Mapping[int, Iterable[Claim]], new_keys: AbstractSet[int]
) -> set[int]:
    """Return the keys of the runs whose shares must be computed after these runs and claims were stored.

    A run with no messages in common with others and no superseded attempts counts all of its spending.
    """
    known_claims = history.claims([key for key in stored_claims if key not in new_keys])
    units = units_of(
        claim for claims in (*stored_claims.values(), *known_claims.values()) for claim in claims
    )
    keys = {
        key
        for key, claims in known_claims.items()
        if len({claim.path for claim in claims}) < len(claims)
        or any(claim.unshared_fields for claim in claims)
    }
    return keys | (history.runs_sharing(units) if units else set())


def with_full_spending(run: Workflow, claims: Iterable[Claim]) -> Workflow:
    """Return a stored run with the full spending of each of its streams, including parts that others count.

    The current content of its files is compared with that.
    """
    full_records = {
        claim.name: claim.unshared_fields for claim in claims if claim.unshared_fields is not None
    }
    if not full_records:
        return run
    agents = [
        {**agent, **(full_records.get((agent.get("path"), agent.get("identity"))) or {})}
        for agent in run["phase_costs"]
    ]
    return {**run, "phase_costs": agents}


def _with_stored_times(record: AnyRecord, *names: str) -> AnyRecord:
    """Return a record with times in the format of a history, so that equal times compare as equal."""
    times = {name: from_time(to_timestamp(record[name])) for name in names if record.get(name)}
    return cast("AnyRecord", {**record, **times})


def _stream_name(name: StreamName, *, key: int, runs: Mapping[int, Workflow]) -> str:
    """Return the name of a stream in a record of the run `key`: its path, after the run if it is another."""
    owner, path, _ = name
    if owner == key:
        return path
    return f"{_run_name(runs[owner])}{ANOTHER_RUN}{path}"


def _run_name(run: Workflow) -> str:
    return f"{run['project']}/{run['id']}" if run.get("project") else run["id"]
