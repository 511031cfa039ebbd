"""Find what a run was asked to do: state, summaries, prompts, logs in; the text and where it stood out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from .documents import Log, embedded_objects

MAX_REQUEST = 200_000  # characters: a request beyond this is cut
_LONGEST_NAME = (
    1_000  # characters of a branch or a file: each look takes away one more part that says nothing
)


class Prompt(NamedTuple):
    """One prompt that was given to an agent."""

    phase: str
    path: str  # relative to the run's folder
    text: str


class Request(NamedTuple):
    """What was asked, and the place that says so."""

    text: str
    source: str


_STATE_KEYS = ("nl_input", "task_description", "prompt", "task", "user_request")
_SUMMARY_KEYS = ("prompt", "args", "task", "task_description", "nl_input", "request")
_COMMAND = re.compile(r"\s*/([\w:-]+)\s*")
_IDS = re.compile(
    r"(?:(?:adw[_-][\w-]+|[0-9a-f]{8}|#?\d+|[\w./-]+\.(?:md|json)|agents/\S+)(?:\s+|$))+", re.IGNORECASE
)
_SLUG_NOISE = re.compile(
    r"^(?:specs?/|plans?/)|\.md$|\b(?:feature|feat|bug|chore|patch|fix)[-/](?=issue)|\bissue-\d+-?"
    r"|\badw-[0-9a-z]+-?|\bsdlc_planner-?|\b[0-9a-f]{8}\b-?",
    re.IGNORECASE,
)
_PLANS = re.compile(r"^(?:latest|current|my)?[ _-]?plan$", re.IGNORECASE)


def find_request(
    state: dict[str, Any],
    summaries: Iterable[tuple[str, dict[str, Any]]],
    prompts: Iterable[Prompt],
    logs: Iterable[Log],
) -> Request | None:
    """Return the request from the best place that has one, or None: unknown."""
    prompts = list(prompts)
    places: tuple[Callable[[], Iterator[Request]], ...] = (
        lambda: _from_state(state),
        lambda: _from_summaries(summaries),
        lambda: _from_prompts(prompts, "classify"),
        lambda: _from_prompts(prompts, "plan"),
        lambda: _from_logs(logs),
        lambda: _from_slugs(state),
    )
    for place in places:
        found = next(place(), None)
        if found is not None:
            return Request(found.text[:MAX_REQUEST], found.source)
    return None


def _from_state(state: dict[str, Any]) -> Iterator[Request]:
    for key in _STATE_KEYS:
        if text := _text(state.get(key)):
            yield Request(text, f"adw_state.json: {key}")
    issue = state.get("issue")
    if isinstance(issue, dict) and (text := issue_text(issue)):
        yield Request(text, "adw_state.json: issue")


def _from_summaries(summaries: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[Request]:
    for path, summary in summaries:
        for key in _SUMMARY_KEYS:
            value = summary.get(key)
            if isinstance(value, dict):
                value = next((v for k in _SUMMARY_KEYS if _text(v := value.get(k))), None)
            if isinstance(value, list):
                value = " ".join(item for item in value if isinstance(item, str))
            if text := _text(value):
                yield Request(text, f"{path}: {key}")


def _from_prompts(prompts: Iterable[Prompt], phase: str) -> Iterator[Request]:
    for prompt in prompts:
        if prompt.phase == phase and (text := prompt_text(prompt.text)):
            yield Request(text, prompt.path)


def prompt_text(prompt: str) -> str | None:
    r"""Return the task in a prompt: the issue in it, or the text after its command and ids.

    >>> prompt_text('/feature 1 bfd1a7d1 {"number": 1, "title": "Add x", "body": "So that y"}')
    'Add x\n\nSo that y'
    >>> prompt_text("/quick-plan Add a health check")
    'Add a health check'
    >>> prompt_text("/implement specs/plan.md") is None
    True
    """
    for found in embedded_objects(prompt):
        if text := issue_text(found):
            return text
    command = _COMMAND.match(prompt)
    rest = prompt[command.end() :] if command else prompt
    if command and (ids := _IDS.match(rest)):
        rest = rest[ids.end() :]
    return _text(rest.strip().strip("\"'"))


def issue_text(issue: dict[str, Any]) -> str | None:
    """Return an issue's title and body as one text."""
    title = _text(issue.get("title"))
    if title is None:
        return None
    body = _text(issue.get("body"))
    return f"{title}\n\n{body}" if body else title


def _from_logs(logs: Iterable[Log]) -> Iterator[Request]:
    for log in logs:
        at = log.text.lower().find("issue")
        if at < 0:
            continue
        for found in embedded_objects(log.text[at:]):
            if text := issue_text(found):
                yield Request(text, f"{log.workflow}/execution.log")


def _from_slugs(state: dict[str, Any]) -> Iterator[Request]:
    for key in ("branch_name", "plan_file", "spec_file"):
        value = _text(state.get(key))
        if value and (words := slug_words(value)):
            yield Request(words, f"adw_state.json: {key} (its words)")


def slug_words(name: str) -> str | None:
    """Return the words of a branch or plan-file name, without issue numbers and ids.

    >>> slug_words("feature-issue-5-adw-e2a5d817-advanced-trading-chart")
    'advanced trading chart'
    >>> slug_words("specs/latest_plan.md") is None
    True
    """
    stem = name[:_LONGEST_NAME].replace("\\", "/")
    stem = stem if stem.startswith(("feature/", "bug/", "chore/")) else stem.rsplit("/", 1)[-1]
    previous = None
    while previous != stem:
        previous, stem = stem, _SLUG_NOISE.sub("", stem)
    words = re.sub(r"[-_/\s]+", " ", stem).strip()
    return words if len(words) > 3 and " " in words and not _PLANS.match(words) else None


def _text(value: Any) -> str | None:
    return value.strip() if isinstance(value, str) and value.strip() else None
