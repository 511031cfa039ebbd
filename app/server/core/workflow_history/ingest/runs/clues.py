"""Find a run's workflow, issue, branch, pull request and plan in its files. Pure.

The state file comes first. Without one, the same data is in the workflow's summaries, in the slash commands
given to its agents, and in the answers of the agents that classified, branched and planned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...common.models import HEADLESS, INTERACTIVE, PullRequest, SessionInfo, StreamFacts
from ...common.outcomes import Outcome, classify_outcome
from ...common.phases import classify_phase
from ...common.pull_requests import only_pull_request_in, pull_request_name, to_pull_request
from ...common.redaction import redact_text
from .command_arguments import is_path
from .issues import issue_in
from .request_text import Prompt, paths_in
from .small_files import Log, extract_json_objects, outermost_log
from .state_words import clean_text

_CLASS_NAMES = "feature|bug|chore|patch|refactor|docs|test|hotfix|fix|task"
_CLASS = re.compile(rf"(?<![\w/.-])/({_CLASS_NAMES})\b(?![/.-])")
_COMMAND = re.compile(r"\s*/(?:[\w-]+:)*([\w-]+)")
_TEMPLATE = re.compile(r"\b(adw_[a-z][a-z_]*[a-z])\b")
_PULL_REQUEST_KEYS: Final = (
    "pull_request_url", "pr_url", "merge_request_url", "pull_request", "pr", "merge_request",
    "pull_request_number", "pr_number", "merge_request_iid",
)  # fmt: skip
"""Keys of the pull request in a state or a summary; an address comes first, as it names the repository."""

_WORD_SEPARATORS: Final = re.compile(r"[-_/]+")
_BRANCH = re.compile(r"[\w][\w./-]*[-/][\w./-]*\w")
_ISSUE_IN_BRANCH = re.compile(r"\bissue-(\d+)\b")
_ISSUE_IN_COMMAND = re.compile(r"\s*/[\w:-]+\s+#?(\d{1,9})\b")
_ISSUE_IN_LOG = re.compile(r"\bissue(?:[ _-]number)?\s*[:#]\s*#?(\d{1,9})\b", re.IGNORECASE)


def _without_secrets(branch: str) -> str:
    """Redact secrets in a branch name: those found in the whole name, and those found in its words.

    >>> _without_secrets("fix/db-password-hunter2x9")
    'fix/db-password-[secret: password]'
    """
    # The whole name first, as no rule recognizes a key split into words, which become a request.
    redacted = redact_text(branch)
    words = _WORD_SEPARATORS.sub(" ", redacted)
    safe_words = set(redact_text(words).split())
    for secret in (word for word in words.split() if word not in safe_words):
        redacted = redacted.replace(secret, "[secret: password]")
    return redacted


@dataclass(frozen=True, slots=True)
class Clues:
    """Data from a run's files that describes its task; the request itself is found by `request_text.py`."""

    state: dict[str, Any]
    summaries: Sequence[tuple[str, dict[str, Any]]]
    prompts: Sequence[Prompt]
    logs: Sequence[Log]
    streams: Sequence[StreamFacts]
    session: SessionInfo | None = None  # metadata of the session, if the run is one

    def workflow(self, request: str) -> str | None:
        """Return the workflow's name from the state, the logs, the summaries or the request; else None."""
        if stated := _first_text(self.state, ("workflow_template", "adw_name", "workflow_name", "workflow")):
            return stated
        scripts = self.state.get("all_adws")
        if isinstance(scripts, list) and scripts and isinstance(scripts[-1], str):
            return scripts[-1]
        if log := outermost_log(self.logs):
            return log.workflow
        if summarized := self._from_summaries(("workflow", "workflow_name", "adw_name", "workflow_template")):
            return summarized
        match = _TEMPLATE.search(request)
        return match.group(1) if match else self._kind_of_session()

    def _kind_of_session(self) -> str | None:
        if self.session is None:
            return None
        return HEADLESS if self.session.is_headless else INTERACTIVE

    def issue_class(self) -> str | None:
        """Return the issue class with its slash from the state, summaries, answers or commands; else None."""
        stated = clean_text(self.state.get("issue_class")) or self._from_summaries(("issue_class",))
        if stated:
            return stated
        for answer in self._answers("classify"):
            if len(classes := set(_CLASS.findall(answer))) == 1:
                return f"/{classes.pop()}"
        commands = [clean_text(summary.get("slash_command")) for _, summary in self.summaries]
        commands += [prompt.text for prompt in self.prompts if prompt.phase == "plan"]
        for command in commands:
            match = _COMMAND.match(command) if command else None
            if match and re.fullmatch(_CLASS_NAMES, match[1]):
                return f"/{match[1]}"
        return None

    def issue_number(self) -> str | None:
        """Return the issue's number or key from the state, summaries, prompts, logs or branch; else None."""
        stated = clean_text(self.state.get("issue_number")) or self._from_summaries(("issue_number",))
        if stated:
            return stated
        prompts = [
            prompt for phase in ("classify", "plan") for prompt in self.prompts if prompt.phase == phase
        ]
        for text in (prompt.text for prompt in prompts):
            for value in extract_json_objects(text):
                if (issue := issue_in(value)) and issue.number:
                    return issue.number
        for text in (prompt.text for prompt in prompts):
            if match := _ISSUE_IN_COMMAND.match(text):
                return match[1]
        for log in self.logs:
            if match := _ISSUE_IN_LOG.search(log.text):
                return match[1]
        match = _ISSUE_IN_BRANCH.search(self.branch() or "")
        return match[1] if match else None

    def branch(self) -> str | None:
        """Return the redacted branch from the state, the summaries or the branch agent's answer, or None."""
        stated = clean_text(self.state.get("branch_name")) or self._from_summaries(("branch_name", "branch"))
        if stated:
            return _without_secrets(stated)
        for answer in self._answers("branch"):
            name = answer.strip().strip("`'\"").strip()
            if _BRANCH.fullmatch(name) and not is_path(name):
                return _without_secrets(name)
        return _without_secrets(self.session.branch) if self.session and self.session.branch else None

    def pull_requests(self) -> Sequence[PullRequest]:
        """Return the pull requests of the run, the last one last.

        They are those that the state or a summary states, else those that its session links, else those that
        its agents opened: each answer of a phase that ships with the address of a single pull request.
        """
        for data in (self.state, *(summary for _, summary in self.summaries)):
            stated = (to_pull_request(data.get(key)) for key in _PULL_REQUEST_KEYS)
            if found := next(filter(None, stated), None):
                return [found]
        if self.session is not None:
            return self.session.pull_requests
        answered = (only_pull_request_in(answer) for answer in self._answers("ship"))
        by_name = {pull_request_name(found): found for found in answered if found is not None}
        return list(by_name.values())

    def plan(self) -> str | None:
        """Return the plan's file from the state, summaries, answers or build prompts; None if unknown.

        Secrets are redacted (in state and summaries, on reading). An answer, arguments or a prompt count only
        if they contain a single path.
        """
        stated = clean_text(self.state.get("plan_file")) or self._from_summaries(
            ("plan_file", "plan_path", "spec_file", "spec_path")
        )
        if stated:
            return stated
        lists = [args for _, summary in self.summaries if isinstance(args := summary.get("args"), list)]
        arguments = [" ".join(item for item in args if isinstance(item, str)) for args in lists]
        build_prompts = [prompt.text for prompt in self.prompts if prompt.phase == "build"]
        for text in (*self._answers("plan"), *arguments, *build_prompts):
            if len(paths := set(paths_in(text))) == 1:
                return redact_text(paths.pop())
        return None

    def _from_summaries(self, keys: Sequence[str]) -> str | None:
        texts = (_first_text(summary, keys) for _, summary in self.summaries)
        return next((text for text in texts if text), None)

    def _answers(self, phase: str) -> Iterator[str]:
        """Yield the answers of the agents of a phase that succeeded."""
        for stream in self.streams:
            if (
                classify_phase(stream.agent) == phase
                and stream.results
                and classify_outcome(stream) == Outcome.SUCCESS
            ):
                yield stream.results[-1].text.strip()


def _first_text(data: dict[str, Any], keys: Iterable[str]) -> str | None:
    return next((text for key in keys if (text := clean_text(data.get(key)))), None)
