"""Types of the dicts that commands return as JSON; a JSON Schema is generated from each.

Annotations are evaluated here: as strings, a TypedDict would not recognize which keys are not required.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from ...common.field_docs import Doc
from ...common.models import Severity
from ...common.shared_fields import (
    AgentRunCount,
    BrokenRuns,
    CacheReadTokens,
    DatabaseRevision,
    EndedRuns,
    FirstFolder,
    FoundRuns,
    HistoryPath,
    InputTokens,
    LineNumber,
    LowerBoundCost,
    MoreMaySpent,
    NewRuns,
    OutputTokens,
    PricedRuns,
    ReadFolders,
    RunCount,
    RunId,
    RunProject,
    RunsWithoutCost,
    SettingsPath,
    SuccessRate,
    SyncDuration,
    TotalTokens,
    UnchangedRuns,
)
from ..pattern_records import ExampleLine, OccurrencesInRun, PatternRuns, PatternSignature


class SimilarRun(TypedDict):
    """A run that is similar to another one."""

    id: Annotated[str, Doc("id of the similar run")]
    project: Annotated[str, Doc("project of the similar run; empty: no project is named")]
    similarity_score: Annotated[float, Doc("similarity of the two runs, 0 to 1")]


class Problem(TypedDict):
    """Something that could not be read, or that looks wrong."""

    path: Annotated[str, Doc("path of the file, relative to the agents directory")]
    line: LineNumber
    reason: Annotated[str, Doc("description of the problem")]
    severity: Annotated[Severity, Doc("error: data is missing; warning: data is doubtful")]


class RunProblem(Problem):
    """A problem of a stored run."""

    workflow_key: Annotated[int | None, Doc("key of the run in this database; null: problem of no run")]


class RunPattern(TypedDict):
    """A pattern as it occurs in one run."""

    kind: Annotated[str, Doc("kind of the pattern: operation or sequence")]
    signature: PatternSignature
    status: Annotated[str, Doc("status of the pattern: detected, accepted or dismissed")]
    count: OccurrencesInRun
    failures: Annotated[int | None, Doc("number of failed occurrences in this run; null: unknown")]
    cost: Annotated[float | None, Doc("estimated cost of the pattern in this run, USD; null: unknown")]
    workflows: PatternRuns
    example_path: Annotated[
        str | None, Doc("path of a transcript with an example, relative to the run's directory; null: none")
    ]
    example_line: ExampleLine


class RunDetails(TypedDict):
    """Fields that `show` adds to a run's own keys."""

    patterns: Annotated[list[RunPattern], Doc("patterns of the run that recur in other runs")]
    problems: Annotated[list[RunProblem], Doc("problems with the run's files")]
    transcript: Annotated[
        str | None, Doc("path of the session's transcript, or of the database that has it; null: no session")
    ]
    resume_command: Annotated[
        str | None, Doc("shell command that resumes the session; null: no session, or its files are missing")
    ]


class SyncError(Problem):
    """A problem found by a sync, with its run."""

    id: Annotated[str | None, Doc("id of the run; null: the problem belongs to no run")]


class SkippedFolder(TypedDict):
    """A folder that is not a run."""

    path: Annotated[str, Doc("path of the directory, relative to the agents directory")]
    reason: Annotated[str, Doc("reason why the directory was skipped")]


class SyncResult(TypedDict):
    """The result of a sync."""

    project: Annotated[str, Doc("project under which the runs are stored")]
    agents_dir: FirstFolder
    folders: ReadFolders
    scanned: FoundRuns
    enriched: PricedRuns
    inserted: NewRuns
    updated: Annotated[int, Doc("number of stored runs that are up to date now, changed or unchanged")]
    unchanged: UnchangedRuns
    changed: Annotated[int, Doc("number of stored runs whose record changed")]
    failed: BrokenRuns
    unread: Annotated[int, Doc("number of inaccessible files and directories; the next sync tries again")]
    missing: Annotated[int, Doc("number of stored runs whose files are missing")]
    newly_missing: Annotated[int, Doc("number of runs whose files went missing since the last sync")]
    returned: Annotated[int, Doc("number of runs whose missing files are present again")]
    skipped: Annotated[int, Doc("number of skipped directories, which are not runs")]
    pruned: Annotated[int, Doc("number of runs that are not stored again, since they were pruned")]
    skipped_paths: Annotated[list[SkippedFolder], Doc("skipped directories with the reason for each")]
    patterns: Annotated[int, Doc("number of patterns stored, counted per run")]
    partial_costs: Annotated[int, Doc("number of runs whose cost is a lower bound or unknown")]
    runs_without_cost: RunsWithoutCost
    repeating: Annotated[int, Doc("number of runs with messages that another run counts")]
    total_cost: Annotated[float | None, Doc("recorded cost of the directory's runs, USD; null: unknown")]
    lower_bound_cost: LowerBoundCost
    requests: Annotated[int, Doc("number of runs with a request")]
    statuses: Annotated[dict[str, int], Doc("number of runs by status, without copies of other runs")]
    copies: Annotated[int, Doc("number of runs that are copies of other runs, which count their cost")]
    success_rate: SuccessRate
    success_rate_of: EndedRuns
    undated: Annotated[int, Doc("number of runs with an unknown date")]
    first_created_at: Annotated[
        str | None, Doc("date of the earliest run, ISO 8601, UTC; null: no known date")
    ]
    last_created_at: Annotated[str | None, Doc("date of the latest run, ISO 8601, UTC; null: no known date")]
    duration_seconds: SyncDuration
    errors: Annotated[list[SyncError], Doc("problems found in the directory")]
    new_problems: Annotated[int, Doc("number of new problems without a stored run")]
    secrets: Annotated[dict[str, int], Doc("number of redactions in the texts that were read, by kind")]


class LoggedSync(TypedDict):
    """One recorded sync."""

    number: Annotated[int, Doc("number of the sync, in ascending order")]
    started_at: Annotated[str | None, Doc("time at which the sync started, ISO 8601, UTC; null: unknown")]
    duration_seconds: Annotated[float | None, Doc("duration of the sync, in seconds; null: unknown")]
    agents_dir: Annotated[str | None, Doc("agents directory that was read; null: unknown")]
    project: Annotated[str | None, Doc("project under which the runs are stored; null: unknown")]
    host: Annotated[str | None, Doc("host on which the sync ran; null: unknown")]
    scanned: Annotated[int | None, Doc("number of runs found; null: unknown")]
    enriched: Annotated[int | None, Doc("number of runs with a known cost; null: unknown")]
    inserted: Annotated[int | None, Doc("number of new runs; null: unknown")]
    updated: Annotated[
        int | None, Doc("number of stored runs that are up to date now, changed or unchanged; null: unknown")
    ]
    unchanged: Annotated[int | None, Doc("number of stored runs that needed no write; null: unknown")]
    failed: Annotated[int | None, Doc("number of runs with a failure; null: unknown")]
    errors_found: Annotated[int, Doc("number of problems found")]
    errors: Annotated[list[SyncError], Doc("the first problems found, at most 100")]


@dataclass(frozen=True, slots=True)
class AgentRuns:
    """All agent runs of a run."""

    project: RunProject
    id: RunId
    phase_costs: Annotated[list[dict[str, Any]], Doc("agent runs, including superseded attempts")]


@dataclass(frozen=True, slots=True)
class Health:
    """Health of the server."""

    ok: Annotated[bool, Doc("whether the history can be read")]
    database_version: DatabaseRevision


@dataclass(frozen=True, slots=True)
class SchemaNames:
    """Names of the JSON Schemas."""

    names: Annotated[list[str], Doc("names of all schemas")]


class CostTotals(TypedDict):
    """Total cost and tokens of some agent runs."""

    recorded_cost: Annotated[float | None, Doc("reported plus computed cost, USD; null: unknown")]
    lower_bound_cost: LowerBoundCost
    partial: MoreMaySpent
    input_tokens: InputTokens
    output_tokens: OutputTokens
    cache_read_tokens: CacheReadTokens
    cache_creation_tokens: Annotated[
        int | None, Doc("number of cache write tokens, 5 min and 1 h together; null: unknown")
    ]
    cache_creation_5m_tokens: Annotated[int | None, Doc("number of cache write tokens, 5 min; null: unknown")]
    cache_creation_1h_tokens: Annotated[int | None, Doc("number of cache write tokens, 1 h; null: unknown")]
    web_searches: Annotated[int | None, Doc("number of web search requests; null: unknown")]
    total_tokens: TotalTokens
    unpriced_tokens: Annotated[int, Doc("number of tokens of models without a known price")]


class GroupCosts(CostTotals):
    """Cost of one phase, agent or model."""

    name: Annotated[str | None, Doc("name of the phase, agent or model; null: unknown")]
    runs: Annotated[int, Doc("number of runs with this phase, agent or model")]
    agent_runs: AgentRunCount


class RunCost(CostTotals):
    """Cost of one run."""

    name: RunId
    created_at: Annotated[str | None, Doc("time at which the run was created, ISO 8601, UTC; null: unknown")]
    utc_offset_minutes: Annotated[
        int | None, Doc("local time of the run minus UTC, in minutes; null: unknown")
    ]
    status: Annotated[str | None, Doc("status of the run; null: no file of it could be read")]
    cost_basis: Annotated[
        str | None, Doc("weakest basis of all parts: reported, computed, lower_bound or unpriced; null: none")
    ]
    copy_of: Annotated[str | None, Doc("run that counts all spending of this copy; null: not a copy")]
    agent_runs: AgentRunCount


class CostsByKind(TypedDict, total=False):
    """Costs by kind of group, highest first."""

    phase: Annotated[list[GroupCosts], Doc("cost by phase")]
    agent: Annotated[list[GroupCosts], Doc("cost by agent")]
    model: Annotated[list[GroupCosts], Doc("cost by model")]
    run: Annotated[list[RunCost], Doc("cost by run")]


class UnpricedTokens(TypedDict):
    """Tokens of a model without a known price."""

    name: Annotated[str | None, Doc("name of the model; null: the transcripts name none")]
    tokens: Annotated[int, Doc("number of tokens")]


class FolderCosts(CostTotals):
    """Cost of the runs in agents folders."""

    agents_dir: FirstFolder
    folders: ReadFolders
    project: Annotated[str, Doc("project under which a sync would store the runs")]
    runs: RunCount
    copies: Annotated[int, Doc("number of copies of other runs in these directories, which count their cost")]
    agent_runs: AgentRunCount
    runs_without_cost: RunsWithoutCost
    unpriced_models: Annotated[list[str], Doc("names of models without a known price")]
    unpriced_by_model: Annotated[
        list[UnpricedTokens], Doc("number of unpriced tokens by model; unnamed last")
    ]
    by: Annotated[CostsByKind, Doc("costs by the requested kinds of groups")]
    problems: Annotated[list[Problem], Doc("problems found in the directories")]


class ResyncResult(TypedDict):
    """Result of repricing one run."""

    success: Annotated[bool, Doc("whether the repricing succeeded")]
    workflow_id: RunId
    updated: Annotated[bool, Doc("whether something changed")]
    message: Annotated[str, Doc("description of the change, or reason of the failure")]


class ResyncBatchResult(TypedDict):
    """Result of repricing many runs."""

    total_processed: Annotated[int, Doc("number of runs processed")]
    successful: Annotated[int, Doc("number of runs whose repricing succeeded")]
    failed: Annotated[int, Doc("number of runs whose repricing failed")]
    workflows: Annotated[list[ResyncResult], Doc("result of each run")]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Location of the demo."""

    folder: Annotated[str, Doc("path of the demo's agents directory")]
    database: Annotated[str, Doc("path or URL of the demo's history")]
    sync: Annotated[dict[str, Any], Doc("result of the demo's sync, in the schema `sync`")]


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Address of a server."""

    address: Annotated[str, Doc("URL of the start page")]
    token: Annotated[str | None, Doc("access token that the server requires; null: none")]
    agents_dir: Annotated[
        str | None, Doc("agents directory that is followed, the first one if there are several; null: none")
    ]
    folders: Annotated[list[str], Doc("all agents directories that are followed")]


@dataclass(frozen=True, slots=True)
class ConfigCreated:
    """A settings file that was created."""

    config: SettingsPath


@dataclass(frozen=True, slots=True)
class ConfigShown:
    """The config file in use."""

    path: Annotated[str, Doc("path of the config file")]
    content: Annotated[Mapping[str, Any], Doc("tables and keys of the file")]


@dataclass(frozen=True, slots=True)
class DatabasePath:
    """Location of the history."""

    path: HistoryPath


@dataclass(frozen=True, slots=True)
class DatabaseVersion:
    """Version of the database tables."""

    database_version: DatabaseRevision


@dataclass(frozen=True, slots=True)
class DatabaseCheck:
    """Integrity check of the history."""

    ok: Annotated[bool, Doc("whether the history has no faults")]
    problems: Annotated[list[str], Doc("faults found, one sentence each")]


@dataclass(frozen=True, slots=True)
class RedactionResult:
    """Redactions in the history."""

    rows_changed: Annotated[int, Doc("number of changed rows in all tables")]
    secrets: Annotated[dict[str, int], Doc("number of redacted secrets, by kind")]
    text_kept: Annotated[bool, Doc("whether requests, messages and commands are still stored")]


@dataclass(frozen=True, slots=True)
class CompletionScript:
    """Completion script of a shell."""

    shell: Annotated[str, Doc("name of the shell")]
    script: Annotated[str, Doc("script that the shell runs at its start")]
