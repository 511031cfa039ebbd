"""Agents of the demo's workflows: tables of roles and templates. Data only."""

from dataclasses import dataclass

from .spending import TokenProfile


@dataclass(frozen=True, slots=True)
class Role:
    """Properties of all agents of one role."""

    command: str  # slash command of its prompt; "": the issue class
    size: float  # length of its stream, relative to the average
    spending: TokenProfile  # token usage of its messages
    heavy: bool = False  # uses the larger model if the run has one


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent of a template, listed in order of execution."""

    name: str  # directory inside the run's directory
    role: str  # key of ROLES
    chance: float = 1.0  # probability that it is needed, 0 to 1
    file: str = "raw_output.jsonl"  # name of its stream's file


ROLES = {
    "classifier": Role("classify_issue", 0.12, TokenProfile(growth=400, output=12)),
    "branch": Role("generate_branch_name", 0.3, TokenProfile(growth=600, output=90)),
    "committer": Role("commit", 0.4, TokenProfile(growth=1_800, output=90)),
    "planner": Role("", 1.7, TokenProfile(growth=4_800, output=460), heavy=True),
    "patch_planner": Role("patch", 0.9, TokenProfile(growth=3_000, output=300)),
    "implementor": Role("implement", 2.5, TokenProfile(growth=2_600, output=400), heavy=True),
    "tester": Role("test", 1.1, TokenProfile(growth=3_500, output=250)),
    "resolver": Role("resolve_failed_test", 1.0, TokenProfile(growth=3_000, output=300)),
    "reviewer": Role("review", 1.4, TokenProfile(growth=5_500, output=320)),
    "documenter": Role("document", 0.8, TokenProfile(growth=3_000, output=600)),
    "pull_request": Role("pull_request", 0.5, TokenProfile(growth=2_200, output=180)),
}

_START = (Agent("issue_classifier", "classifier"), Agent("branch_generator", "branch"))
_PLAN = (Agent("sdlc_planner", "planner"), Agent("sdlc_planner_committer", "committer"))
_BUILD = (Agent("sdlc_implementor", "implementor"), Agent("sdlc_implementor_committer", "committer"))
_TEST = (Agent("test_runner", "tester"), Agent("test_resolver_iter1_0", "resolver", chance=0.35))
_REVIEW = (
    Agent("reviewer", "reviewer"),
    Agent("review_patch_planner", "patch_planner", chance=0.25),
    Agent("patch_implementor", "implementor", chance=0.25),
    Agent("reviewer_committer", "committer"),
)
_DOCUMENT = (Agent("documenter", "documenter"), Agent("documenter_committer", "committer"))
_PULL_REQUEST = (Agent("pr_creator", "pull_request"),)

TEMPLATES: dict[str, tuple[Agent, ...]] = {
    "adw_plan_build": (*_START, *_PLAN, *_BUILD, *_PULL_REQUEST),
    "adw_plan_build_review": (*_START, *_PLAN, *_BUILD, *_REVIEW, *_PULL_REQUEST),
    "adw_sdlc_iso": (*_START, *_PLAN, *_BUILD, *_TEST, *_REVIEW, *_DOCUMENT, *_PULL_REQUEST),
    "adw_patch": (
        _START[0],
        Agent("review_patch_planner", "patch_planner"),
        Agent("patch_implementor", "implementor"),
        Agent("patch_implementor_committer", "committer"),
        *_PULL_REQUEST,
    ),
    "adw_quick": (
        Agent("plan", "patch_planner", file="quick_plan_output.jsonl"),
        Agent("build", "implementor", file="build_output.jsonl"),
        Agent("validate", "tester", file="validate_output.jsonl"),
    ),
    "adw_complete": (Agent("planner", "patch_planner"), Agent("builder", "implementor")),
}

TEMPLATE_WEIGHTS = {
    "adw_plan_build": 22,
    "adw_plan_build_review": 26,
    "adw_sdlc_iso": 28,
    "adw_patch": 14,
    "adw_quick": 6,
    "adw_complete": 4,
}
"""Relative weight of each template in the random choice; the sum is 100."""
