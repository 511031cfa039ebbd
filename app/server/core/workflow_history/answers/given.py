"""The dicts that commands give as JSON, written down as types; a schema is made of each.

Annotations are evaluated here: as text, a TypedDict would not see which keys are not required.
"""

from typing import Any, Literal, TypedDict


class Run(TypedDict):
    """One run; its keys are those of the tables."""


class SimilarRun(TypedDict):
    """A run that is like another."""

    id: str
    project: str  # empty: none named
    similarity_score: float  # 0 to 1


class Page(TypedDict):
    """One page of the history."""

    workflows: list[Run]  # the runs of this page
    total: int  # runs on all pages
    limit: int  # runs on a page at the most
    offset: int  # runs before this page
    next_cursor: str | None  # what the next page is asked for with; null: there is none
    part_costs: list[float | None] | None  # US dollars at least, of the phases or agents sorted by; else null


class Problem(TypedDict):
    """Something that could not be read, or looks wrong."""

    path: str  # the file, relative to the agents folder
    line: int | None  # from 1; null: the whole file
    reason: str  # what is wrong
    severity: Literal["error", "warning"]  # error: data is missing; warning: data is doubtful


class RunProblem(Problem):
    """Something wrong with a stored run."""

    workflow_key: int | None  # number of the run in this database


class RunPattern(TypedDict):
    """Work that recurs, as one run shows it."""

    kind: str  # operation or sequence
    signature: str  # what recurs, in normal form
    status: str  # detected, accepted or dismissed
    count: int | None  # times seen in this run
    failures: int | None  # times it failed in this run
    cost: float | None  # spent on it in this run, US dollars
    workflows: int  # runs that show it
    example_path: str | None  # stream with an example, relative to the run's folder
    example_line: int | None  # line of the example, from 1


class BesideARun(TypedDict):
    """What `show` says beside a run's own keys."""

    patterns: list[RunPattern]  # what recurs in other runs, too
    problems: list[RunProblem]  # what could not be read of its files


class SyncError(Problem):
    """Something that could not be read, and whose it is."""

    id: str | None  # the run; null: no run's


class LeftOut(TypedDict):
    """A folder that is no run."""

    path: str  # relative to the agents folder
    reason: str  # why it was left out


class Synced(TypedDict):
    """What a sync did."""

    project: str  # that the runs are stored under
    agents_dir: str  # that was read
    scanned: int  # runs found
    enriched: int  # of them, runs whose cost is known
    inserted: int  # runs that are new
    updated: int  # known runs that are up to date now, those included that needed no write
    unchanged: int  # of them, runs that needed no write
    failed: int  # runs in trouble
    gone: int  # known runs whose files are not there
    newly_gone: int  # of them, runs whose files were there at the last sync
    returned: int  # runs whose files are there again
    left_out: int  # folders that are no runs
    left_out_paths: list[LeftOut]  # which
    patterns: int  # findings of what recurs that were stored
    partial_costs: int  # runs of which nothing shows all that they spent
    total_cost: float | None  # of the folder's runs, US dollars on record
    lower_bound_cost: float | None  # spent at least beyond that, US dollars
    duration_seconds: float  # length of the sync, seconds
    errors: list[SyncError]  # what could not be read


class Sums(TypedDict):
    """What some agent runs add up to."""

    recorded_cost: float | None  # reported or computed, US dollars
    lower_bound_cost: float | None  # spent at least beyond that, US dollars
    partial: bool  # more may have been spent
    input_tokens: int | None  # uncached
    output_tokens: int | None  # written by the model
    cache_read_tokens: int | None  # read from the cache
    cache_creation_tokens: int | None  # written to a cache, the sum of the next two
    cache_creation_5m_tokens: int | None  # written to the 5-minute cache
    cache_creation_1h_tokens: int | None  # written to the 1-hour cache
    web_searches: int | None  # requests
    total_tokens: int | None  # cached or not
    unpriced_tokens: int  # of models without a known price


class GroupCost(Sums):
    """What one phase, agent or model cost."""

    name: str | None  # null: unknown
    runs: int  # that had it
    agent_runs: int  # streams


class RunCost(Sums):
    """What one run cost."""

    name: str  # its id
    created_at: str | None  # ISO 8601, UTC
    status: str | None  # null: nothing of it could be read
    cost_basis: str | None  # reported, computed, lower_bound or unpriced: the weakest of the parts
    agent_runs: int  # streams


class Groups(TypedDict, total=False):
    """Costs by kind, the costliest first."""

    phase: list[GroupCost]
    agent: list[GroupCost]
    model: list[GroupCost]
    run: list[RunCost]


class FolderCosts(Sums):
    """What an agents folder's runs cost."""

    agents_dir: str  # that was read
    project: str  # that a sync would store the runs under
    runs: int  # found
    agent_runs: int  # streams
    runs_without_cost: int  # of which nothing shows what they spent
    unpriced_models: list[str]  # models without a known price
    by: Groups  # the kinds that were asked for
    problems: list[Problem]  # what could not be read


class Resynced(TypedDict):
    """How counting one run's costs anew went."""

    success: bool
    workflow_id: str  # the run
    updated: bool  # something changed
    message: str  # what was done, or why not


class ManyResynced(TypedDict):
    """How counting many runs' costs anew went."""

    total_processed: int  # runs
    successful: int  # of them
    failed: int  # of them
    workflows: list[Resynced]  # each run


class DemoMade(TypedDict):
    """Where the demo lies."""

    folder: str  # its agents folder
    database: str  # its history
    sync: dict[str, Any]  # what its sync gave, as in the schema `sync`


class ConfigMade(TypedDict):
    """A settings file that was written."""

    config: str  # where it lies


class DatabasePath(TypedDict):
    """Where the history lies."""

    path: str  # a file's path, or a URL without its password


class DatabaseVersion(TypedDict):
    """Which shape the history's tables have."""

    database_version: str | None  # revision of the tables; null: there is no history yet


class DatabaseCheck(TypedDict):
    """Whether the history is sound."""

    ok: bool
    problems: list[str]  # what is damaged, a sentence each


class CompletionScript(TypedDict):
    """What teaches a shell to complete."""

    shell: str  # its name
    script: str  # to be run by it at its start
