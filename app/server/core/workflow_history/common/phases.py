"""Name an agent's phase: its name in, one phase out. Whole words only; what was done is not looked at.

A phase is what the work was for, so that phases of one run add up: the commit made after a plan
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
"""Every phase there is, in the order in which a run goes through them."""

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
"""The words of each phase. The first phase with a word in the name wins.

Hence the order: what is done with a thing comes before the thing (`sdlc_planner_committer` commits,
`pr_creator` ships), and a narrower job before a wider one (`review_patch_planner` works on a patch,
`test_plan` and `e2e_test_runner` are about tests).
"""

_WORD = re.compile(r"e2e|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@lru_cache(maxsize=4_096)
def split_name(name: str) -> tuple[str, ...]:
    """Return a name's words in lower case, split at punctuation, digits and capitals.

    >>> split_name("e2e_test_runner_0_1"), split_name("planBuilder2")
    (('e2e', 'test', 'runner', '0', '1'), ('plan', 'builder', '2'))
    """
    return tuple(word.lower() for word in _WORD.findall(name))


@lru_cache(maxsize=4_096)
def classify_phase(agent: str) -> str:
    """Return the phase an agent of this name works in; `other` where no word of it tells.

    >>> classify_phase("sdlc_implementor"), classify_phase("latest")
    ('build', 'other')
    """
    words = frozenset(split_name(agent))
    return next((phase for phase, known in PHASE_KEYWORDS.items() if not words.isdisjoint(known)), "other")
