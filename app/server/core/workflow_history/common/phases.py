"""Derive the phase of an agent run from the agent's name. Uses whole words only and ignores the transcript.

A phase is the purpose of the work, so that the phases of one run can be summed: the commit after a plan
is `commit`, a patch planned by the reviewer is `patch`.
"""

from __future__ import annotations

import re
from functools import lru_cache

PHASES = (
    "classify",
    "branch",
    "plan",
    "build",
    "test",
    "validate",
    "review",
    "patch",
    "document",
    "commit",
    "ship",
    "ops",
    "other",
)
"""All phases, in the order in which a run passes through them."""

PHASE_KEYWORDS: dict[str, tuple[str, ...]] = {
    "commit": ("commit", "commits", "committer", "committing"),
    "ship": (
        "pr",
        "prs",
        "ship",
        "shipper",
        "shipping",
        "merge",
        "merger",
        "release",
        "releaser",
        "deploy",
        "deployer",
    ),
    "patch": ("patch", "patches", "patcher", "patching", "hotfix"),
    "test": ("test", "tests", "tester", "testing", "e2e", "qa"),
    "review": ("review", "reviews", "reviewer", "reviewing", "audit", "auditor"),
    "document": ("document", "documents", "documenter", "documentation", "docs", "doc"),
    "classify": ("classify", "classifier", "classification", "triage"),
    "branch": ("branch", "branches", "brancher", "worktree"),
    "validate": ("validate", "validator", "validation", "verify", "verifier", "lint", "linter", "typecheck"),
    "build": (
        "build",
        "builder",
        "building",
        "implement",
        "implementor",
        "implementer",
        "implementation",
        "coder",
        "developer",
    ),
    "plan": ("plan", "plans", "planner", "planning", "spec", "specs", "scout", "researcher", "architect"),
    "ops": ("ops", "install", "installer", "setup", "cleanup", "maintenance"),
}
"""Words of each phase. The first phase with a word in the name wins.

Therefore the order matters. Actions precede their objects: `sdlc_planner_committer` commits and
`pr_creator` ships. Narrow tasks precede broad ones: `review_patch_planner` works on a patch, and
`test_plan` and `e2e_test_runner` belong to tests.
"""

_WORD = re.compile(r"e2e|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=4_096)
def split_name(name: str) -> tuple[str, ...]:
    """Split a name into lower-case words at punctuation, digits and capitals.

    >>> split_name("e2e_test_runner_0_1"), split_name("planBuilder2")
    (('e2e', 'test', 'runner', '0', '1'), ('plan', 'builder', '2'))
    """
    return tuple(word.lower() for word in _WORD.findall(name))


@lru_cache(maxsize=4_096)
def classify_phase(agent: str) -> str:
    """Return the phase of an agent with this name, or `other` if no word of the name belongs to a phase.

    >>> classify_phase("sdlc_implementor"), classify_phase("latest")
    ('build', 'other')
    """
    words = frozenset(split_name(agent))
    return next(
        (phase for phase, keywords in PHASE_KEYWORDS.items() if not words.isdisjoint(keywords)), "other"
    )
