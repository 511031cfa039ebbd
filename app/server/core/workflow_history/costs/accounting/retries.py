"""Mark the retries among the agent runs of one run. Pure.

A retry repeats work: an attempt whose stream was overwritten, a later iteration of the same agent, a process
restarted in the same file. Numbered names without a repetition (`step_2`, `wave_3`) are not retries.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...common.models import AgentRun
from ...common.phases import split_name
from .money import sum_known, to_decimal, to_usd_float

ITERATION_SUFFIX = frozenset({"iter", "iteration", "attempt", "try", "round"})
"""Words before a repetition number; the lowest number in a run is the first attempt."""

RETRY_WORDS = frozenset({"retry", "rerun", "again"})
"""Words that mark a stream as a repetition by themselves."""

_BEFORE_A_NUMBER = ITERATION_SUFFIX | RETRY_WORDS

RETRY_AGENTS = frozenset({"runner", "resolver"})
"""Agents named with "repetition_item" as two bare numbers, as in e2e_test_runner_1_0."""


def annotate_retries(runs: Sequence[AgentRun]) -> list[AgentRun]:
    """Set `is_retry`, `retries` and `retry_cost` on each agent run."""
    named = [parse_iteration(run.get("agent") or "") for run in runs]
    first: dict[tuple[str, ...], int] = {}
    for family, number in named:
        first[family] = min(number, first.get(family, number))
    return [
        _marked(run, _called_a_retry(run) or number > first[family])
        for run, (family, number) in zip(runs, named, strict=True)
    ]


def _called_a_retry(run: AgentRun) -> bool:
    return run.get("superseded", False) or not RETRY_WORDS.isdisjoint(split_name(run.get("agent") or ""))


def _marked(run: AgentRun, whole: bool) -> AgentRun:
    """Mark an agent run as a retry as a whole, or only by the processes restarted in it."""
    restarts = run.get("restarts") or 0
    if run.get("duplicate_of") or not (whole or restarts):
        return {**run, "is_retry": False, "retries": 0, "retry_cost": 0.0}
    if not whole:
        return {**run, "is_retry": True, "retries": restarts, "retry_cost": run.get("restart_cost")}
    known = sum_known((to_decimal(run.get("cost")), to_decimal(run.get("lower_bound_cost"))))
    return {**run, "is_retry": True, "retries": 1 + restarts, "retry_cost": to_usd_float(known)}


def parse_iteration(agent: str) -> tuple[tuple[str, ...], int]:
    """Return an agent's name without its iteration, and the iteration; 0 if the name contains none.

    >>> parse_iteration("test_resolver_iter2_0"), parse_iteration("e2e_test_runner_1_0")
    ((('test', 'resolver'), 2), (('e2e', 'test', 'runner'), 1))
    >>> parse_iteration("step_2")
    (('step', '2'), 0)
    """
    words = split_name(agent)
    for place, word in enumerate(words[:-1]):
        if word in _BEFORE_A_NUMBER and words[place + 1].isdigit():
            return words[:place], int(words[place + 1])
    if len(words) > 2 and words[-1].isdigit() and words[-2].isdigit() and words[-3] in RETRY_AGENTS:
        return words[:-2], int(words[-2])
    return words, 0
