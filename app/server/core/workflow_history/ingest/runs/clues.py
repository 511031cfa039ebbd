"""Find a run's workflow, issue, branch and plan in its files. Pure.

The state file comes first. Without one, the same data is in the workflow's summaries, in the slash commands
given to its agents, and in the answers of the agents that classified, branched and planned.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ...common.models import StreamFacts
from ...common.outcomes import classify_outcome
from ...common.phases import classify_phase
from ...common.redaction import redact_text
from .issues import issue_in
from .request_text import Prompt, is_path, paths_in
from .small_files import Log, extract_json_objects, outermost
from .state_words import word

_CLASSES = "feature|bug|chore|patch|refactor|docs|test|hotfix|fix|task"
_CLASS = re.compile(rf"(?<![\w/.-])/({_CLASSES})\b(?![/.-])")
_COMMAND = re.compile(r"\s*/(?:[\w-]+:)*([\w-]+)")
_TEMPLATE = re.compile(r"\b(adw_[a-z][a-z_]*[a-z])\b")
_BETWEEN_WORDS: Final = re.compile(r"[-_/]+")
_BRANCH = re.compile(r"[\w][\w./-]*[-/][\w./-]*\w")
_ISSUE_OF_BRANCH = re.compile(r"\bissue-(\d+)\b")
_ISSUE_OF_COMMAND = re.compile(r"\s*/[\w:-]+\s+#?(\d{1,9})\b")
_ISSUE_OF_LOG = re.compile(r"\bissue(?:[ _-]number)?\s*[:#]\s*#?(\d{1,9})\b", re.IGNORECASE)


def _without_secrets(branch: str) -> str:
    """Redact secrets in a branch name: those found in the whole name, and those found in its words.

    >>> _without_secrets("fix/db-password-hunter2x9")
    'fix/db-password-[secret: password]'
    """
    clean = redact_text(branch)  # first, as no rule recognizes a key split into words, which become a request
    words = _BETWEEN_WORDS.sub(" ", clean)
    kept = set(redact_text(words).split())
    for secret in (part for part in words.split() if part not in kept):
        clean = clean.replace(secret, "[secret: password]")
    return clean


@dataclass(frozen=True, slots=True)
class Clues:
    """Data from a run's files that describes its task; the request itself is found by `request_text.py`."""

    state: dict[str, Any]
    summaries: Sequence[tuple[str, dict[str, Any]]]
    prompts: Sequence[Prompt]
    logs: Sequence[Log]
    streams: Sequence[StreamFacts]

    def workflow(self, request: str) -> str | None:
        """Return the workflow's name from the state, the logs, the summaries or the request; else None."""
        if stated := _first(self.state, ("workflow_template", "adw_name", "workflow_name", "workflow")):
            return stated
        scripts = self.state.get("all_adws")
        if isinstance(scripts, list) and scripts and isinstance(scripts[-1], str):
            return scripts[-1]
        if log := outermost(self.logs):
            return log.workflow
        if summed := self._of_summaries(("workflow", "workflow_name", "adw_name", "workflow_template")):
            return summed
        named = _TEMPLATE.search(request)
        return named.group(1) if named else None

    def issue_class(self) -> str | None:
        """Return the issue class with its slash from the state, summaries, answers or commands; else None."""
        stated = word(self.state.get("issue_class")) or self._of_summaries(("issue_class",))
        if stated:
            return stated
        for answer in self._answers("classify"):
            if len(found := set(_CLASS.findall(answer))) == 1:
                return f"/{found.pop()}"
        commands = [word(summary.get("slash_command")) for _, summary in self.summaries]
        commands += [prompt.text for prompt in self.prompts if prompt.phase == "plan"]
        for command in commands:
            name = _COMMAND.match(command) if command else None
            if name and re.fullmatch(_CLASSES, name[1]):
                return f"/{name[1]}"
        return None

    def issue_number(self) -> str | None:
        """Return the issue's number or key from the state, summaries, prompts, logs or branch; else None."""
        stated = word(self.state.get("issue_number")) or self._of_summaries(("issue_number",))
        if stated:
            return stated
        given = [prompt for phase in ("classify", "plan") for prompt in self.prompts if prompt.phase == phase]
        for text in (prompt.text for prompt in given):
            for found in extract_json_objects(text):
                if (issue := issue_in(found)) and issue.number:
                    return issue.number
        for text in (prompt.text for prompt in given):
            if number := _ISSUE_OF_COMMAND.match(text):
                return number[1]
        for log in self.logs:
            if number := _ISSUE_OF_LOG.search(log.text):
                return number[1]
        named = _ISSUE_OF_BRANCH.search(self.branch() or "")
        return named[1] if named else None

    def branch(self) -> str | None:
        """Return the redacted branch from the state, the summaries or the branch agent's answer, or None."""
        stated = word(self.state.get("branch_name")) or self._of_summaries(("branch_name", "branch"))
        if stated:
            return _without_secrets(stated)
        for answer in self._answers("branch"):
            named = answer.strip().strip("`'\"").strip()
            if _BRANCH.fullmatch(named) and not is_path(named):
                return _without_secrets(named)
        return None

    def plan(self) -> str | None:
        """Return the plan's file from the state, summaries, answers or build prompts; None if unknown.

        Secrets are redacted (in state and summaries, on reading). An answer, arguments or a prompt count only
        if they contain a single path.
        """
        stated = word(self.state.get("plan_file")) or self._of_summaries(
            ("plan_file", "plan_path", "spec_file", "spec_path")
        )
        if stated:
            return stated
        given = [text for _, summary in self.summaries if (text := _arguments(summary))]
        built = [prompt.text for prompt in self.prompts if prompt.phase == "build"]
        for text in (*self._answers("plan"), *given, *built):
            if len(paths := set(paths_in(text))) == 1:
                return redact_text(paths.pop())
        return None

    def _of_summaries(self, keys: Sequence[str]) -> str | None:
        found = (_first(summary, keys) for _, summary in self.summaries)
        return next((text for text in found if text), None)

    def _answers(self, phase: str) -> Iterator[str]:
        """Yield the answers of the agents of a phase that succeeded."""
        for stream in self.streams:
            if (
                classify_phase(stream.agent) == phase
                and stream.results
                and classify_outcome(stream) == "success"
            ):
                yield stream.results[-1].text.strip()


def _first(given: dict[str, Any], keys: Iterable[str]) -> str | None:
    return next((text for key in keys if (text := word(given.get(key)))), None)


def _arguments(summary: dict[str, Any]) -> str:
    given = summary.get("args")
    return " ".join(item for item in given if isinstance(item, str)) if isinstance(given, list) else ""
