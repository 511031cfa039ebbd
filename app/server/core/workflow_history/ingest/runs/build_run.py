"""Read a RunFolder and build a ScannedRun from its files. Writes nothing."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import asdict, replace

from ...common.models import (
    DurationBasis,
    Problem,
    PullRequest,
    RunStatus,
    ScannedRun,
    SessionInfo,
    Severity,
    StreamFacts,
    StreamFormat,
    Workflow,
)
from ...common.phases import classify_phase
from ...common.plausible_dates import MAX_DURATION, SILENCE_TIMEOUT
from ...common.pull_requests import pull_request_name
from ...common.redaction import redact_text
from ...costs.accounting.message_claims import NOTHING_ELSEWHERE, Attempt, Elsewhere
from ...costs.accounting.missing_parts import unseen_problem, unseen_subagents
from ..files import birth_time_ns
from ..streams import Checkpoint, StreamRead, resume_stream
from ..streams.line_parser import MAX_PROBLEMS
from .clues import Clues
from .file_times import LIVE, FileTimes, evidence_of
from .implausible_times import PlausibleData, remove_implausible_times
from .json_logs import to_text_log
from .log_failures import last_error
from .prompts import first_prompt
from .records import LOG_FILES, MAIN_AGENT, SUMMARY_FILES, RunFolder, ScannedFile, agent_name, is_of_subagent
from .repeated_json import drop_repeated_json
from .request_text import Prompt, Request, find_request
from .run_times import (
    SO_FAR,
    STREAM_DURATION_SOURCES,
    FileTimeSpan,
    RunTimes,
    is_later,
    is_ordered,
    parse_local_time,
    run_times,
    state_phases,
    stream_duration,
    unparsable_times,
)
from .small_files import Log, last_log, read_log, read_object, read_text
from .state_words import MAX_QUOTED, clean_text, field_problems, missing_to_none, quote_value
from .status import (
    LogError,
    StatusDecision,
    StatusEvidence,
    decide_status,
    furthest_stream,
    is_in_future,
    session_stream,
    state_error,
)

RUNNING_PREFIX, SILENT_PREFIX, FUTURE_PREFIX, NOT_YET_PREFIX = "running ", "silent ", "early ", "not yet "
"""Prefixes of a fingerprint if the status depends on the present time: the run is judged again later.

Running: its agents may still be running. Silent: they would count as running, but have written nothing for
long. Early: its files have times in the future. Not yet: a time in its files is in the future; the prefix
continues with the time from which it counts, in seconds since 1970, and a blank.
"""

_END_STATUSES = frozenset({RunStatus.COMPLETED, RunStatus.ENDED, RunStatus.FAILED, RunStatus.STOPPED})
_MIN_SPREAD = timedelta(seconds=10)  # time between two files which shows that no copy wrote them
_CLOCK_TOLERANCE = timedelta(minutes=2)  # tolerance for another machine's clock

_UNREADABLE_FORMATS = (StreamFormat.UNREADABLE, StreamFormat.UNREAD)  # formats of streams without any data
_LOG_TAIL = 20_000  # characters at the end of an error log that are redacted to get its last line
_SUBAGENT = "subagent"  # name of a subagent whose session records no role
_SUCCESS_KEYS = ("overall_success", "success")
STATE_FIELDS = frozenset({
    "id", "adw_id", "status", "nl_input", "created_at", "started_at", "completed_at", "duration_seconds",
    "issue_number", "issue_class", "workflow_template", "model_used", "branch_name", "plan_file",
    "current_phase", "error_message",
})  # fmt: skip
"""Fields of a run that are taken from the state file; its other keys are kept as extra fields."""

COMPUTED_FIELDS = frozenset({
    "total_cost", "cost_basis", "cost_data", "phase_costs", "input_tokens", "output_tokens",
    "cache_read_tokens", "cache_creation_tokens", "total_tokens", "retry_count", "retry_cost",
    "nl_clarity_score", "cost_efficiency_score", "performance_score", "quality_score", "phase_durations",
    "bottleneck_phase", "idle_time_seconds", "similar_workflows", "copy_of", "files_folder", "pull_request",
    "pull_request_url",
})  # fmt: skip
"""Computed fields of a run: a state file's own value of this name is kept as `state_<name>`."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All facts read from one run's files, before it is judged."""

    id: str
    folder: RunFolder
    state: dict[str, Any]
    has_state: bool
    summaries: tuple[tuple[str, dict[str, Any]], ...]
    prompts: tuple[Prompt, ...]
    logs: tuple[Log, ...]
    error_log: tuple[str, str] | None
    streams: tuple[StreamFacts, ...]
    checkpoints: dict[str, Checkpoint]  # by the stream's path in the run
    problems: tuple[Problem, ...]
    window: FileTimeSpan | None
    search_request: bool  # whether streams are searched for the request
    births: dict[str, int]  # creation times of streams (if none, of all files) in ns since 1970, by path
    listing: str  # digest of the listing of its files, with their present times

    @property
    def content(self) -> str:
        """Digest of the content of its files, without their times."""
        files = [(file.path, file.size) for file in self.folder.files]
        streams = [(stream.path, stream.identity, stream.lines) for stream in self.streams]
        logs = [(log.path, log.text) for log in self.logs]
        others = (self.state, self.summaries, self.prompts, logs, self.error_log)
        text = repr((files, streams, others)).encode("utf-8", "replace")
        return hashlib.blake2b(text, digest_size=8).hexdigest()

    def with_file_times(self, written: Mapping[str, int], last: int) -> RunFacts:
        """Return the facts with earlier times of its files, in nanoseconds since 1970.

        `written` has those of streams by path; any other file was written at `last` or before.
        """
        times = {file.path: min(file.mtime_ns, written.get(file.path, last)) for file in self.folder.files}
        files = tuple(file._replace(mtime_ns=times[file.path]) for file in self.folder.files)
        folder = dataclasses.replace(self.folder, files=files)
        streams = tuple(
            replace(stream, modified_at=datetime.fromtimestamp(times[stream.path] / 1e9, UTC))
            for stream in self.streams
        )
        return dataclasses.replace(self, folder=folder, streams=streams, window=_file_time_span(folder))

    @property
    def evidence(self) -> str | None:
        """Verdict on file times from the run's own files: contradicted, live, kept; None if unclear."""
        return evidence_of(self.folder, self.streams, self.births)

    @property
    def open_stream_birth(self) -> datetime | None:
        """When an agent created the first stream without an end; None without one or if not LIVE."""
        if self.evidence != LIVE:
            return None
        unended_paths = [s.path for s in self.streams if stream_duration(s) is None and s.path in self.births]
        created_ns = min((self.births[path] for path in unended_paths), default=None)
        return None if created_ns is None else datetime.fromtimestamp(created_ns / 1e9, UTC)

    @property
    def is_broken(self) -> bool:
        """Whether any file or line could not be read."""
        return any(problem.severity == Severity.ERROR for problem in self.problems)


def read_run(
    folder: RunFolder,
    checkpoints: Mapping[str, Checkpoint] | None = None,
    *,
    growing_from: float | None = None,
    search_request: bool = True,
) -> RunFacts:
    """Read all data files of one run; streams that only grew are read from their checkpoints.

    Streams written to after `growing_from` (seconds since 1970) get a checkpoint for the next time. Without
    `search_request`, the beginnings of streams are not searched for the request.
    """
    results = {
        file.path: read_stream(file, (checkpoints or {}).get(file.path), growing_from)
        for file in folder.streams
    }
    streams = [result.facts for result in results.values() if result.facts is not None]
    new_checkpoints = {
        path: result.checkpoint for path, result in results.items() if result.checkpoint is not None
    }
    unknown = [result.problem for result in results.values() if result.problem is not None]
    return read_side_files(
        folder, streams, checkpoints=new_checkpoints, search_request=search_request, unknown=unknown
    )


def read_side_files(
    folder: RunFolder,
    streams: Sequence[StreamFacts],
    *,
    checkpoints: Mapping[str, Checkpoint] | None = None,
    prompts: bool = True,
    search_request: bool = True,
    unknown: Sequence[Problem] = (),
) -> RunFacts:
    """Read all other data files of a run whose streams have been read; prompts only with `prompts`.

    `unknown` has the problems of JSONL files that are not a known kind of stream.
    """
    streams = drop_repeated_json(streams)
    folder = folder.settled({facts.path for facts in streams})
    streams = _name_prompted_agent(folder, streams)
    dated_files = list(folder.streams) or folder.files
    births = {
        file.path: created_ns for file in dated_files if (created_ns := birth_time_ns(file.file)) is not None
    }
    problems: list[Problem] = list(unknown)
    state = read_object(folder.state, problems) if folder.state else None
    summaries = [(file.path, read_object(file, problems)) for file in folder.files_named(*SUMMARY_FILES)]
    prompt_files = [file for file in folder.files if prompts and "prompts/" in file.path]
    read_prompts = [_read_prompt(file, problems) for file in prompt_files]
    logs = [read_log(file, problems) for file in folder.files_named(LOG_FILES[0])]
    for facts in streams:
        problems.extend(facts.problems)
    return RunFacts(
        id=folder.id,
        folder=folder,
        state=state or {},
        has_state=state is not None,
        summaries=tuple((path, value) for path, value in summaries if value is not None),
        prompts=tuple(prompt for prompt in read_prompts if prompt is not None),
        logs=tuple(logs),
        error_log=_read_error_log(folder, problems),
        streams=tuple(streams),
        checkpoints=dict(checkpoints or {}),
        problems=tuple(problems),
        window=_file_time_span(folder),
        search_request=prompts and search_request,
        births=births,
        listing=folder.fingerprint,
    )


def shows_a_run(facts: RunFacts) -> bool:
    """Return whether a folder is a run: it has a readable state, summary, stream, error or completion.

    A workflow may fail before its first agent: its log is then its only file.
    """
    has_end = facts.error_log is not None or any(log.completed or _log_error(log) for log in facts.logs)
    has_data = (facts.has_state, bool(facts.summaries), has_end)
    return any(has_data) or any(
        stream.format not in _UNREADABLE_FORMATS or stream.is_truncated for stream in facts.streams
    )


def build_run(
    facts: RunFacts,
    file_times: FileTimes,
    *,
    now: datetime,
    committed: datetime | None = None,
    grew: bool = False,
    elsewhere: Mapping[Attempt, Elsewhere] = NOTHING_ELSEWHERE,
    known_agents: AbstractSet[str] = frozenset(),
) -> ScannedRun:
    """Build a run from its facts: status, times, request and the other fields of the public vocabulary.

    `file_times` has the verdict on its file times. If they are a copy's, or can't be verified, `committed`,
    the time of the first commit of its files, is an upper bound of its end. `grew`: files were written since
    the last read. `elsewhere`: units of its streams that other runs count, packed; prompts in them are not
    this run's request. `known_agents`: agents whose streams are in the history.
    """
    summaries = tuple((path, missing_to_none(summary)) for path, summary in facts.summaries)
    cleaned = dataclasses.replace(facts, state=missing_to_none(facts.state), summaries=summaries)
    plausible = remove_implausible_times(cleaned.folder, cleaned.state, cleaned.logs, cleaned.streams, now)
    run = _date_run(cleaned, plausible, file_times, committed)
    heard_agents = {stream.agent for stream in run.facts.streams} | known_agents
    silent_agents = _agents_without_stream(run.facts, heard_agents)
    evidence = _status_evidence(run, [agent for agent, _ in silent_agents], now=now, grew=grew)
    verdict = decide_status(evidence, now)
    workflow = {**_extra_fields(facts.state), **_workflow_fields(run, evidence, verdict, elsewhere)}
    if (files_folder := facts.folder.files_folder) != facts.id:
        workflow["files_folder"] = files_folder
    silent_phases = _phases_without_stream(run.facts, heard_agents)
    silent = [*silent_agents, *silent_phases.values()] if verdict.status != RunStatus.RUNNING else []
    workflow["agents_without_stream"] = [agent for agent, _ in silent]
    if silent and workflow["duration_source"] in STREAM_DURATION_SOURCES:
        workflow["duration_basis"] = DurationBasis.LOWER_BOUND.value
    workflow["phases_without_stream"] = [_phase_times(name, run.facts, run.times) for name in silent_phases]
    problems = (
        *facts.problems,
        *_id_problems(run.facts, workflow),
        *_field_problems(cleaned),
        *(problem for _, problem in silent),
        *_subagent_problems(run.facts),
        *_time_problems(cleaned, plausible, run.times),
    )
    prefix = _fingerprint_prefix(evidence, verdict, cleaned.window, now)
    if not prefix and plausible.plausible_from is not None:
        prefix = f"{NOT_YET_PREFIX}{plausible.plausible_from.timestamp():.0f} "
    fingerprint = f"{prefix}{facts.content} {facts.listing}"
    written_at = {file.path: file.mtime_ns / 1e9 for file in facts.folder.files}
    return ScannedRun(workflow, run.dated_streams, fingerprint, problems, verdict.inferred, written_at)


@dataclass(frozen=True, slots=True)
class _DatedRun:
    """Facts of a run without implausible times, and the times derived from them."""

    facts: RunFacts
    window: FileTimeSpan | None  # None: file times can't be used, as they are a copy's
    streams: tuple[StreamFacts, ...]  # without the file times of a copy
    dated_streams: tuple[StreamFacts, ...]  # without any file times that the run's times are not taken from
    in_order: bool  # whether times show which agent ran last
    reported_times: RunTimes  # derived without file times
    times: RunTimes


def _date_run(
    cleaned: RunFacts, plausible: PlausibleData, file_times: FileTimes, committed: datetime | None
) -> _DatedRun:
    facts = dataclasses.replace(
        cleaned,
        state=plausible.state,
        logs=plausible.logs,
        streams=plausible.streams,
        window=plausible.window,
    )
    window = None if file_times.is_copied else facts.window
    streams = without_file_times(facts.streams) if file_times.is_copied else facts.streams
    have_clocks = all(stream.ended_at is not None for stream in streams)
    reported_times = run_times(plausible.run_id, facts.state, facts.logs, streams, None)
    ignores_file_times = file_times.is_alone or (window is not None and is_later(window, reported_times))
    dated_streams = without_file_times(streams) if ignores_file_times else streams
    times = run_times(
        plausible.run_id,
        facts.state,
        facts.logs,
        dated_streams,
        None if ignores_file_times else window,
        committed=committed if file_times.is_copied or file_times.is_alone else None,
        birth=facts.open_stream_birth if facts.window is not None else None,
    )
    return _DatedRun(
        facts,
        window,
        streams,
        dated_streams,
        have_clocks or (window is not None and is_ordered(window, streams)),
        reported_times,
        times,
    )


def _status_evidence(
    run: _DatedRun, silent_agents: Sequence[str], *, now: datetime, grew: bool
) -> StatusEvidence:
    facts = run.facts
    is_fresh = _has_fresh_clock(facts, run.reported_times, now)
    window = facts.window if is_fresh else run.window
    return StatusEvidence(
        state=facts.state,
        streams=run.streams,
        summary=_decisive_summary(facts.summaries),
        error_log=facts.error_log,
        log_error=_latest_log_error(facts),
        completion=_completion_line(facts.logs),
        written_at=window.last if window else None,
        being_written=grew or (window is not None and (is_fresh or _were_written_over_time(facts, window))),
        in_order=run.in_order,
        silent_agents=silent_agents,
        scripts=_script_names(facts),
    )


def _workflow_fields(
    run: _DatedRun,
    evidence: StatusEvidence,
    verdict: StatusDecision,
    elsewhere: Mapping[Attempt, Elsewhere],
) -> Workflow:
    facts, state, log_error = run.facts, run.facts.state, evidence.log_error
    stream = None if facts.has_state else session_stream(run.streams)
    session = stream.session if stream is not None else None
    clues = Clues(state, facts.summaries, facts.prompts, facts.logs, run.streams, session)
    request = _find_run_request(facts, clues, elsewhere)
    if request is None and session is not None and session.title:
        request = Request(redact_text(session.title), "the session's title")
    phase = clean_text(state.get("current_phase")) or _furthest_phase(run.streams, in_order=run.in_order)
    return {
        "id": facts.id,
        "adw_id": clean_text(state.get("adw_id")) or clean_text(state.get("id")),
        "status": str(verdict.status),
        "status_reason": verdict.reason,
        "nl_input": request.text if request else None,
        "nl_input_source": request.source if request else None,
        **_time_fields(run.times, verdict, run.window),
        "issue_number": clues.issue_number(),
        "issue_class": clues.issue_class(),
        "workflow_template": clues.workflow(request.text if request else ""),
        "model_used": clean_text(state.get("model_used")) or clean_text(state.get("model")),
        "branch_name": clues.branch(),
        "plan_file": clues.plan(),
        "current_phase": phase,
        "error_message": verdict.error
        or state_error(state)
        or (log_error.text if log_error and verdict.status == RunStatus.FAILED else None),
        **_pull_request_fields(clues.pull_requests()),
        **(_session_fields(session) if session is not None else {}),
    }


def _session_fields(session: SessionInfo) -> dict[str, Any]:
    """Return the fields of a run that only a session has; an unknown one is left out."""
    fields = {
        "title": redact_text(session.title) if session.title else None,
        "working_directory": session.folder,
        "active_seconds": session.active_seconds,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _pull_request_fields(pull_requests: Sequence[PullRequest]) -> dict[str, Any]:
    """Return the fields of a run's pull request: the last one; all of them only if there are several."""
    last = pull_requests[-1] if pull_requests else None
    fields: dict[str, Any] = {
        "pull_request": None if last is None else pull_request_name(last),
        "pull_request_url": None if last is None else last.url,
    }
    if len(pull_requests) > 1:
        fields["pull_requests"] = [asdict(one) for one in pull_requests]
    return fields


def _find_run_request(
    facts: RunFacts, clues: Clues, elsewhere: Mapping[Attempt, Elsewhere]
) -> Request | None:
    names = ((clues.branch(), "the branch"), (clues.plan(), "the plan's file"))
    return find_request(
        facts.state,
        facts.summaries,
        facts.prompts,
        facts.logs,
        find_typed=lambda: (
            first_prompt(facts.folder.files, facts.streams, elsewhere) if facts.search_request else None
        ),
        names=names,
        run_ids=[facts.id, *filter(None, (clean_text(facts.state.get(key)) for key in ("adw_id", "id")))],
    )


def _fingerprint_prefix(
    evidence: StatusEvidence, verdict: StatusDecision, window: FileTimeSpan | None, now: datetime
) -> str:
    """Return the fingerprint's prefix; "" if the status does not depend on the present time."""
    if window is not None and is_in_future(window.last, now):
        return FUTURE_PREFIX
    if verdict.status == RunStatus.RUNNING:
        return RUNNING_PREFIX
    written_at = evidence.written_at
    if verdict.status != RunStatus.INCOMPLETE or written_at is None:
        return ""
    if decide_status(evidence, written_at).status == RunStatus.RUNNING:
        return SILENT_PREFIX
    silent_at = written_at + SILENCE_TIMEOUT + timedelta(seconds=1)
    if now < silent_at and decide_status(evidence, silent_at).status != verdict.status:
        return f"{NOT_YET_PREFIX}{silent_at.timestamp():.0f} "
    return ""


def without_file_times(streams: Sequence[StreamFacts]) -> tuple[StreamFacts, ...]:
    """Return the streams without their file times, for file times that can't be trusted."""
    return tuple(replace(stream, modified_at=None) for stream in streams)


def read_stream(
    file: ScannedFile, checkpoint: Checkpoint | None = None, growing_from: float | None = None
) -> StreamRead:
    """Read one stream of a run, whole or from its checkpoint; a growing one gets a new checkpoint."""
    is_growing = growing_from is not None and file.mtime_ns / 1e9 > growing_from
    agent = (_subagent_type(file) if is_of_subagent(file.path) else None) or agent_name(file.path)
    result = resume_stream(file.file, file.shown, agent, checkpoint, with_checkpoint=is_growing, stamp=file)
    facts = result.facts
    if facts is None:
        return result
    if facts.session is not None and facts.format != StreamFormat.CLAUDE_TRANSCRIPT:
        agent = (facts.session.role or _SUBAGENT) if facts.is_subagent else MAIN_AGENT
        facts = replace(facts, agent=agent)
    return result._replace(facts=replace(facts, path=file.path))


def _subagent_type(file: ScannedFile) -> str | None:
    """Return the type of a subagent from the file beside its transcript; None if that is not recorded."""
    metadata = read_object(file._replace(file=file.file.removesuffix(".jsonl") + ".meta.json"), [])
    return clean_text((metadata or {}).get("agentType"))


def _name_prompted_agent(folder: RunFolder, streams: Sequence[StreamFacts]) -> Sequence[StreamFacts]:
    """Name the only loose stream of a run after the only agent that has a prompt and no stream."""
    loose = [stream for stream in streams if "/" not in stream.path]
    heard_agents = {stream.agent for stream in streams}
    prompted_agents = {
        file.path.split("/prompts/")[0] for file in folder.files if "/prompts/" in file.path
    } - heard_agents
    if len(loose) != 1 or len(prompted_agents) != 1 or loose[0].agent != MAIN_AGENT:
        return streams
    agent = prompted_agents.pop()
    return [replace(stream, agent=agent) if stream is loose[0] else stream for stream in streams]


def _read_prompt(file: ScannedFile, problems: list[Problem]) -> Prompt | None:
    text = read_text(file, problems)
    if text is None:
        return None
    agent = file.path.split("/prompts/")[0]
    if '{"' in text and _is_issue_cut_off(text):
        problems.append(Problem(file.shown, "the issue in it is incomplete JSON", severity=Severity.WARNING))
    return Prompt(classify_phase(agent), file.path, text)


def _is_issue_cut_off(text: str) -> bool:
    """Return whether the JSON of a slash command's issue is cut off."""
    if not text.startswith("/") or '{"number"' not in text:
        return False
    _, brace, after = text.rpartition("}")
    return not brace or len(after.split(maxsplit=5)) > 4  # up to four words may follow: ids and a path


def _read_error_log(folder: RunFolder, problems: list[Problem]) -> tuple[str, str] | None:
    for file in folder.files_named(LOG_FILES[1]):
        text = to_text_log(read_text(file, problems) or "")
        if text.strip():
            redacted = redact_text(text.strip()[-_LOG_TAIL:])  # the last line alone may be a part of a key
            return file.path, last_error(text) or redacted.splitlines()[-1][:500]
    return None


def _latest_log_error(facts: RunFacts) -> LogError | None:
    """Return the error that the latest log ends with; without streams, also an error before its end."""
    log = last_log(facts.logs)
    if log is None:
        return None
    if error := log.error:
        return LogError(log.path, error)
    error = None if facts.streams else _log_error(log)
    return LogError(log.path, error, is_last=False) if error else None


def _log_error(log: Log) -> str | None:
    return None if log.completed else last_error(log.text)


def _script_names(facts: RunFacts) -> list[str]:
    """Return the names of the workflow's scripts in the state and the logs."""
    stated = [facts.state.get("workflow_template"), facts.state.get("adw_name")]
    all_names = facts.state.get("all_adws")
    names = [
        *stated,
        *(all_names if isinstance(all_names, list) else ()),
        *(log.workflow for log in facts.logs),
    ]
    return [name for name in names if isinstance(name, str) and name]


def _were_written_over_time(facts: RunFacts, window: FileTimeSpan) -> bool:
    """Return whether the files were not all written at once; recent files may also be a copy's."""
    created = facts.open_stream_birth  # creation by an agent, not by a copy
    was_open = created is not None and window.last - created >= _MIN_SPREAD
    return was_open or window.last - window.first >= _MIN_SPREAD or _grew_after_folder(facts)


def _has_fresh_clock(facts: RunFacts, reported_times: RunTimes, now: datetime) -> bool:
    """Return whether a time in the files is within SILENCE_TIMEOUT, which rules out a copy of an old run."""
    times = [*(stream.ended_at for stream in facts.streams), *(log.last for log in facts.logs)]
    naive_times = [
        when.replace(tzinfo=None)
        for when in (*times, reported_times.created_at, reported_times.started_at)
        if when
    ]
    # A time without a zone is local time or UTC.
    present_times = (now.astimezone(UTC).replace(tzinfo=None), now.astimezone().replace(tzinfo=None))
    return any(
        -_CLOCK_TOLERANCE <= present - when <= SILENCE_TIMEOUT
        for when in naive_times
        for present in present_times
    )


def _grew_after_folder(facts: RunFacts) -> bool:
    """Return whether the newest file was written to long after the last entry was added to its directory."""
    newest = max(facts.folder.files, key=lambda file: file.mtime_ns)
    try:
        folder_changed_ns = Path(newest.file).parent.stat().st_mtime_ns
    except (OSError, ValueError):  # a remote file
        return False
    return timedelta(microseconds=(newest.mtime_ns - folder_changed_ns) // 1000) >= _MIN_SPREAD


def _file_time_span(folder: RunFolder) -> FileTimeSpan | None:
    times = [file.mtime_ns / 1e9 for file in folder.files]
    if not times:
        return None
    return FileTimeSpan(datetime.fromtimestamp(min(times), UTC), datetime.fromtimestamp(max(times), UTC))


def _decisive_summary(summaries: Sequence[tuple[str, dict[str, Any]]]) -> tuple[str, bool | None] | None:
    """Return path and success of the summary that decides: one that reports a failure, else the first."""
    outcomes: list[tuple[str, bool | None]] = []
    for path, summary in summaries:
        values = (summary.get(key) for key in _SUCCESS_KEYS)
        outcomes.append((path, next((value for value in values if isinstance(value, bool)), None)))
    return next((outcome for outcome in outcomes if outcome[1] is False), outcomes[0] if outcomes else None)


def _completion_line(logs: Sequence[Log]) -> tuple[str, str] | None:
    """Return path and completion line of the log that was written last; None if it has none."""
    log = last_log(logs)
    if log is None or (line := log.completed) is None:
        return None
    return log.path, line


def _extra_fields(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state's extra keys; one with the name of a computed field is kept as `state_<name>`."""
    extra_fields: dict[str, Any] = {}
    for key, value in state.items():
        if key not in STATE_FIELDS:
            extra_fields[f"state_{key}" if key in COMPUTED_FIELDS else key] = value
    return extra_fields


def _time_fields(times: RunTimes, verdict: StatusDecision, window: FileTimeSpan | None) -> dict[str, Any]:
    finished = verdict.status in _END_STATUSES
    so_far = _elapsed_fields(times, window) if verdict.status == RunStatus.RUNNING else {}
    return {
        "created_at": _isoformat(times.created_at),
        "started_at": _isoformat(times.started_at),
        "completed_at": _isoformat(times.completed_at) if finished else None,
        "times_basis": times.basis and times.basis.value,
        "times_source": times.source,
        "utc_offset_minutes": times.offset_minutes,
        "time_zone_known": times.zone_known,
        "duration_seconds": times.duration,
        "duration_basis": times.duration_basis and times.duration_basis.value,
        "duration_source": times.duration_source,
        **so_far,
    }


def _elapsed_fields(times: RunTimes, window: FileTimeSpan | None) -> dict[str, Any]:
    """Return the fields of a running run's duration until its last write, the same in every output."""
    if times.started_at is None or window is None or not times.zone_known:
        return {}
    elapsed = window.last - times.started_at
    if not timedelta(0) <= elapsed <= MAX_DURATION:
        return {}
    return {
        "duration_seconds": round(elapsed.total_seconds(), 3),
        "duration_basis": DurationBasis.DERIVED.value,
        "duration_source": SO_FAR,
    }


def _isoformat(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _furthest_phase(streams: Sequence[StreamFacts], *, in_order: bool) -> str | None:
    last = furthest_stream(streams, in_order=in_order)
    phase = classify_phase(last[-1].agent) if last else "other"
    return phase if phase != "other" else None


def _id_problems(facts: RunFacts, workflow: Workflow) -> list[Problem]:
    """Report that a state has another id than its directory; the directory's name is the key."""
    claimed = workflow["adw_id"]
    if claimed is None or claimed == facts.id or facts.folder.state is None:
        return []
    path = facts.folder.state.shown
    reason = f"the state says id {claimed[:MAX_QUOTED]!r}; the folder's name is the key"
    return [Problem(path, reason, None, Severity.WARNING)]


def _field_problems(facts: RunFacts) -> Iterator[Problem]:
    """Yield a problem for each value of the state that can't be used as it is."""
    if facts.folder.state is not None:
        for reason in field_problems(facts.state):
            yield Problem(facts.folder.state.shown, reason, None, Severity.WARNING)


def _time_problems(facts: RunFacts, plausible: PlausibleData, times: RunTimes) -> Iterator[Problem]:
    """Yield problems for unreadable times, impossible times, and durations that are too long for a run."""
    path = facts.folder.state.shown if facts.folder.state else facts.id
    for field, value in unparsable_times(facts.state):
        yield Problem(path, f"{field} cannot be read as a time: {quote_value(value)}", None, Severity.WARNING)
    display_paths = {file.path: file.shown for file in facts.folder.files}
    file_time_problems = [plausible.file_time] if plausible.file_time and times.created_at is None else []
    for path_in_run, reason in (*plausible.rejected, *file_time_problems):
        yield Problem(display_paths[path_in_run], reason, None, Severity.WARNING)
    for seconds, source in times.rejected:
        reason = f"{seconds:,.0f} s is longer than any run: its duration is not taken from {source}"
        yield Problem(path, reason, None, Severity.WARNING)


def _agents_without_stream(facts: RunFacts, heard_agents: AbstractSet[str]) -> list[tuple[str, Problem]]:
    """Return the agents with a prompt and no stream, whose cost is unknown, each with a problem."""
    problems: dict[str, Problem] = {}
    for file in facts.folder.files:
        agent, prompt_name, _ = file.path.rpartition("/prompts/")
        if prompt_name and agent not in heard_agents and agent not in problems:
            reason = f"{agent} has this prompt but no transcript: its cost is unknown"
            problems[agent] = Problem(file.shown, reason, None, Severity.WARNING)
    return list(problems.items())


def _subagent_problems(facts: RunFacts) -> Iterator[Problem]:
    """Yield a problem for each subagent that answered and has no transcript."""
    display_paths = {file.path: file.shown for file in facts.folder.files}
    for path, agents in unseen_subagents(facts.streams).items():
        yield from (unseen_problem(agent, display_paths[path]) for agent in agents[:MAX_PROBLEMS])


def _phases_without_stream(facts: RunFacts, agents: AbstractSet[str]) -> dict[str, tuple[str, Problem]]:
    """Return the phases that are done according to the state and have no stream, by name, with problems."""
    heard_phases = {*agents, *map(classify_phase, agents)}
    silent_phases: dict[str, tuple[str, Problem]] = {}
    for entry in state_phases(facts.state):
        name = clean_text(entry.get("phase"))
        if (
            name is None
            or facts.folder.state is None
            or name in heard_phases
            or classify_phase(name) in heard_phases
        ):
            continue
        if entry.get("success") is True or clean_text(entry.get("output_file")):
            shown = name[:MAX_QUOTED]
            reason = f"phase {shown} is done in the state file, but has no transcript: its cost is unknown"
            silent_phases[name] = (name, Problem(facts.folder.state.shown, reason, None, Severity.WARNING))
    return silent_phases


def _phase_times(name: str, facts: RunFacts, times: RunTimes) -> dict[str, Any]:
    """Return a phase without a stream, its times and its duration in seconds, according to the state."""
    entry = next(entry for entry in state_phases(facts.state) if clean_text(entry.get("phase")) == name)
    start = parse_local_time(entry.get("started_at"), times.offset_minutes)
    end = parse_local_time(entry.get("completed_at"), times.offset_minutes)
    elapsed = end - start if start and end and start <= end else None
    seconds = elapsed.total_seconds() if elapsed is not None and elapsed <= MAX_DURATION else None
    span = {"timestamp": _isoformat(start), "ended_at": _isoformat(end), "duration_seconds": seconds}
    return {"phase": classify_phase(name), "agent": name, **span}
