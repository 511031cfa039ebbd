"""The dicts that commands give as JSON, written down as types; a schema is made of each.

Annotations are evaluated here: as text, a TypedDict would not see which keys are not required.
"""

from typing import Any, Literal, TypedDict


class Run(TypedDict):
    """One run; its keys are those of the tables."""


class RunSummary(TypedDict):
    """What a list shows of a run."""

    project: str  # empty: none named
    id: str  # unique in its project
    status: str | None  # completed, failed, stopped, running, incomplete, unknown
    status_reason: str | None  # what the status was read from
    created_at: str | None  # ISO 8601, UTC
    started_at: str | None  # ISO 8601, UTC
    completed_at: str | None  # ISO 8601, UTC
    times_basis: str | None  # reported: times stand in the files; derived: from ids or file stamps
    utc_offset_minutes: int | None  # the run's local time less UTC
    time_zone_known: bool | None  # false: its times were written without a zone
    duration_seconds: float | None  # length of the run
    duration_basis: str | None  # reported, derived, or lower_bound: an agent's work may not be in it
    issue_number: str | None  # issue worked on
    issue_class: str | None  # such as /feature
    workflow_template: str | None  # workflow that was run
    model_used: str | None  # the costliest model
    branch_name: str | None  # branch worked on
    current_phase: str | None  # phase that the state names
    total_cost: float | None  # US dollars on record; of a run without any record, its lower bound
    cost_basis: str | None  # reported, computed, lower_bound or unpriced: the weakest of the parts
    lower_bound_cost: float | None  # spent at least beyond the record, US dollars
    retry_count: int | None  # attempts after the first
    total_tokens: int | None  # of all four kinds
    nl_clarity_score: float | None  # 0 to 100
    cost_efficiency_score: float | None  # 0 to 100
    performance_score: float | None  # 0 to 100
    quality_score: float | None  # 0 to 100
    source_state: str | None  # present, or gone: its files are no longer there
    agents_dir: str | None  # folder it was read from
    nl_input: str | None  # the beginning of its request
    error_message: str | None  # the beginning of what went wrong
    copy_of: str | None  # the run, with its project, that counts all that this one spent; null: it is no copy


class RunSummaryPage(TypedDict):
    """One page of the history, a row for each run."""

    workflows: list[RunSummary]  # the runs of this page
    total: int  # runs on all pages
    limit: int  # runs on a page at the most
    offset: int  # runs before this page
    next_cursor: str | None  # what the next page is asked for with; null: there is none


class SimilarRun(TypedDict):
    """A run that is like another."""

    id: str
    project: str  # empty: none named
    similarity_score: float  # 0 to 1


class RunPage(TypedDict):
    """One page of the history."""

    workflows: list[Run]  # the runs of this page
    total: int  # runs on all pages
    limit: int  # runs on a page at the most
    offset: int  # runs before this page
    next_cursor: str | None  # what the next page is asked for with; null: there is none
    part_costs: list[float | None] | None  # US dollars known of the phases or agents sorted by; else null
    part_costs_partial: list[bool] | None  # of each of these: more may have been spent; else null


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


class RunDetails(TypedDict):
    """What `show` says beside a run's own keys."""

    patterns: list[RunPattern]  # what recurs in other runs, too
    problems: list[RunProblem]  # what could not be read of its files


class SyncError(Problem):
    """Something that could not be read, and whose it is."""

    id: str | None  # the run; null: no run's


class SkippedFolder(TypedDict):
    """A folder that is no run."""

    path: str  # relative to the agents folder
    reason: str  # why it was left out


class SyncResult(TypedDict):
    """What a sync did."""

    project: str  # that the runs are stored under
    agents_dir: str  # that was read; of several the first
    folders: list[str]  # every agents folder that was read
    scanned: int  # runs found
    enriched: int  # of them, runs whose cost is known
    inserted: int  # runs that are new
    updated: int  # known runs that are up to date now, those included that needed no write
    unchanged: int  # of them, runs that needed no write
    changed: int  # of them, runs whose record changed
    failed: int  # runs in trouble
    unread: int  # files and folders that the system would not show; the next sync tries again
    gone: int  # known runs whose files are not there
    newly_gone: int  # of them, runs whose files were there at the last sync
    returned: int  # runs whose files are there again
    left_out: int  # folders that are no runs
    pruned: int  # runs that stay out of the history, since they were pruned
    left_out_paths: list[SkippedFolder]  # which
    patterns: int  # findings of what recurs that were stored
    partial_costs: int  # runs of which nothing shows all that they spent
    runs_without_cost: int  # of them, runs of which nothing is known to have been spent
    repeating: int  # of the folder's runs: of whose messages another run counts some, changed or not
    total_cost: float | None  # of the folder's runs, US dollars on record
    lower_bound_cost: float | None  # spent at least beyond that, US dollars
    requests: int  # runs whose request was found
    statuses: dict[str, int]  # how the folder's runs stand, count by status; without copies of other runs
    copies: int  # of the folder's runs: other runs count all that they spent
    success_rate: float | None  # 0 to 1: completed of those that completed or failed; null: none did
    success_rate_of: int  # runs that completed or failed
    undated: int  # runs whose date is not known
    first_created_at: str | None  # date of the earliest run, ISO 8601, UTC; null: no date is known
    last_created_at: str | None  # date of the latest run, ISO 8601, UTC
    duration_seconds: float  # length of the sync, seconds
    errors: list[SyncError]  # what could not be read
    new_problems: int  # of them, those of no stored run that the last sync did not know
    secrets: dict[str, int]  # taken out of the texts of the runs that were read, count by kind


class LoggedSync(TypedDict):
    """One sync on record."""

    number: int  # rises with each
    started_at: str | None  # ISO 8601, UTC
    duration_seconds: float | None  # its length
    agents_dir: str | None  # folder that was read
    project: str | None  # that the runs are stored under
    scanned: int | None  # runs found
    enriched: int | None  # of them, runs whose cost is known
    inserted: int | None  # runs that were new
    updated: int | None  # known runs that were brought up to date
    unchanged: int | None  # known runs that needed no write
    failed: int | None  # runs in trouble
    errors_found: int  # what could not be read, how many
    errors: list[SyncError]  # the first of them, at most 100


class SyncRecords(TypedDict):
    """One page of the syncs on record, the latest first."""

    syncs: list[LoggedSync]  # those of this page
    total: int  # syncs on all pages
    limit: int  # syncs on a page at the most
    next_cursor: str | None  # what the next page is asked for with; null: there is none


class AgentRun(TypedDict):
    """One agent's work; its keys are those of the tables."""


class AgentRuns(TypedDict):
    """All that a run's agents did."""

    project: str  # empty: none named
    id: str  # of the run
    phase_costs: list[AgentRun]  # each agent's work, former attempts too


class Health(TypedDict):
    """Whether the server can answer."""

    ok: bool  # the history can be read
    database_version: str | None  # revision of its tables; null: there is no history yet


class SchemaNames(TypedDict):
    """Which schemas there are."""

    names: list[str]  # of what is given as JSON


class CostTotals(TypedDict):
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


class GroupCosts(CostTotals):
    """What one phase, agent or model cost."""

    name: str | None  # null: unknown
    runs: int  # that had it
    agent_runs: int  # streams


class RunCost(CostTotals):
    """What one run cost."""

    name: str  # its id
    created_at: str | None  # ISO 8601, UTC
    utc_offset_minutes: int | None  # its local time minus UTC; null: not known
    status: str | None  # null: nothing of it could be read
    cost_basis: str | None  # reported, computed, lower_bound or unpriced: the weakest of the parts
    copy_of: str | None  # of a copy: the run that counts all that it spent
    agent_runs: int  # streams


class CostsByKind(TypedDict, total=False):
    """Costs by kind, the costliest first."""

    phase: list[GroupCosts]
    agent: list[GroupCosts]
    model: list[GroupCosts]
    run: list[RunCost]


class UnpricedTokens(TypedDict):
    """Tokens of a model without a known price."""

    name: str | None  # of the model; null: its streams name none
    tokens: int


class FolderCosts(CostTotals):
    """What an agents folder's runs cost."""

    agents_dir: str  # that was read; of several the first
    folders: list[str]  # every agents folder that was read
    project: str  # that a sync would store the runs under
    runs: int  # found, without copies of other runs
    copies: int  # of other runs of these folders, which count all that they spent
    agent_runs: int  # streams
    runs_without_cost: int  # of which nothing shows what they spent
    unpriced_models: list[str]  # models without a known price
    unpriced_by_model: list[UnpricedTokens]  # how many tokens of each, last of a model that is not named
    by: CostsByKind  # the kinds that were asked for
    problems: list[Problem]  # what could not be read


class ResyncResult(TypedDict):
    """How counting one run's costs anew went."""

    success: bool
    workflow_id: str  # the run
    updated: bool  # something changed
    message: str  # what was done, or why not


class ResyncBatchResult(TypedDict):
    """How counting many runs' costs anew went."""

    total_processed: int  # runs
    successful: int  # of them
    failed: int  # of them
    workflows: list[ResyncResult]  # each run


class DemoResult(TypedDict):
    """Where the demo lies."""

    folder: str  # its agents folder
    database: str  # its history
    sync: dict[str, Any]  # what its sync gave, as in the schema `sync`


class ServerInfo(TypedDict):
    """Where a server answers."""

    address: str  # of its first page
    token: str | None  # that it asks for; null: none
    agents_dir: str | None  # folder that it follows, the first one of several; null: none
    folders: list[str]  # all that it follows


class ConfigCreated(TypedDict):
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


class DuplicateStream(TypedDict):
    """Two runs that have a stream in common; what it cost counts in one of them."""

    run: str  # project/id
    other: str  # project/id


class MergeResult(TypedDict):
    """What bringing another history over came to."""

    source: str  # the other history
    dry_run: bool  # nothing was stored
    runs: int  # of the other history
    inserted: int  # runs that are new
    updated: int  # known runs that it knew more of
    unchanged: int  # of its runs, those that brought nothing
    renamed: int  # runs that got a name of their own, since a different run has theirs
    pruned: int  # of its runs, those left out since they were pruned here
    patterns_decided: int  # patterns on which it had the later word
    syncs: int  # syncs on record that are new
    shared: list[DuplicateStream]  # new runs with streams that another run has, too
    duration_seconds: float


class BackupResult(TypedDict):
    """A copy of the history."""

    file: str  # the copy
    source: str  # the history
    runs: int  # that it holds
    bytes: int  # that it takes
    duration_seconds: float


class VacuumResult(TypedDict):
    """How much space the history takes."""

    bytes_before: int
    bytes_after: int
    duration_seconds: float


class PreviouslyPruned(TypedDict):
    """What was pruned earlier."""

    runs: int
    spent: float | None  # US dollars at least; null: unknown


class PruneResult(TypedDict):
    """What was taken out of the history, or would be."""

    dry_run: bool  # nothing was taken out
    runs: int  # that the rules mean
    spent: float | None  # by them, US dollars; null: unknown
    spent_is_exact: bool  # false: that is what they spent at least
    unpriced: int  # of them, runs of unknown cost
    oldest: str | None  # when the first of them was made, ISO 8601 UTC
    newest: str | None  # when the last of them was made, ISO 8601 UTC
    projects: dict[str, int]  # how many of each project
    pruned_before: PreviouslyPruned  # which no statistics count any more, either
    duration_seconds: float


class RedactionResult(TypedDict):
    """What was taken out of the history."""

    rows_changed: int  # in all tables
    secrets: dict[str, int]  # that were taken out, count by kind
    text_kept: bool  # what was asked, said and typed is still stored


class CompletionScript(TypedDict):
    """What teaches a shell to complete."""

    shell: str  # its name
    script: str  # to be run by it at its start
