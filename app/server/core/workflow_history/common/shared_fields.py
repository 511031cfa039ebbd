"""Types of fields that several published records have, each with its description."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from .field_docs import Doc

_CREATED: Final = Doc("creation time of the run, ISO 8601, UTC; null: unknown")

# A run
RunId = Annotated[str, Doc("id of the run")]
RunProject = Annotated[str, Doc("project of the run; empty: no project is named")]
RunProjectOrNull = Annotated[str | None, Doc("project of the run; null: no project is named")]
RunCreatedAt = Annotated[str | None, _CREATED]
RunCreatedTime = Annotated[datetime | None, _CREATED]
RunStatusOrNull = Annotated[str | None, Doc("status of the run; null: unknown")]
RunWorkflow = Annotated[str | None, Doc("name of the workflow; null: unknown")]
RunRequest = Annotated[str | None, Doc("beginning of the request; null: unknown")]
RunDuration = Annotated[float | None, Doc("duration of the run, in seconds; null: unknown")]
Similarity = Annotated[float, Doc("similarity score, 0 to 1")]

# Several runs
RunCount = Annotated[int, Doc("number of runs, without copies of other runs")]
SuccessRate = Annotated[
    float | None, Doc("completed share of completed and failed runs, 0 to 1; null: no run")
]
EndedRuns = Annotated[int, Doc("number of runs that completed or failed")]
PricedRuns = Annotated[int, Doc("number of runs with a known cost")]
RunsWithoutCost = Annotated[int, Doc("number of runs with neither a recorded cost nor a lower bound")]
LowerBoundCost = Annotated[
    float | None, Doc("lower bound of the cost beyond the recorded cost, USD; null: none")
]
MoreMaySpent = Annotated[bool, Doc("whether more may have been spent")]
AgentRunCount = Annotated[int, Doc("number of agent runs with a transcript")]

# Tokens
InputTokens = Annotated[int | None, Doc("number of uncached input tokens; null: unknown")]
OutputTokens = Annotated[int | None, Doc("number of output tokens; null: unknown")]
CacheReadTokens = Annotated[int | None, Doc("number of cache read tokens; null: unknown")]
CacheWriteTokens = Annotated[int | None, Doc("number of cache write tokens; null: unknown")]
TotalTokens = Annotated[int | None, Doc("number of tokens of all four kinds; null: unknown")]

# A sync
SyncDuration = Annotated[float, Doc("duration of the sync, in seconds")]
FoundRuns = Annotated[int, Doc("number of runs found")]
NewRuns = Annotated[int, Doc("number of new runs")]
UnchangedRuns = Annotated[int, Doc("number of stored runs that needed no write")]
BrokenRuns = Annotated[int, Doc("number of runs with a failure")]
FirstFolder = Annotated[str, Doc("agents directory that was read, the first one if there are several")]
ReadFolders = Annotated[list[str], Doc("all agents directories that were read")]

# Anything
LineNumber = Annotated[int | None, Doc("line number, from 1; null: the whole file")]
NextCursor = Annotated[str | None, Doc("cursor of the next page; null: last page")]
DatabaseRevision = Annotated[str | None, Doc("revision of the database tables; null: no history yet")]
HistoryPath = Annotated[str, Doc("path of the database file, or database URL without its password")]
SettingsPath = Annotated[str, Doc("path of the settings file")]
