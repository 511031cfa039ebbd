"""Decide what a merge does with some runs of one name: those of two histories in, what to store out. Pure."""

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
    """What becomes of some runs of this history; its runs go by their keys."""

    inserted: list[CompleteRun] = field(default_factory=list)
    updated: dict[int, CompleteRun] = field(default_factory=dict)
    renamed: dict[int, str] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)  # they are one with another
    first_seen: dict[int, str] = field(default_factory=dict)  # earlier than was known, ISO 8601
    unchanged: int = 0  # runs of the other history that bring nothing
    renamed_count: int = 0  # runs that got a name of their own, since another run has theirs

    @property
    def has_changes(self) -> bool:
        """Whether there is anything to store."""
        return bool(self.inserted or self.updated or self.renamed or self.removed or self.first_seen)

    def extend(self, other: MergePlan) -> None:
        """Take what becomes of other runs in."""
        self.inserted += other.inserted
        self.updated |= other.updated
        self.renamed |= other.renamed
        self.removed += other.removed
        self.first_seen |= other.first_seen
        self.unchanged += other.unchanged
        self.renamed_count += other.renamed_count


@dataclass(slots=True)
class _Group:
    """One run, as both histories have it."""

    own: dict[int, CompleteRun] = field(default_factory=dict)  # by key
    theirs: list[CompleteRun] = field(default_factory=list)

    @property
    def runs(self) -> list[CompleteRun]:
        return [*self.own.values(), *self.theirs]


def plan_merge(own: Mapping[int, CompleteRun], theirs: Sequence[CompleteRun]) -> MergePlan:
    """Return what to do with runs of one project and one name, apart from what was added to it."""
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
    """Put versions of the same run together: also two that only a third shows to be one."""
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
    """Return all that is known of one run. What it did again and again is as its latest version learnt it."""
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
    """Return versions of a run; an attempt of which the latest has something else is another one."""
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
    """Return each attempt's claim that saw most of it, with the earliest time at which that was written."""
    every: dict[Attempt, list[Claim]] = defaultdict(list)
    for claim in (claim for run in runs for claim in run.claims):
        every[claim.name].append(claim)
    return {name: reduce(with_first_written, own, max(own, key=_knowledge)) for name, own in every.items()}


def _knowledge(claim: Claim) -> tuple[int, int, bool, bytes]:
    """Return what orders claims of one attempt: the one that saw more of it is the greater."""
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
