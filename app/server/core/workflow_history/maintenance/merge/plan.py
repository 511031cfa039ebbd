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
    as_earlier,
    elsewhere_of,
    is_one_stream,
    packed,
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
    groups = [group for group in _groups(own, theirs) if group.runs]
    wholes = [_whole(group) for group in groups]
    called = [[str(run.workflow["id"]) for run in group.runs] for group in groups]
    plan = MergePlan()
    for group, whole, name in zip(
        groups, wholes, assign_names([whole.workflow for whole in wholes], called), strict=True
    ):
        _decide(plan, group, replace(whole, workflow={**whole.workflow, "id": name}))
    return plan


def _groups(own: Mapping[int, CompleteRun], theirs: Sequence[CompleteRun]) -> list[_Group]:
    """Group versions of the same run, also two that are only connected by a third."""
    groups: list[_Group] = []
    for key, run in [*own.items(), *((None, run) for run in theirs)]:
        near = [group for group in groups if any(_same(run, other) for other in group.runs)]
        into = near[0] if near else _Group()
        for more in near[1:]:
            into.own |= more.own
            into.theirs += more.theirs
            groups.remove(more)
        if not near:
            groups.append(into)
        if key is None:
            into.theirs.append(run)
        else:
            into.own[key] = run
    return groups


def _same(one: CompleteRun, other: CompleteRun) -> bool:
    return is_same_run(one.workflow, other.workflow)


def _whole(group: _Group) -> CompleteRun:
    """Combine all versions of one run; the patterns are those of the latest version with patterns."""
    runs = _told_apart(sorted(group.runs, key=lambda run: version_sort_key(run.workflow)))
    latest = runs[-1]
    learner = next((run for run in reversed(runs) if run.patterns), latest)
    without = elsewhere_of(learner.claims)
    claims = _claims(runs)
    whole = merge_versions(
        [run.workflow for run in runs], {name: claim.written for name, claim in claims.items()}
    )
    learnt = [with_elsewhere(claim, without.get(name, Elsewhere())) for name, claim in claims.items()]
    return replace(latest, workflow=whole, patterns=learner.patterns, claims=tuple(learnt))


def _told_apart(runs: Sequence[CompleteRun]) -> list[CompleteRun]:
    """Return versions of a run; an attempt that differs from the latest one of its name is an earlier one."""
    latest = {claim.name: claim for run in runs for claim in run.claims}
    return [_with_earlier(run, latest) for run in runs]


def _with_earlier(run: CompleteRun, latest: Mapping[Attempt, Claim]) -> CompleteRun:
    own = {claim.name for claim in run.claims}
    earlier = {
        claim.name: other
        for claim in run.claims
        if (other := as_earlier(claim)).name not in own
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


def _claims(runs: Iterable[CompleteRun]) -> dict[Attempt, Claim]:
    """Return the most complete claim of each attempt, with its earliest time of writing."""
    every: dict[Attempt, list[Claim]] = defaultdict(list)
    for claim in (claim for run in runs for claim in run.claims):
        every[claim.name].append(claim)
    return {name: reduce(with_first_written, own, max(own, key=_knowledge)) for name, own in every.items()}


def _knowledge(claim: Claim) -> tuple[int, int, bool, bytes]:
    """Return a sort key for claims of one attempt; the most complete one sorts last."""
    told = packed(structs.replace(claim, written=None))
    return claim.naming, len(claim.units), claim.alone is not None, told


def _decide(plan: MergePlan, group: _Group, whole: CompleteRun) -> None:
    seen = min((at for run in group.runs if (at := run.workflow.get("first_seen_at"))), default=None)
    plan.renamed_count += all(run.workflow["id"] != whole.workflow["id"] for run in group.runs)
    if not group.own:
        plan.inserted.append(replace(whole, workflow={**whole.workflow, "first_seen_at": seen}))
        return
    key, kept = min(group.own.items())
    plan.removed += [other for other in group.own if other != key]
    if kept.workflow["id"] != whole.workflow["id"]:
        plan.renamed[key] = whole.workflow["id"]
    if seen is not None and seen != kept.workflow.get("first_seen_at"):
        plan.first_seen[key] = seen
    if _said(kept) == _said(whole):
        plan.unchanged += len(group.theirs)
    else:
        plan.updated[key] = whole


def _said(run: CompleteRun) -> tuple[object, ...]:
    learnt = {name: rows for name, rows in run.patterns.items() if rows}
    written = {claim.name: claim.written for claim in run.claims}
    return canonical_json({**run.workflow, "id": None}), learnt, written
