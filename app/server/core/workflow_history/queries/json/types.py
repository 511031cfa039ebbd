"""Types of the dicts that commands return as JSON; a JSON Schema is generated from each.

Comments become the descriptions in the schemas. Annotations are evaluated here: as strings, a TypedDict would
not recognize which keys are not required.
"""

from typing import Any, Literal, TypedDict


class Run(TypedDict):
    """One run, with the keys of the tables."""


class RunSummary(TypedDict):
    """One run as shown in a list."""

    project: str  # project of the run; empty: no project is named
    id: str  # id of the run, unique in its project
    status: str | None  # status of the run: completed, failed, stopped, running, incomplete, unknown
    status_reason: str | None  # source of the status
    created_at: str | None  # time at which the run was created, ISO 8601, UTC
    started_at: str | None  # time at which the run started, ISO 8601, UTC
    completed_at: str | None  # time at which the run completed, ISO 8601, UTC
    times_basis: str | None  # reported: from times in the files; derived: from ids or file times
    utc_offset_minutes: int | None  # local time of the run minus UTC, in minutes
    time_zone_known: bool | None  # false: the times were written without a time zone
    duration_seconds: float | None  # duration of the run, in seconds
    duration_basis: str | None  # reported, derived, or lower_bound: some agent runs may be missing
    issue_number: str | None  # number of the issue worked on
    issue_class: str | None  # issue class, such as /feature
    workflow_template: str | None  # name of the workflow
    model_used: str | None  # model with the highest cost
    branch_name: str | None  # branch worked on
    current_phase: str | None  # current phase according to the state file
    total_cost: float | None  # recorded cost in US dollars; without a recorded cost, the lower bound
    cost_basis: str | None  # weakest basis of all parts: reported, computed, lower_bound or unpriced
    lower_bound_cost: float | None  # lower bound of the cost beyond the recorded cost, in US dollars
    retry_count: int | None  # number of attempts after the first
    total_tokens: int | None  # number of tokens of all four kinds
    nl_clarity_score: float | None  # clarity score of the request, 0 to 100
    cost_efficiency_score: float | None  # cost efficiency score, 0 to 100
    performance_score: float | None  # performance score, 0 to 100
    quality_score: float | None  # quality score, 0 to 100
    source_state: str | None  # present, or gone: the files of the run are missing
    agents_dir: str | None  # agents folder from which the run was read
    nl_input: str | None  # beginning of the request
    error_message: str | None  # beginning of the error message
    copy_of: str | None  # run, with its project, that counts all spending of this copy; null: not a copy


class RunSummaryPage(TypedDict):
    """One page of the history, with a summary of each run."""

    workflows: list[RunSummary]  # runs on this page
    total: int  # number of runs on all pages
    limit: int  # maximum number of runs per page
    offset: int  # number of runs before this page
    next_cursor: str | None  # cursor of the next page; null: this is the last page


class SimilarRun(TypedDict):
    """A run that is similar to another one."""

    id: str  # id of the similar run
    project: str  # project of the similar run; empty: no project is named
    similarity_score: float  # similarity of the two runs, 0 to 1


class RunPage(TypedDict):
    """One page of the history."""

    workflows: list[Run]  # runs on this page
    total: int  # number of runs on all pages
    limit: int  # maximum number of runs per page
    offset: int  # number of runs before this page
    next_cursor: str | None  # cursor of the next page; null: this is the last page
    part_costs: list[float | None] | None  # USD per run of the phases or agents sorted by; null: another sort
    part_costs_partial: list[bool] | None  # whether each of these is a lower bound; null: another sort


class Problem(TypedDict):
    """Something that could not be read, or that looks wrong."""

    path: str  # path of the file, relative to the agents folder
    line: int | None  # line number, from 1; null: the whole file
    reason: str  # description of the problem
    severity: Literal["error", "warning"]  # error: data is missing; warning: data is doubtful


class RunProblem(Problem):
    """A problem of a stored run."""

    workflow_key: int | None  # key of the run in this database


class RunPattern(TypedDict):
    """A pattern as it occurs in one run."""

    kind: str  # kind of the pattern: operation or sequence
    signature: str  # normalized operations of the pattern
    status: str  # status of the pattern: detected, accepted or dismissed
    count: int | None  # number of occurrences in this run
    failures: int | None  # number of failed occurrences in this run
    cost: float | None  # cost of the pattern in this run, US dollars
    workflows: int  # number of runs with the pattern
    example_path: str | None  # path of a stream with an example, relative to the run's folder
    example_line: int | None  # line number of the example, from 1


class RunDetails(TypedDict):
    """Fields that `show` adds to a run's own keys."""

    patterns: list[RunPattern]  # patterns of the run that recur in other runs
    problems: list[RunProblem]  # problems with the run's files


class SyncError(Problem):
    """A problem found by a sync, with its run."""

    id: str | None  # id of the run; null: the problem belongs to no run


class SkippedFolder(TypedDict):
    """A folder that is not a run."""

    path: str  # path of the folder, relative to the agents folder
    reason: str  # reason why the folder was skipped


class SyncResult(TypedDict):
    """The result of a sync."""

    project: str  # project under which the runs are stored
    agents_dir: str  # agents folder that was read, the first one if there are several
    folders: list[str]  # all agents folders that were read
    scanned: int  # number of runs found
    enriched: int  # number of runs with a known cost
    inserted: int  # number of new runs
    updated: int  # number of stored runs that are up to date now, changed or unchanged
    unchanged: int  # number of stored runs that needed no write
    changed: int  # number of stored runs whose record changed
    failed: int  # number of runs with a failure
    unread: int  # number of files and folders that could not be accessed; the next sync tries again
    missing: int  # number of stored runs whose files are missing
    newly_missing: int  # number of runs whose files went missing since the last sync
    returned: int  # number of runs whose missing files are present again
    skipped: int  # number of skipped folders, which are not runs
    pruned: int  # number of runs that are not stored again, since they were pruned
    skipped_paths: list[SkippedFolder]  # the skipped folders
    patterns: int  # number of patterns stored, counted per run
    partial_costs: int  # number of runs whose cost is a lower bound or unknown
    runs_without_cost: int  # number of runs with neither a recorded cost nor a lower bound
    repeating: int  # number of runs in the folder with messages that another run counts
    total_cost: float | None  # recorded cost of the folder's runs, US dollars
    lower_bound_cost: float | None  # lower bound of the cost beyond the recorded cost, US dollars
    requests: int  # number of runs with a request
    statuses: dict[str, int]  # number of the folder's runs by status, without copies of other runs
    copies: int  # number of runs in the folder that are copies of other runs, which count their cost
    success_rate: float | None  # completed by completed plus failed runs, 0 to 1; null: no such run
    success_rate_of: int  # number of runs that completed or failed
    undated: int  # number of runs with an unknown date
    first_created_at: str | None  # date of the earliest run, ISO 8601, UTC; null: no date is known
    last_created_at: str | None  # date of the latest run, ISO 8601, UTC; null: no date is known
    duration_seconds: float  # duration of the sync, in seconds
    errors: list[SyncError]  # problems found in the folder
    new_problems: int  # number of problems without a stored run that the last sync did not find
    secrets: dict[str, int]  # number of redactions in the texts of the runs that were read, by kind


class LoggedSync(TypedDict):
    """One recorded sync."""

    number: int  # number of the sync, in ascending order
    started_at: str | None  # time at which the sync started, ISO 8601, UTC
    duration_seconds: float | None  # duration of the sync, in seconds
    agents_dir: str | None  # agents folder that was read
    project: str | None  # project under which the runs are stored
    host: str | None  # host on which the sync ran
    scanned: int | None  # number of runs found
    enriched: int | None  # number of runs with a known cost
    inserted: int | None  # number of new runs
    updated: int | None  # number of stored runs that are up to date after the sync, changed or unchanged
    unchanged: int | None  # number of stored runs that needed no write
    failed: int | None  # number of runs with a failure
    errors_found: int  # number of problems found
    errors: list[SyncError]  # the first problems found, at most 100


class SyncRecords(TypedDict):
    """One page of the recorded syncs, latest first."""

    syncs: list[LoggedSync]  # syncs on this page
    total: int  # number of syncs on all pages
    limit: int  # maximum number of syncs per page
    next_cursor: str | None  # cursor of the next page; null: this is the last page


class AgentRun(TypedDict):
    """One agent run, with the keys of the tables."""


class AgentRuns(TypedDict):
    """All agent runs of a run."""

    project: str  # project of the run; empty: no project is named
    id: str  # id of the run
    phase_costs: list[AgentRun]  # agent runs, including superseded attempts


class Health(TypedDict):
    """Health of the server."""

    ok: bool  # whether the history can be read
    database_version: str | None  # revision of the database tables; null: there is no history yet


class SchemaNames(TypedDict):
    """Names of the JSON Schemas."""

    names: list[str]  # names of all schemas


class CostTotals(TypedDict):
    """Total cost and tokens of some agent runs."""

    recorded_cost: float | None  # reported plus computed cost, US dollars
    lower_bound_cost: float | None  # lower bound of the cost beyond the recorded cost, US dollars
    partial: bool  # whether more may have been spent
    input_tokens: int | None  # number of uncached input tokens
    output_tokens: int | None  # number of output tokens
    cache_read_tokens: int | None  # number of cache read tokens
    cache_creation_tokens: int | None  # number of cache write tokens, 5 min and 1 h together
    cache_creation_5m_tokens: int | None  # number of cache write tokens, 5 min
    cache_creation_1h_tokens: int | None  # number of cache write tokens, 1 h
    web_searches: int | None  # number of web search requests
    total_tokens: int | None  # number of all tokens, cached or not
    unpriced_tokens: int  # number of tokens of models without a known price


class GroupCosts(CostTotals):
    """Cost of one phase, agent or model."""

    name: str | None  # name of the phase, agent or model; null: unknown
    runs: int  # number of runs with this phase, agent or model
    agent_runs: int  # number of streams


class RunCost(CostTotals):
    """Cost of one run."""

    name: str  # id of the run
    created_at: str | None  # time at which the run was created, ISO 8601, UTC
    utc_offset_minutes: int | None  # local time of the run minus UTC, in minutes; null: unknown
    status: str | None  # status of the run; null: no file of it could be read
    cost_basis: str | None  # weakest basis of all parts: reported, computed, lower_bound or unpriced
    copy_of: str | None  # run that counts all spending of this copy; null: not a copy
    agent_runs: int  # number of streams


class CostsByKind(TypedDict, total=False):
    """Costs by kind of group, highest first."""

    phase: list[GroupCosts]  # cost by phase
    agent: list[GroupCosts]  # cost by agent
    model: list[GroupCosts]  # cost by model
    run: list[RunCost]  # cost by run


class UnpricedTokens(TypedDict):
    """Tokens of a model without a known price."""

    name: str | None  # name of the model; null: the streams name none
    tokens: int  # number of tokens


class FolderCosts(CostTotals):
    """Cost of the runs in agents folders."""

    agents_dir: str  # agents folder that was read, the first one if there are several
    folders: list[str]  # all agents folders that were read
    project: str  # project under which a sync would store the runs
    runs: int  # number of runs, without copies of other runs
    copies: int  # number of copies of other runs in these folders, which count their cost
    agent_runs: int  # number of streams
    runs_without_cost: int  # number of runs with neither a recorded cost nor a lower bound
    unpriced_models: list[str]  # names of models without a known price
    unpriced_by_model: list[UnpricedTokens]  # number of unpriced tokens per model; an unnamed model is last
    by: CostsByKind  # costs by the requested kinds of groups
    problems: list[Problem]  # problems found in the folders


class ResyncResult(TypedDict):
    """Result of repricing one run."""

    success: bool  # whether the repricing succeeded
    workflow_id: str  # id of the run
    updated: bool  # whether something changed
    message: str  # description of the change, or reason of the failure


class ResyncBatchResult(TypedDict):
    """Result of repricing many runs."""

    total_processed: int  # number of runs processed
    successful: int  # number of runs whose repricing succeeded
    failed: int  # number of runs whose repricing failed
    workflows: list[ResyncResult]  # result of each run


class DemoResult(TypedDict):
    """Location of the demo."""

    folder: str  # path of the demo's agents folder
    database: str  # path or URL of the demo's history
    sync: dict[str, Any]  # result of the demo's sync, in the schema `sync`


class ServerInfo(TypedDict):
    """Address of a server."""

    address: str  # URL of the start page
    token: str | None  # access token that the server requires; null: none
    agents_dir: str | None  # agents folder that is followed, the first one if there are several; null: none
    folders: list[str]  # all agents folders that are followed


class ConfigCreated(TypedDict):
    """A settings file that was created."""

    config: str  # path of the settings file


class ConfigShown(TypedDict):
    """The config file in use."""

    path: str  # path of the config file
    content: dict[str, Any]  # tables and keys of the file


class DatabasePath(TypedDict):
    """Location of the history."""

    path: str  # path of the database file, or database URL without its password


class DatabaseVersion(TypedDict):
    """Version of the database tables."""

    database_version: str | None  # revision of the database tables; null: there is no history yet


class DatabaseCheck(TypedDict):
    """Integrity check of the history."""

    ok: bool  # whether the history has no faults
    problems: list[str]  # faults found, one sentence each


class DuplicateStream(TypedDict):
    """Two runs with a stream in common, whose cost counts in one of them."""

    run: str  # first run, as project/id
    other: str  # second run, as project/id


class MergeResult(TypedDict):
    """Result of merging another history into this one."""

    source: str  # path or URL of the other history
    dry_run: bool  # true: nothing was stored
    runs: int  # number of runs in the other history
    inserted: int  # number of new runs
    updated: int  # number of stored runs that the other history had more data for
    unchanged: int  # number of runs of the other history that changed nothing
    renamed: int  # number of runs stored under a new name, since a different run has theirs
    pruned: int  # number of runs that were not merged, since they were pruned here
    patterns_decided: int  # number of patterns whose later decision was in the other history
    syncs: int  # number of new recorded syncs
    shared: list[DuplicateStream]  # new runs that have streams in common with another run
    duration_seconds: float  # duration of the merge, in seconds


class BackupResult(TypedDict):
    """A backup of the history."""

    file: str  # path of the backup
    source: str  # path or URL of the history
    runs: int  # number of runs in the backup
    bytes: int  # size of the backup in bytes
    duration_seconds: float  # duration of the backup, in seconds


class VacuumResult(TypedDict):
    """Size of the history before and after a vacuum."""

    bytes_before: int  # size before the vacuum, in bytes
    bytes_after: int  # size after the vacuum, in bytes
    duration_seconds: float  # duration of the vacuum, in seconds


class PreviouslyPruned(TypedDict):
    """Runs that were pruned earlier."""

    runs: int  # number of runs pruned earlier
    spent: float | None  # lower bound of the cost of runs pruned earlier, US dollars; null: unknown


class PruneResult(TypedDict):
    """Runs that were deleted from the history, or would be."""

    dry_run: bool  # true: nothing was deleted
    runs: int  # number of runs that match the rules
    spent: float | None  # cost of these runs, US dollars; null: unknown
    spent_is_exact: bool  # false: the cost of these runs is a lower bound
    unpriced: int  # number of these runs with an unknown cost
    oldest: str | None  # creation time of the oldest of these runs, ISO 8601, UTC
    newest: str | None  # creation time of the newest of these runs, ISO 8601, UTC
    projects: dict[str, int]  # number of these runs by project
    pruned_before: PreviouslyPruned  # runs pruned earlier, which no statistics include
    duration_seconds: float  # duration of the pruning, in seconds


class RedactionResult(TypedDict):
    """Redactions in the history."""

    rows_changed: int  # number of changed rows in all tables
    secrets: dict[str, int]  # number of redacted secrets, by kind
    text_kept: bool  # whether requests, messages and commands are still stored


class CompletionScript(TypedDict):
    """Completion script of a shell."""

    shell: str  # name of the shell
    script: str  # script that the shell runs at its start
