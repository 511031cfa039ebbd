"""Plan the merge of runs with the same name: runs of two histories in, a MergePlan out. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from msgspec import structs

from ...costs.accounting.message_claims import (
    Attempt,
    Claim,
    Elsewhere,
    elsewhere_of,
    encode_claim,
    is_one_stream,
    to_replaced_claim,
    with_elsewhere,
    with_first_written,
)
from ...pipeline.run_identity import is_same_run
from ...storage.merge_store import CompleteRun
from .name_conflicts import assign_names
from .versions import canonical_json, merge_versions, version_sort_key


@dataclass(slots=True)
class MergePlan:
    """Changes of a merge to this history; its runs are identified by their keys."""

    inserted: list[CompleteRun] = field(default_factory=list)
    updated: dict[int, CompleteRun] = field(default_factory=dict)
    renamed: dict[int, str] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)  # runs that are the same as another one
    first_seen: dict[int, str] = field(default_factory=dict)  # earlier times than the stored ones, ISO 8601
    unchanged: int = 0  # number of runs of the other history that change nothing
    renamed_count: int = 0  # number of runs with a new id, because another run has theirs

    @property
    def has_changes(self) -> bool:
        """Whether the plan has anything to store."""
        return bool(self.inserted or self.updated or self.renamed or self.removed or self.first_seen)

    def extend(self, other: MergePlan) -> None:
        """Add the changes of another plan."""
        self.inserted += other.inserted
        self.updated |= other.updated
        self.renamed |= other.renamed
        self.removed += other.removed
        self.first_seen |= other.first_seen
        self.unchanged += other.unchanged
        self.renamed_count += other.renamed_count


@dataclass(slots=True)
class _Group:
    """The versions of one run in both histories."""

    own: dict[int, CompleteRun] = field(default_factory=dict)  # by key
    theirs: list[CompleteRun] = field(default_factory=list)

    @property
    def runs(self) -> list[CompleteRun]:
        return [*self.own.values(), *self.theirs]


def plan_merge(own: Mapping[int, CompleteRun], theirs: Sequence[CompleteRun]) -> MergePlan:
    """Plan the merge of runs of one project that have the same name, apart from suffixes."""
    groups = [group for group in _group_versions(own, theirs) if group.runs]
    merged_runs = [_combine_versions(group) for group in groups]
    current_ids = [[str(run.workflow["id"]) for run in group.runs] for group in groups]
    plan = MergePlan()
    names = assign_names([merged.workflow for merged in merged_runs], current_ids)
    for group, merged, name in zip(groups, merged_runs, names, strict=True):
        _add_to_plan(plan, group, replace(merged, workflow={**merged.workflow, "id": name}))
    return plan


def _group_versions(own: Mapping[int, CompleteRun], theirs: Sequence[CompleteRun]) -> list[_Group]:
    """Group versions of the same run, also two that are only connected by a third."""
    groups: list[_Group] = []
    for key, run in [*own.items(), *((None, run) for run in theirs)]:
        matching = [
            group
            for group in groups
            if any(is_same_run(run.workflow, other.workflow) for other in group.runs)
        ]
        target = matching[0] if matching else _Group()
        for group in matching[1:]:
            target.own |= group.own
            target.theirs += group.theirs
            groups.remove(group)
        if not matching:
            groups.append(target)
        if key is None:
            target.theirs.append(run)
        else:
            target.own[key] = run
    return groups


def _combine_versions(group: _Group) -> CompleteRun:
    """Combine all versions of one run; the patterns are those of the latest version with patterns."""
    runs = sorted(group.runs, key=lambda run: version_sort_key(run.workflow))
    # An attempt that differs from the latest one of its name is an earlier one.
    latest_claims = {claim.name: claim for run in runs for claim in run.claims}
    runs = [_mark_earlier(run, latest_claims) for run in runs]
    latest = runs[-1]
    with_patterns = next((run for run in reversed(runs) if run.patterns), latest)
    elsewhere = elsewhere_of(with_patterns.claims)
    claims = _merge_claims(runs)
    workflow = merge_versions(
        [run.workflow for run in runs], {name: claim.written for name, claim in claims.items()}
    )
    merged_claims = [
        with_elsewhere(claim, elsewhere.get(name, Elsewhere())) for name, claim in claims.items()
    ]
    return replace(latest, workflow=workflow, patterns=with_patterns.patterns, claims=tuple(merged_claims))


def _mark_earlier(run: CompleteRun, latest: Mapping[Attempt, Claim]) -> CompleteRun:
    names = {claim.name for claim in run.claims}
    earlier = {
        claim.name: other
        for claim in run.claims
        if (other := to_replaced_claim(claim)).name not in names
        and (other.name in latest or not is_one_stream(claim, latest[claim.name]))
    }
    if not earlier:
        return run
    agents = [
        {**agent, "identity": earlier[name].identity}
        if (name := (agent.get("path") or "", agent.get("identity"))) in earlier
        else agent
        for agent in run.workflow["phase_costs"]
    ]
    claims = tuple([earlier.get(claim.name, claim) for claim in run.claims])
    return replace(run, workflow={**run.workflow, "phase_costs": agents}, claims=claims)


def _merge_claims(runs: Iterable[CompleteRun]) -> dict[Attempt, Claim]:
    """Return the most complete claim of each attempt, with its earliest time of writing."""
    by_attempt: dict[Attempt, list[Claim]] = defaultdict(list)
    for claim in (claim for run in runs for claim in run.claims):
        by_attempt[claim.name].append(claim)
    return {
        name: reduce(with_first_written, claims, max(claims, key=_completeness_sort_key))
        for name, claims in by_attempt.items()
    }


def _completeness_sort_key(claim: Claim) -> tuple[int, int, bool, bytes]:
    """Return a sort key for claims of one attempt; the most complete one sorts last."""
    return (
        claim.unit_rules_version,
        len(claim.units),
        claim.unshared_fields is not None,
        encode_claim(structs.replace(claim, written=None)),
    )


def _add_to_plan(plan: MergePlan, group: _Group, merged: CompleteRun) -> None:
    first_seen = min((at for run in group.runs if (at := run.workflow.get("first_seen_at"))), default=None)
    plan.renamed_count += all(run.workflow["id"] != merged.workflow["id"] for run in group.runs)
    if not group.own:
        plan.inserted.append(replace(merged, workflow={**merged.workflow, "first_seen_at": first_seen}))
        return
    key, current = min(group.own.items())
    plan.removed += [other for other in group.own if other != key]
    if current.workflow["id"] != merged.workflow["id"]:
        plan.renamed[key] = merged.workflow["id"]
    if first_seen is not None and first_seen != current.workflow.get("first_seen_at"):
        plan.first_seen[key] = first_seen
    if _content(current) == _content(merged):
        plan.unchanged += len(group.theirs)
    else:
        plan.updated[key] = merged


def _content(run: CompleteRun) -> tuple[object, ...]:
    patterns = {name: rows for name, rows in run.patterns.items() if rows}
    written_times = {claim.name: claim.written for claim in run.claims}
    return canonical_json({**run.workflow, "id": None}), patterns, written_times
