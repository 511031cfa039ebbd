"""Find the request of a run in its state, summaries, prompts, logs or streams. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ...common.redaction import redact_text
from .command_arguments import is_path, is_path_argument, without_arguments
from .issues import issue_in
from .prompts import COMMAND
from .small_files import Log, extract_json_objects
from .state_words import MAX_REQUEST, REQUEST_KEYS, has_visible_text

_MAX_NAME = 1_000  # characters of a branch or file name: noise is removed from it one part at a time


class Prompt(NamedTuple):
    """One prompt that was given to an agent."""

    phase: str
    path: str  # relative to the run's directory
    text: str


class Request(NamedTuple):
    """Text of a request, and its source."""

    text: str
    source: str


_SUMMARY_KEYS = ("prompt", "task", "task_description", "nl_input", "request")
_WORK_PHASES = ("other", "build", "review", "validate")
"""Phases of an agent that may be the only one of a run, with the request itself as its prompt."""

_PLAN_PATH = re.compile(r"(?<![\w/.:-])(?:[\w.~-]*/)+[\w.-]+\.(?:md|mdx|markdown|txt)\b(?!/)", re.IGNORECASE)
_COMMAND = re.compile(r"\s*/([\w:-]+)\s*")
_SLUG_NOISE = re.compile(
    r"^(?:specs?/|plans?/)|\.md$|\b(?:feature|feat|bug|chore|patch|fix)[-/](?=issue|adw-|[0-9a-f]{8}\b)|\bissue-\d+-?"
    r"|\badw-[0-9a-z]+-?|\bsdlc_planner-?|\b[0-9a-f]{8}\b-?",
    re.IGNORECASE,
)
_GENERIC_PLAN_NAME = re.compile(r"^(?:latest|current|my)?[ _-]?plan$", re.IGNORECASE)


def find_request(
    state: dict[str, Any],
    summaries: Iterable[tuple[str, dict[str, Any]]],
    prompts: Iterable[Prompt],
    logs: Iterable[Log],
    *,
    find_typed: Callable[[], tuple[str, str] | None] = lambda: None,
    names: Sequence[tuple[str | None, str]] = (),
    run_ids: Collection[str] = (),
) -> Request | None:
    """Return the request from the best source that has one, or None if unknown.

    `find_typed` finds the first prompt in the streams and its place; called if better sources have none.
    `names` are a redacted branch and plan, each with its source: their words are the last resort. `run_ids`
    are the run's ids, which are no part of the request after a slash command.
    """
    prompts, summaries = list(prompts), list(summaries)
    sources: tuple[Callable[[], Iterator[Request]], ...] = (
        lambda: _from_state(state),
        lambda: _from_summaries(summaries, run_ids),
        lambda: _from_arguments(summaries, run_ids),
        lambda: _from_prompts(prompts, "classify", run_ids),
        lambda: _from_prompts(prompts, "plan", run_ids),
        lambda: _from_logs(logs),
        lambda: _from_only_agent(prompts, run_ids),
        lambda: _from_streams(find_typed(), run_ids),
        lambda: _from_slugs(state, names),
    )
    for find_in in sources:
        request = next(find_in(), None)
        if request is not None:
            text = request.text if len(request.text) <= MAX_REQUEST else redact_text(request.text)
            return Request(text[:MAX_REQUEST], request.source)  # redacted first: no rule matches half a key
    return None


def paths_in(text: str) -> list[str]:
    """Return the paths of plans in a text: Markdown or text files with a directory.

    >>> paths_in("/implement specs/issue-7.md"), paths_in("see https://example.org/a.md")
    (['specs/issue-7.md'], [])
    """
    return [match.group() for match in _PLAN_PATH.finditer(text[:MAX_REQUEST])]


def _from_state(state: dict[str, Any]) -> Iterator[Request]:
    for key in REQUEST_KEYS:
        if (text := _visible_text(state.get(key))) and not is_path(text):
            yield Request(text, f"adw_state.json: {key}")
    issue = state.get("issue")
    if isinstance(issue, dict) and (text := issue_text(issue)):
        yield Request(text, "adw_state.json: issue")


def _from_summaries(
    summaries: Sequence[tuple[str, dict[str, Any]]], run_ids: Collection[str]
) -> Iterator[Request]:
    """Yield the prompts in summaries; a workflow's own summary comes first."""
    for path, summary in sorted(summaries, key=lambda item: item[0].count("/")):
        arguments = summary.get("args")
        inner = arguments if isinstance(arguments, dict) else {}
        for holder, prefix in ((summary, ""), (inner, "args.")):
            for key in _SUMMARY_KEYS:
                text = _visible_text(holder.get(key))
                task = prompt_text(text, run_ids) if text and text.startswith("/") else text
                if task and not is_path(task):
                    yield Request(task, f"{path}: {prefix}{key}")


def _from_arguments(
    summaries: Sequence[tuple[str, dict[str, Any]]], run_ids: Collection[str]
) -> Iterator[Request]:
    """Yield the arguments of slash commands, without ids; a plan's path is not a request."""
    for path, summary in summaries:
        arguments = summary.get("args")
        words = arguments if isinstance(arguments, list) else [arguments]
        text = " ".join(word for word in words if isinstance(word, str) and not is_path_argument(word))
        if task := prompt_text(f"/command {text}", run_ids):
            yield Request(task, f"{path}: args")


def _from_prompts(prompts: Iterable[Prompt], phase: str, run_ids: Collection[str]) -> Iterator[Request]:
    for prompt in prompts:
        if prompt.phase == phase and (text := prompt_text(prompt.text, run_ids)):
            yield Request(text, prompt.path)


def _from_only_agent(prompts: Sequence[Prompt], run_ids: Collection[str]) -> Iterator[Request]:
    """Yield the prompt of a run in which only one agent has prompts."""
    agents = {prompt.path.split("prompts/")[0] for prompt in prompts}
    if len(agents) == 1:
        for phase in _WORK_PHASES:
            yield from _from_prompts(prompts, phase, run_ids)


def _from_streams(typed: tuple[str, str] | None, run_ids: Collection[str]) -> Iterator[Request]:
    """Yield the first prompt typed by the user; a slash command without a task is used unchanged."""
    if typed is None:
        return
    text = _visible_text(typed[0])
    if task := prompt_text(typed[0], run_ids) or (text if text and COMMAND.match(text) else None):
        yield Request(task, typed[1])


def prompt_text(prompt: str, run_ids: Collection[str] = ()) -> str | None:
    r"""Return the task in a prompt: its issue, or the text after its command and arguments; None if neither.

    >>> prompt_text('/feature 1 bfd1a7d1 {"number": 1, "title": "Add x", "body": "So that y"}')
    'Add x\n\nSo that y'
    >>> prompt_text("/quick-plan Add a health check")
    'Add a health check'
    >>> prompt_text("/implement specs/plan.md") is None
    True
    """
    for value in extract_json_objects(prompt):
        if text := issue_text(value):
            return text
    command = _COMMAND.match(prompt)
    rest = prompt[command.end() :] if command else prompt
    if command:
        rest = without_arguments(rest, run_ids)
    task = _visible_text(rest.strip().strip("\"'"))
    return None if task is None or is_path(task) else task


def issue_text(data: dict[str, Any]) -> str | None:
    """Return an issue's title and text as one string, for any tracker; None if it is not an issue."""
    issue = issue_in(data)
    if issue is None:
        return None
    return f"{issue.title}\n\n{issue.text}" if issue.text else issue.title


def _from_logs(logs: Iterable[Log]) -> Iterator[Request]:
    for log in logs:
        start = log.text.lower().find("issue")
        if start < 0:
            continue
        for value in extract_json_objects(log.text[start:]):
            if text := issue_text(value):
                yield Request(text, log.path)


def _from_slugs(state: dict[str, Any], names: Sequence[tuple[str | None, str]]) -> Iterator[Request]:
    stated = [
        (_visible_text(state.get(key)), f"adw_state.json: {key}")
        for key in ("branch_name", "plan_file", "spec_file")
    ]
    for value, source in (*stated, *names):
        if value and (words := words_from_slug(value)):
            yield Request(words, f"{source} (its words)")


def words_from_slug(name: str) -> str | None:
    """Return the words of a branch or plan file name without issue numbers and ids; None if too few.

    >>> words_from_slug("feature-issue-5-adw-e2a5d817-advanced-trading-chart")
    'advanced trading chart'
    >>> words_from_slug("specs/latest_plan.md") is None
    True
    """
    stem = name[:_MAX_NAME].replace("\\", "/")
    stem = stem if stem.startswith(("feature/", "bug/", "chore/")) else stem.rsplit("/", 1)[-1]
    previous = None
    while previous != stem:
        previous, stem = stem, _SLUG_NOISE.sub("", stem)
    words = re.sub(r"[-_/\s]+", " ", stem).strip()
    return words if len(words) > 3 and " " in words and not _GENERIC_PLAN_NAME.match(words) else None


def _visible_text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and has_visible_text(value) else None
