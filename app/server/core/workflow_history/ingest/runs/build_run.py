"""Read a RunFolder and build a ScannedRun from its files. Writes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ...common.models import Problem, ScannedRun, StreamFacts, Workflow
from ...common.phases import classify_phase
from ...common.plausible_dates import MAX_DURATION, SILENCE_TIMEOUT
from ...common.redaction import redact_text
from ...costs.accounting.message_claims import NOTHING_ELSEWHERE, Attempt, Elsewhere
from ...costs.accounting.missing_parts import unseen_problem, unseen_subagents
from ..files import birth_time_ns
from ..streams import Checkpoint, StreamRead, resume_stream
from ..streams.reading import MAX_PROBLEMS
from .clues import Clues
from .file_times import LIVE, FileTimes, evidence_of
from .implausible_times import Possible, possible
from .log_failures import last_error
from .prompts import first_prompt
from .records import LOG_FILES, MAIN, SUMMARY_FILES, RunFolder, ScannedFile, agent_name
from .repeated_json import without_copies
from .request_text import Prompt, Request, find_request
from .run_times import (
    OF_ITS_STREAMS,
    SO_FAR,
    FileTimeSpan,
    RunTimes,
    is_later,
    is_ordered,
    parse_local_time,
    run_times,
    state_phases,
    stream_duration,
    unread_times,
)
from .small_files import Log, read_log, read_object, read_text
from .state_words import odd_words, quoted, without_unknown, word
from .status import (
    LogError,
    StatusDecision,
    StatusEvidence,
    decide_status,
    furthest_stream,
    is_in_future,
    state_error,
)

RUNNING_PREFIX, SILENT_PREFIX, FUTURE_PREFIX, NOT_YET = "running ", "silent ", "early ", "not yet "
"""Prefixes of a fingerprint if the status depends on the present time: the run is judged again later.

Running: its agents may still be running. Silent: they would count as running, but have written nothing for
long. Early: its files have times in the future. Not yet: a time in its files is in the future; the prefix
continues with the time from which it counts, in seconds since 1970, and a blank.
"""

_ENDED = frozenset({"completed", "failed", "stopped"})
_APART = timedelta(seconds=10)  # time between two files which shows that no copy wrote them
_AHEAD = timedelta(minutes=2)  # tolerance for another machine's clock

_UNTOLD = ("unreadable", "unread")  # formats of streams without any data
_SHOWN = 200  # characters of a state's value quoted in a problem
_END_OF_LOG = 20_000  # characters at the end of an error log that are redacted to get its last line
_SUCCESS = ("overall_success", "success")
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
    "bottleneck_phase", "idle_time_seconds", "similar_workflows", "copy_of", "files_folder",
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
    marks: dict[str, Checkpoint]  # by the stream's path in the run
    problems: tuple[Problem, ...]
    window: FileTimeSpan | None
    asks: bool  # whether streams are searched for the request
    births: dict[str, int]  # creation times of streams (if none, of all files) in ns since 1970, by path

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
        return any(problem.severity == "error" for problem in self.problems)


def read_run(
    folder: RunFolder,
    marks: Mapping[str, Checkpoint] | None = None,
    *,
    growing_from: float | None = None,
    asks: bool = True,
) -> RunFacts:
    """Read all data files of one run; streams that only grew are read from their checkpoints (`marks`).

    Streams written to after `growing_from` (seconds since 1970) get a checkpoint for the next time. Without
    `asks`, the beginnings of streams are not searched for the request.
    """
    read = {
        found.path: read_stream(found, (marks or {}).get(found.path), growing_from)
        for found in folder.streams
    }
    streams = [each.facts for each in read.values() if each.facts is not None]
    found_marks = {path: each.checkpoint for path, each in read.items() if each.checkpoint is not None}
    unknown = [each.problem for each in read.values() if each.problem is not None]
    return read_side_files(folder, streams, marks=found_marks, asks=asks, unknown=unknown)


def read_side_files(
    folder: RunFolder,
    streams: Sequence[StreamFacts],
    *,
    marks: Mapping[str, Checkpoint] | None = None,
    prompts: bool = True,
    asks: bool = True,
    unknown: Sequence[Problem] = (),
) -> RunFacts:
    """Read all other data files of a run whose streams have been read; prompts only with `prompts`.

    `unknown` has the problems of JSONL files that are not a known kind of stream.
    """
    streams = without_copies(streams)
    folder = folder.settled({facts.path for facts in streams})
    streams = _with_prompted_agent(folder, streams)
    looked_at = list(folder.streams) or folder.files
    births = {
        found.path: created_ns for found in looked_at if (created_ns := birth_time_ns(found.file)) is not None
    }
    problems: list[Problem] = list(unknown)
    state = read_object(folder.state, problems) if folder.state else None
    summaries = [(f.path, read_object(f, problems)) for f in folder.files_named(*SUMMARY_FILES)]
    asked = [found for found in folder.files if prompts and "prompts/" in found.path]
    read = [_prompt(found, problems) for found in asked]
    logs = [read_log(found, problems) for found in folder.files_named(LOG_FILES[0])]
    for facts in streams:
        problems.extend(facts.problems)
    return RunFacts(
        id=folder.id,
        folder=folder,
        state=state or {},
        has_state=state is not None,
        summaries=tuple((path, value) for path, value in summaries if value is not None),
        prompts=tuple(prompt for prompt in read if prompt is not None),
        logs=tuple(logs),
        error_log=_error_log(folder, problems),
        streams=tuple(streams),
        marks=dict(marks or {}),
        problems=tuple(problems),
        window=_window(folder),
        asks=prompts and asks,
        births=births,
    )


def shows_a_run(facts: RunFacts) -> bool:
    """Return whether a folder is a run: it has a readable state, summary, stream, error or completion.

    A workflow may fail before its first agent: its log is then its only file.
    """
    ended = facts.error_log is not None or any(log.completed or _error_of(log) for log in facts.logs)
    telling = (facts.has_state, bool(facts.summaries), ended)
    return any(telling) or any(
        stream.format not in _UNTOLD or stream.is_truncated for stream in facts.streams
    )


def build_run(
    facts: RunFacts,
    written: FileTimes,
    *,
    now: datetime,
    committed: datetime | None = None,
    grew: bool = False,
    elsewhere: Mapping[Attempt, Elsewhere] = NOTHING_ELSEWHERE,
    known_agents: AbstractSet[str] = frozenset(),
) -> ScannedRun:
    """Build a run from its facts: status, times, request and the other fields of the public vocabulary.

    `written` is the verdict on its file times. If they are a copy's, or can't be verified, `committed`, the
    time of the first commit of its files, is an upper bound of its end. `grew`: files were written since the
    last read. `elsewhere`: units of its streams that other runs count, packed; prompts in them are not this
    run's request. `known_agents`: agents whose streams are in the history.
    """
    kept = _kept_keys(facts.state)
    summaries = tuple((path, without_unknown(summary)) for path, summary in facts.summaries)
    read = dataclasses.replace(facts, state=without_unknown(facts.state), summaries=summaries)
    given = possible(read.folder, read.state, read.logs, read.streams, now)
    facts = dataclasses.replace(
        read, state=given.state, logs=given.logs, streams=given.streams, window=given.window
    )
    window = None if written.is_copied else facts.window
    streams = without_file_times(facts.streams) if written.is_copied else facts.streams
    have_clocks = all(stream.ended_at is not None for stream in streams)
    in_order = have_clocks or (window is not None and is_ordered(window, streams))
    told = run_times(given.run_id, facts.state, facts.logs, streams, None)
    later = written.is_alone or (window is not None and is_later(window, told))
    dated = without_file_times(streams) if later else streams
    times = run_times(
        given.run_id,
        facts.state,
        facts.logs,
        dated,
        None if later else window,
        committed=committed if written.is_copied or written.is_alone else None,
        birth=facts.open_stream_birth if facts.window is not None else None,
    )
    log_error = _log_error(facts)
    is_fresh = _has_fresh_clock(facts, told, now)
    writing = facts.window if is_fresh else window
    heard = {stream.agent for stream in facts.streams} | known_agents
    unheard_agents = _without_stream(facts, heard)
    evidence = StatusEvidence(
        state=facts.state,
        streams=streams,
        summary=_summary(facts.summaries),
        error_log=facts.error_log,
        log_error=log_error,
        completion=_completion(facts.logs),
        written_at=writing.last if writing else None,
        being_written=grew or (writing is not None and (is_fresh or _shows_writing(facts, writing))),
        in_order=in_order,
        silent_agents=[agent for agent, _ in unheard_agents],
        scripts=_scripts(facts),
    )
    verdict = decide_status(evidence, now)
    clues = Clues(facts.state, facts.summaries, facts.prompts, facts.logs, streams)
    request = _request(facts, clues, elsewhere)
    workflow: Workflow = {
        **kept,
        "id": facts.id,
        "adw_id": word(facts.state.get("adw_id")) or word(facts.state.get("id")),
        "status": verdict.status,
        "status_reason": verdict.reason,
        "nl_input": request.text if request else None,
        "nl_input_source": request.source if request else None,
        **_time_fields(times, verdict, window),
        "issue_number": clues.issue_number(),
        "issue_class": clues.issue_class(),
        "workflow_template": clues.workflow(request.text if request else ""),
        "model_used": word(facts.state.get("model_used")) or word(facts.state.get("model")),
        "branch_name": clues.branch(),
        "plan_file": clues.plan(),
        "current_phase": word(facts.state.get("current_phase")) or _phase(streams, in_order=in_order),
        "error_message": verdict.error
        or state_error(facts.state)
        or (log_error.text if log_error and verdict.status == "failed" else None),
    }
    if (inside := _files_folder(facts.folder)) != facts.id:
        workflow["files_folder"] = inside
    unheard = _unheard_phases(facts, heard)
    silent = [*unheard_agents, *unheard.values()] if verdict.status != "running" else []
    workflow["agents_without_stream"] = [agent for agent, _ in silent]
    if silent and workflow["duration_source"] in OF_ITS_STREAMS:
        workflow["duration_basis"] = "lower_bound"
    workflow["phases_without_stream"] = [_timed(name, facts, times) for name in unheard]
    notes = (
        *_other_id(facts, workflow),
        *_odd_words(read),
        *(problem for _, problem in silent),
        *_unseen_subagents(facts),
        *_odd_times(read, given, times),
    )
    by_the_clock = _by_the_clock(evidence, verdict, read.window, now)
    if not by_the_clock and given.again_at is not None:
        by_the_clock = f"{NOT_YET}{given.again_at.timestamp():.0f} "
    stamp = f"{by_the_clock}{facts.folder.fingerprint}"
    written_at = {found.path: found.mtime_ns / 1e9 for found in facts.folder.files}
    return ScannedRun(workflow, dated, stamp, (*facts.problems, *notes), verdict.inferred, written_at)


def _request(facts: RunFacts, clues: Clues, elsewhere: Mapping[Attempt, Elsewhere]) -> Request | None:
    names = ((clues.branch(), "the branch"), (clues.plan(), "the plan's file"))
    return find_request(
        facts.state,
        facts.summaries,
        facts.prompts,
        facts.logs,
        typed=lambda: first_prompt(facts.folder.files, facts.streams, elsewhere) if facts.asks else None,
        names=names,
    )


def _files_folder(folder: RunFolder) -> str:
    """Return the directory, relative to the agents directory, that the run's paths are relative to."""
    if not folder.files:
        return folder.id
    found = folder.files[0]
    return found.shown[: len(found.shown) - len(found.path)].rstrip("/")


def _by_the_clock(
    evidence: StatusEvidence, verdict: StatusDecision, window: FileTimeSpan | None, now: datetime
) -> str:
    """Return the fingerprint's prefix; "" if the status does not depend on the present time."""
    if window is not None and is_in_future(window.last, now):
        return FUTURE_PREFIX
    if verdict.status == "running":
        return RUNNING_PREFIX
    written = evidence.written_at
    if verdict.status == "incomplete" and written and decide_status(evidence, written).status == "running":
        return SILENT_PREFIX
    return ""


def without_file_times(streams: Sequence[StreamFacts]) -> tuple[StreamFacts, ...]:
    """Return the streams without their file times, for file times that can't be trusted."""
    return tuple(replace(stream, modified_at=None) for stream in streams)


def read_stream(
    found: ScannedFile, mark: Checkpoint | None = None, growing_from: float | None = None
) -> StreamRead:
    """Read one stream of a run, whole or from its checkpoint; a growing one gets a new checkpoint."""
    wanted = growing_from is not None and found.mtime_ns / 1e9 > growing_from
    read = resume_stream(found.file, found.shown, agent_name(found.path), mark, wanted=wanted, stamp=found)
    return read if read.facts is None else read._replace(facts=relative_to_run(read.facts, found))


def relative_to_run(facts: StreamFacts, found: ScannedFile) -> StreamFacts:
    """Return facts with the path relative to the run; problems keep that relative to the agents directory."""
    return replace(facts, path=found.path)


def _with_prompted_agent(folder: RunFolder, streams: Sequence[StreamFacts]) -> Sequence[StreamFacts]:
    """Name the only loose stream of a run after the only agent that has a prompt and no stream."""
    loose = [stream for stream in streams if "/" not in stream.path]
    heard = {stream.agent for stream in streams}
    asked = {found.path.split("/prompts/")[0] for found in folder.files if "/prompts/" in found.path} - heard
    if len(loose) != 1 or len(asked) != 1 or loose[0].agent != MAIN:
        return streams
    agent = asked.pop()
    return [replace(stream, agent=agent) if stream is loose[0] else stream for stream in streams]


def _prompt(found: ScannedFile, problems: list[Problem]) -> Prompt | None:
    text = read_text(found, problems)
    if text is None:
        return None
    agent = found.path.split("/prompts/")[0]
    if '{"' in text and _broken_issue(text):
        problems.append(Problem(found.shown, "the issue in it is no whole JSON", severity="warning"))
    return Prompt(classify_phase(agent), found.path, text)


def _broken_issue(text: str) -> bool:
    """Return whether the JSON of a slash command's issue is cut off."""
    if not text.startswith("/") or '{"number"' not in text:
        return False
    _, closed, after = text.rpartition("}")
    return not closed or len(after.split(maxsplit=5)) > 4  # up to four words may follow: ids and a path


def _error_log(folder: RunFolder, problems: list[Problem]) -> tuple[str, str] | None:
    for found in folder.files_named(LOG_FILES[1]):
        text = read_text(found, problems)
        if text and text.strip():
            whole = redact_text(text.strip()[-_END_OF_LOG:])  # the last line alone may be a part of a key
            return found.path, last_error(text) or whole.splitlines()[-1][:500]
    return None


def _log_error(facts: RunFacts) -> LogError | None:
    """Return the error that the latest log ends with; without streams, also an error before its end."""
    log = _last_log(facts.logs)
    if log is None:
        return None
    if error := log.error:
        return LogError(log.path, error)
    error = None if facts.streams else _error_of(log)
    return LogError(log.path, error, is_last=False) if error else None


def _error_of(log: Log) -> str | None:
    return None if log.completed else last_error(log.text)


def _last_log(logs: Sequence[Log]) -> Log | None:
    return max(logs, key=lambda log: log.last or datetime.min, default=None)  # noqa: DTZ901 - logs are naive


def _scripts(facts: RunFacts) -> list[str]:
    """Return the names of the workflow's scripts in the state and the logs."""
    stated = [facts.state.get("workflow_template"), facts.state.get("adw_name")]
    every = facts.state.get("all_adws")
    names = [*stated, *(every if isinstance(every, list) else ()), *(log.workflow for log in facts.logs)]
    return [name for name in names if isinstance(name, str) and name]


def _shows_writing(facts: RunFacts, window: FileTimeSpan) -> bool:
    """Return whether the files were not all written at once; recent files may also be a copy's."""
    created = facts.open_stream_birth  # creation by an agent, not by a copy
    was_open = created is not None and window.last - created >= _APART
    return was_open or window.last - window.first >= _APART or _grew_in_its_folder(facts)


def _has_fresh_clock(facts: RunFacts, told: RunTimes, now: datetime) -> bool:
    """Return whether a time in the files is within SILENCE_TIMEOUT, which rules out a copy of an old run."""
    clocks = [*(stream.ended_at for stream in facts.streams), *(log.last for log in facts.logs)]
    told_at = [when.replace(tzinfo=None) for when in (*clocks, told.created_at, told.started_at) if when]
    # A time without a zone is local time or UTC.
    here = (now.astimezone(UTC).replace(tzinfo=None), now.astimezone().replace(tzinfo=None))
    return any(-_AHEAD <= clock - when <= SILENCE_TIMEOUT for when in told_at for clock in here)


def _grew_in_its_folder(facts: RunFacts) -> bool:
    """Return whether the newest file was written to long after the last entry was added to its directory."""
    newest = max(facts.folder.files, key=lambda found: found.mtime_ns)
    try:
        made = Path(newest.file).parent.stat().st_mtime_ns
    except (OSError, ValueError):  # a remote file
        return False
    return timedelta(microseconds=(newest.mtime_ns - made) // 1000) >= _APART


def _window(folder: RunFolder) -> FileTimeSpan | None:
    times = [found.mtime_ns / 1e9 for found in folder.files]
    if not times:
        return None
    return FileTimeSpan(datetime.fromtimestamp(min(times), UTC), datetime.fromtimestamp(max(times), UTC))


def _summary(summaries: Sequence[tuple[str, dict[str, Any]]]) -> tuple[str, bool | None] | None:
    """Return path and success of the summary that decides: one that reports a failure, else the first."""
    told = [
        (path, next((word for key in _SUCCESS if isinstance(word := summary.get(key), bool)), None))
        for path, summary in summaries
    ]
    return next((each for each in told if each[1] is False), told[0] if told else None)


def _completion(logs: Sequence[Log]) -> tuple[str, str] | None:
    """Return path and completion line of the log that was written last; None if it has none."""
    log = _last_log(logs)
    if log is None or (line := log.completed) is None:
        return None
    return log.path, line


def _kept_keys(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state's extra keys; one with the name of a computed field is kept as `state_<name>`."""
    kept: dict[str, Any] = {}
    for key, value in state.items():
        if key not in STATE_FIELDS:
            kept[f"state_{key}" if key in COMPUTED_FIELDS else key] = value
    return kept


def _time_fields(times: RunTimes, verdict: StatusDecision, window: FileTimeSpan | None) -> dict[str, Any]:
    finished = verdict.status in _ENDED
    so_far = _so_far(times, window) if verdict.status == "running" else {}
    return {
        "created_at": _iso(times.created_at),
        "started_at": _iso(times.started_at),
        "completed_at": _iso(times.completed_at) if finished else None,
        "times_basis": times.basis,
        "times_source": times.source,
        "utc_offset_minutes": times.offset_minutes,
        "time_zone_known": times.zone_known,
        "duration_seconds": times.duration,
        "duration_basis": times.duration_basis,
        "duration_source": times.duration_source,
        **so_far,
    }


def _so_far(times: RunTimes, window: FileTimeSpan | None) -> dict[str, Any]:
    """Return the fields of a running run's duration until its last write, the same in every output."""
    if times.started_at is None or window is None or not times.zone_known:
        return {}
    lasted = window.last - times.started_at
    if not timedelta(0) <= lasted <= MAX_DURATION:
        return {}
    seconds = round(lasted.total_seconds(), 3)
    return {"duration_seconds": seconds, "duration_basis": "derived", "duration_source": SO_FAR}


def _iso(when: datetime | None) -> str | None:
    return when.isoformat() if when else None


def _phase(streams: Sequence[StreamFacts], *, in_order: bool) -> str | None:
    last = furthest_stream(streams, in_order=in_order)
    phase = classify_phase(last[-1].agent) if last else "other"
    return phase if phase != "other" else None


def _other_id(facts: RunFacts, workflow: Workflow) -> list[Problem]:
    """Report that a state has another id than its directory; the directory's name is the key."""
    claimed = workflow["adw_id"]
    if claimed is None or claimed == facts.id or facts.folder.state is None:
        return []
    path = facts.folder.state.shown
    reason = f"the state says id {claimed[:_SHOWN]!r}; the folder's name is the key"
    return [Problem(path, reason, None, "warning")]


def _odd_words(facts: RunFacts) -> Iterator[Problem]:
    """Yield a problem for each value of the state that can't be used as it is."""
    if facts.folder.state is not None:
        for reason in odd_words(facts.state):
            yield Problem(facts.folder.state.shown, reason, None, "warning")


def _odd_times(facts: RunFacts, given: Possible, times: RunTimes) -> Iterator[Problem]:
    """Yield problems for unreadable times, impossible times, and durations that are too long for a run."""
    path = facts.folder.state.shown if facts.folder.state else facts.id
    for field, value in unread_times(facts.state):
        yield Problem(path, f"{field} cannot be read as a time: {quoted(value)}", None, "warning")
    shown = {found.path: found.shown for found in facts.folder.files}
    of_files = [given.file_time] if given.file_time and times.created_at is None else []
    for inside, reason in (*given.refused, *of_files):
        yield Problem(shown[inside], reason, None, "warning")
    for seconds, source in times.refused:
        reason = f"{seconds:,.0f} s is longer than any run: its duration is not taken from {source}"
        yield Problem(path, reason, None, "warning")


def _without_stream(facts: RunFacts, heard: AbstractSet[str]) -> list[tuple[str, Problem]]:
    """Return the agents with a prompt and no stream, whose cost is unknown, each with a problem."""
    silent: dict[str, Problem] = {}
    for found in facts.folder.files:
        agent, inside, _ = found.path.rpartition("/prompts/")
        if inside and agent not in heard and agent not in silent:
            reason = f"{agent} was given this prompt, but left no stream: its cost is unknown"
            silent[agent] = Problem(found.shown, reason, None, "warning")
    return list(silent.items())


def _unseen_subagents(facts: RunFacts) -> Iterator[Problem]:
    """Yield a problem for each subagent that answered and has no transcript."""
    shown = {found.path: found.shown for found in facts.folder.files}
    for path, agents in unseen_subagents(facts.streams).items():
        yield from (unseen_problem(agent, shown[path]) for agent in agents[:MAX_PROBLEMS])


def _unheard_phases(facts: RunFacts, agents: AbstractSet[str]) -> dict[str, tuple[str, Problem]]:
    """Return the phases that are done according to the state and have no stream, by name, with problems."""
    heard = {*agents, *map(classify_phase, agents)}
    unheard: dict[str, tuple[str, Problem]] = {}
    for entry in state_phases(facts.state):
        name = word(entry.get("phase"))
        if name is None or facts.folder.state is None or name in heard or classify_phase(name) in heard:
            continue
        if entry.get("success") is True or word(entry.get("output_file")):
            told = name[:_SHOWN]
            reason = f"the state says that phase {told} was done, but it left no stream: its cost is unknown"
            unheard[name] = (name, Problem(facts.folder.state.shown, reason, None, "warning"))
    return unheard


def _timed(name: str, facts: RunFacts, times: RunTimes) -> dict[str, Any]:
    """Return a phase without a stream, its times and its duration in seconds, according to the state."""
    entry = next(entry for entry in state_phases(facts.state) if word(entry.get("phase")) == name)
    start = parse_local_time(entry.get("started_at"), times.offset_minutes)
    end = parse_local_time(entry.get("completed_at"), times.offset_minutes)
    lasted = end - start if start and end and start <= end else None
    seconds = lasted.total_seconds() if lasted is not None and lasted <= MAX_DURATION else None
    span = {"timestamp": _iso(start), "ended_at": _iso(end), "duration_seconds": seconds}
    return {"phase": classify_phase(name), "agent": name, **span}
