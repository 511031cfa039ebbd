"""Generate the small files of a run: its plan and times in, texts of state, prompts and log out. Pure.

Times in these files are naive and local, like the real ones; local is the time zone of `started`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .agents import ROLES, Agent
from .lines import PROJECT_PATH
from .plan import RunPlan
from .tasks import Request


@dataclass(frozen=True, slots=True)
class AgentRunRecord:
    """One agent run with its times, aware and in the run's time zone."""

    agent: Agent
    started: datetime
    ended: datetime
    succeeded: bool
    error: str | None = None  # final error message of the CLI


def branch_name(plan: RunPlan) -> str:
    """Return the name of the run's branch, in the format of the branch generator."""
    request = plan.request
    return f"{request.kind_word}-issue-{request.number}-adw-{plan.run_id}-{request.slug}"


def plan_file(plan: RunPlan) -> str:
    """Return the path of the planner's plan."""
    return f"specs/issue-{plan.request.number}-adw-{plan.run_id}-sdlc_planner-{plan.request.slug}.md"


def request_text(request: Request) -> str:
    """Return the request as one paragraph, for workflows without an issue."""
    return f"{request.title}. {request.body.split(chr(10), maxsplit=1)[0]}"


def prompt(plan: RunPlan, agent: Agent) -> tuple[str, str]:
    """Return the command and the whole prompt of an agent."""
    command = ROLES[agent.role].command or plan.request.kind_word
    return command, f"/{command}{_prompt_arguments(plan, agent)}"


def _prompt_arguments(plan: RunPlan, agent: Agent) -> str:
    issue, run_id, kind = plan.request.issue_json(), plan.run_id, plan.request.kind_word
    committed_agent = agent.name.removesuffix("_committer")
    return {
        "classifier": f" {issue}",
        "branch": f" {kind} {run_id} {issue}",
        "committer": f" {committed_agent} {kind} {issue}",
        "planner": f" {plan.request.number} {run_id} {issue}",
        "patch_planner": f" {run_id} {request_text(plan.request)}",
        "implementor": f" {plan_file(plan)}",
        "reviewer": f" {run_id} {plan_file(plan)} {agent.name}",
        "documenter": f" {run_id} {plan_file(plan)} agents/{run_id}/reviewer/review_img",
        "pull_request": f" {branch_name(plan)} {issue} {plan_file(plan)} {run_id}",
    }.get(agent.role, "")


def final_answer(plan: RunPlan, agent: Agent) -> str:
    """Return the agent's final answer, in the format that the workflow script parses."""
    request = plan.request
    return {
        "classifier": request.issue_class,
        "branch": branch_name(plan),
        "committer": f"{agent.name.removesuffix('_committer')}: {request.kind_word}: {request.title.lower()}",
        "planner": f"`{plan_file(plan)}`",
        "pull_request": f"https://github.com/example-org/stockroom/pull/{request.number + 1}",
        "tester": '[{"test_name": "backend", "passed": true}, {"test_name": "typecheck", "passed": true}]',
        "reviewer": '{"success": true, "review_issues": [], "screenshots": []}',
    }.get(agent.role, f"## Summary\n\n{request.title}: done as planned, all checks pass.")


def state_text(plan: RunPlan, agent_runs: Sequence[AgentRunRecord]) -> str:
    """Return the text of the state file; a damaged one is truncated in the middle, as by a full disk."""
    text = json.dumps(_state(plan, agent_runs), indent=2)
    return text[: len(text) // 2] if plan.mishap == "damaged_state" else text


def _state(plan: RunPlan, agent_runs: Sequence[AgentRunRecord]) -> dict[str, Any]:
    """Return the state in the format of the run's workflow."""
    if plan.template == "adw_quick":
        return _phases_state(plan, agent_runs)
    if plan.template == "adw_complete":
        return _complete_state(plan, agent_runs)
    return _common_state(plan, agent_runs)


def _common_state(plan: RunPlan, agent_runs: Sequence[AgentRunRecord]) -> dict[str, Any]:
    roles = {agent_run.agent.role for agent_run in agent_runs}
    common = {
        "adw_id": plan.run_id,
        "issue_number": str(plan.request.number),
        "branch_name": branch_name(plan) if roles & {"branch", "pull_request"} else None,
        "plan_file": plan_file(plan) if roles & {"planner", "patch_planner"} else None,
        "issue_class": plan.request.issue_class,
    }
    if plan.template != "adw_sdlc_iso":
        return common
    parts = ("adw_plan_iso", "adw_build_iso", "adw_test_iso", "adw_review_iso", "adw_document_iso")
    return {
        **common,
        "worktree_path": f"{PROJECT_PATH}/trees/{plan.run_id}",
        "backend_port": 9100 + plan.request.number % 15,
        "frontend_port": 9200 + plan.request.number % 15,
        "model_set": plan.model_set,
        "all_adws": [*parts, plan.template],
    }


def _phases_state(plan: RunPlan, agent_runs: Sequence[AgentRunRecord]) -> dict[str, Any]:
    return {
        "adw_id": plan.run_id,
        "task_description": request_text(plan.request),
        "created_at": _naive_iso(plan.started),
        "current_phase": None,
        "completed_phases": [agent_run.agent.name for agent_run in agent_runs if agent_run.succeeded],
        "phase_results": [_phase_result(plan, agent_run) for agent_run in agent_runs],
        "spec_file": f"{PROJECT_PATH}/specs/{plan.request.slug}.md",
        "project_path": PROJECT_PATH,
        "status": "completed" if all(agent_run.succeeded for agent_run in agent_runs) else "failed",
    }


def _phase_result(plan: RunPlan, agent_run: AgentRunRecord) -> dict[str, Any]:
    path = f"{PROJECT_PATH}/agents/{plan.run_id}/{agent_run.agent.name}/{agent_run.agent.file}"
    return {
        "phase": agent_run.agent.name,
        "success": agent_run.succeeded,
        "started_at": _naive_iso(agent_run.started),
        "completed_at": _naive_iso(agent_run.ended),
        "output_file": path if agent_run.succeeded else None,
        "error_message": agent_run.error,
        "artifacts": [],
    }


def _complete_state(plan: RunPlan, agent_runs: Sequence[AgentRunRecord]) -> dict[str, Any]:
    state = {
        "adw_id": plan.run_id,
        "issue_number": "manual",
        "provider": "anthropic",
        "synthesis_enabled": True,
        "all_adws": ["adw_plan", "adw_build", "adw_complete"],
        "started_at": _naive_iso(plan.started),
        "plan_file": "specs/latest_plan.md",
    }
    if all(agent_run.succeeded for agent_run in agent_runs):
        state["completed_at"] = _naive_iso(agent_runs[-1].ended)
    return state


def execution_log(plan: RunPlan, agent_runs: Sequence[AgentRunRecord]) -> str:
    """Return the workflow script's log; a failed or running workflow has no completion line."""
    issue = json.dumps(json.loads(plan.request.issue_json()), indent=2)
    lines = [
        _log_line(plan.started, "INFO", f"ADW Logger initialized - ID: {plan.run_id}"),
        _log_line(plan.started, "INFO", f"{plan.template} starting for issue {plan.request.number}"),
        _log_line(plan.started, "DEBUG", f"Fetched issue: {issue}"),
    ]
    for agent_run in agent_runs:
        lines.append(_log_line(agent_run.started, "INFO", f"Running agent {agent_run.agent.name}"))
        level, text = ("INFO", "finished") if agent_run.succeeded else ("ERROR", "did not succeed")
        lines.append(_log_line(agent_run.ended, level, f"Agent {agent_run.agent.name} {text}"))
    if plan.mishap not in {"failed", "false_success", "running"}:
        lines.append(_log_line(agent_runs[-1].ended, "INFO", f"{plan.template} completed successfully"))
    return "\n".join(lines) + "\n"


def _log_line(moment: datetime, level: str, text: str) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03} - {level} - {text}"


def _naive_iso(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")
