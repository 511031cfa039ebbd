"""What streams say they cost, case by case as users of cost tools met them: files in, a history's figures.

Each case is read twice, by a sync and by `folder_costs`, which skips what it need not read: the sums are
the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.server.core.workflow_history import database
from app.server.core.workflow_history.cli.app import app
from app.server.core.workflow_history.common.models import Workflow
from app.server.core.workflow_history.common.spending import NO_COST, run_cost, to_usd
from app.server.core.workflow_history.ingest.streams import UNKNOWN_KIND, read_stream
from app.server.core.workflow_history.pipeline.folder_costs import folder_costs
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import (
    HAIKU,
    SONNET,
    assistant,
    init,
    line,
    result,
    run,
    stream,
    tool_result,
    tool_use,
    usage,
)

RUN = "a1b2c3d4"


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "agents"
    folder.mkdir(parents=True)
    return folder


def synced(agents: Path) -> list[Workflow]:
    """Return every run as a sync stores it; `folder_costs` says the same of them all."""
    sync_workflow_history(silent=True, agents_dir=agents)
    ids = [row["id"] for row in database.get_workflow_history(limit=100)["workflows"]]
    runs = [workflow for run_id in ids if (workflow := database.get_workflow_by_id(run_id))]
    sums = folder_costs(agents)
    cost = sum(map(run_cost, runs), NO_COST)
    assert (sums["recorded_cost"] or 0.0) == (to_usd(cost.recorded) or 0.0)
    assert (sums["lower_bound_cost"] or 0.0) == (to_usd(cost.extra) or 0.0)
    assert sums["partial"] is not cost.complete
    assert (sums["total_tokens"] or 0) == sum(workflow["total_tokens"] or 0 for workflow in runs)
    return runs


def of_lines(agents: Path, *lines: str, agent: str = "builder") -> Workflow:
    """Return the run of one stream."""
    stream(run(agents, RUN, {"adw_id": RUN}), agent, *lines)
    (workflow,) = synced(agents)
    return workflow


def costs(workflow: Workflow) -> tuple[float | None, str | None]:
    return workflow["total_cost"], workflow["cost_basis"]


def bases(workflow: Workflow) -> set[str | None]:
    """Return the basis of the run, of its agents and of their models: a weak one shows in each."""
    runs = workflow["phase_costs"]
    models = [entry["cost_basis"] for agent in runs for entry in agent["models"]]
    return {workflow["cost_basis"], *(agent["cost_basis"] for agent in runs), *models}


def reasons(agents: Path) -> str:
    """Return what a first sync says is wrong."""
    done = sync_workflow_history(silent=True, agents_dir=agents)
    return "\n".join(problem["reason"] for problem in done["errors"])


# Native transcripts


def said(
    message_id: str,
    model: str = SONNET,
    *,
    at: str = "2026-02-01T10:00:00Z",
    stop: str | None = "end_turn",
    session: str = "n1",
    content: Iterable[dict[str, Any]] = (),
    more: dict[str, Any] | None = None,
    **tokens: Any,
) -> str:
    message = {
        "id": message_id,
        "role": "assistant",
        "model": model,
        "content": [*content] or [{"type": "text", "text": "ok"}],
        "stop_reason": stop,
        "usage": usage(**tokens) | (more or {}),
    }
    return line(type="assistant", sessionId=session, uuid=f"u-{message_id}", timestamp=at, message=message)


def asked(session: str = "n1", **more: Any) -> str:
    message = {"role": "user", "content": "hi"}
    fields = {"type": "user", "sessionId": session, "uuid": "u0", "timestamp": "2026-02-01T09:59:00Z"}
    return line(**fields, **({"message": message} | more))


def test_advisor_iterations(agents: Path) -> None:
    steps = [
        {"type": "message", "input_tokens": 1, "output_tokens": 45, "cache_read_input_tokens": 109_696,
         "cache_creation_input_tokens": 7_192},
        {"type": "advisor_message", "model": "claude-opus-4-7", "input_tokens": 159_419,
         "output_tokens": 7_805},
        {"type": "message", "input_tokens": 1, "output_tokens": 446, "cache_read_input_tokens": 116_888,
         "cache_creation_input_tokens": 661},
    ]  # fmt: skip
    tokens = {"input": 2, "output": 491, "read": 226_584, "write": 7_853}
    spoken = said("m1", "claude-sonnet-4-6", at="2026-05-20T10:00:00Z", more={"iterations": steps}, **tokens)
    workflow = of_lines(agents, asked(), spoken)
    assert costs(workflow) == (1.09701495, "computed")
    models = {entry["model"]: entry["cost"] for entry in workflow["phase_costs"][0]["models"]}
    assert models == {"claude-sonnet-4-6": 0.10479495, "claude-opus-4-7": 0.99222}
    assert workflow["total_tokens"] == 2 + 491 + 226_584 + 7_853 + 159_419 + 7_805


def test_compaction_iterations(agents: Path) -> None:
    steps = [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ]
    tokens = {"input": 23_000, "output": 1_000}
    spoken = said("m1", "claude-opus-4-6", at="2026-04-20T10:00:00Z", more={"iterations": steps}, **tokens)
    assert costs(of_lines(agents, asked(), spoken)) == (1.1275, "computed")


def test_iterations_that_the_message_counts_are_not_counted_again(agents: Path) -> None:
    steps = [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ]
    tokens = {"input": 203_000, "output": 4_500}
    spoken = said("m1", "claude-opus-4-6", at="2026-04-20T10:00:00Z", more={"iterations": steps}, **tokens)
    assert costs(of_lines(agents, asked(), spoken)) == (1.1275, "computed")


def test_each_request_of_a_message_is_as_long_as_itself(agents: Path) -> None:
    steps = [{"type": "message", "input_tokens": 150_000, "output_tokens": 100} for _ in range(2)]
    spoken = said("m1", input=300_000, output=200, more={"iterations": steps})
    assert costs(of_lines(agents, asked(), spoken)) == (0.903, "computed")  # 3 and 15 per million, not 6


@pytest.mark.parametrize(
    ("model", "at", "cost"),
    [
        ("claude-opus-4-8", "2026-08-10", 0.6),
        ("claude-opus-4-6", "2026-03-20", 1.8),
        ("claude-opus-4-7", "2026-05-01", 1.8),
    ],
)
def test_fast_mode(agents: Path, model: str, at: str, cost: float) -> None:
    spoken = said("m1", model, at=f"{at}T10:00:00Z", input=10_000, output=10_000, more={"speed": "fast"})
    assert costs(of_lines(agents, asked(), spoken)) == (cost, "computed")


def test_fast_mode_of_a_model_without_a_fast_price_has_none(agents: Path) -> None:
    spoken = said("m1", input=1_000, output=1_000, more={"speed": "fast"})
    assert costs(of_lines(agents, asked(), spoken)) == (None, "unpriced")


def test_inference_in_the_us_alone_costs_a_tenth_more(agents: Path) -> None:
    tokens = {"input": 10_000, "output": 10_000, "more": {"inference_geo": "us", "service_tier": "standard"}}
    spoken = said("m1", "claude-opus-4-8", at="2026-08-10T10:00:00Z", **tokens)
    assert costs(of_lines(agents, asked(), spoken)) == (0.33, "computed")


def test_sonnet4_long_context(agents: Path) -> None:
    spoken = said("m1", "claude-sonnet-4-20250514", at="2025-10-01T00:00:00Z", input=300_000, output=10_000)
    assert costs(of_lines(agents, asked(), spoken)) == (2.025, "computed")


def test_a_messages_lines_count_once_by_the_line_with_the_most_output_whole(agents: Path) -> None:
    lines = [
        said("m1", stop=None, input=1_000, output=1, read=50_000),
        said("m1", input=1_000, output=1_000, read=0),
    ]
    assert costs(of_lines(agents, asked(), *lines)) == (0.018, "computed")


def test_a_message_whose_last_line_has_no_stop_reason_is_a_lower_bound(agents: Path) -> None:
    lines = [said("m1", input=1_000, output=1_000), said("m1", stop=None, input=1_000, output=1_000)]
    assert costs(of_lines(agents, asked(), *lines)) == (0.018, "lower_bound")


def task(message_id: str) -> str:
    call = {"type": "tool_use", "id": "t1", "name": "Task", "input": {"prompt": "p"}}
    return said(message_id, stop="tool_use", input=1_000, output=1_000, content=[call])


def answered(text: str = "ok", *, is_error: bool = False, **told: Any) -> str:
    block = {"type": "tool_result", "tool_use_id": "t1", "content": text, "is_error": is_error}
    more = {"toolUseResult": told or f"Error: {text}"} if told or is_error else {}
    return asked(message={"role": "user", "content": [block]}, **more)


TOLD = {"status": "completed", "agentId": "a1", "totalTokens": 38_203, "usage": {"input_tokens": 10}}


def test_subagent_not_in_file(agents: Path) -> None:
    lines = asked(), task("m1"), answered(**TOLD), said("m2", input=1_000, output=1_000)
    workflow = of_lines(agents, *lines)
    assert costs(workflow) == (0.036, "lower_bound")
    assert bases(workflow) == {"lower_bound"}


def test_a_missing_subagent_is_named_with_what_it_used(agents: Path) -> None:
    stream(run(agents, RUN, {}), "builder", asked(), task("m1"), answered(**TOLD))
    assert "sub-agent a1 used 38,203 tokens or more, but its transcript is not there" in reasons(agents)


def test_a_subagent_whose_transcript_is_there_is_counted_by_it(agents: Path) -> None:
    folder = run(agents, RUN, {})
    own = {**json.loads(said("m3", input=1_000, output=1_000)), "agentId": "a1", "isSidechain": True}
    stream(folder, "builder", asked(), task("m1"), answered(**TOLD | {"totalTokens": 2_000}))
    stream(folder, "builder/subagents", json.dumps(own), name="agent-a1.jsonl")
    (workflow,) = synced(agents)
    assert costs(workflow) == (0.036, "computed")


def subagents_line(message_id: str, agent_id: str = "a1", **tokens: Any) -> str:
    """Return a line of a sub-agent's own transcript."""
    return json.dumps(json.loads(said(message_id, **tokens)) | {"agentId": agent_id, "isSidechain": True})


def both_costs(agents: Path) -> tuple[float, str | None]:
    """Return the run's least cost and its basis, which a sync and the folder's costs agree on."""
    (workflow,) = synced(agents)
    (found,) = folder_costs(agents)["by"]["run"]
    assert found["cost_basis"] == workflow["cost_basis"]
    stored = [workflow["total_cost"] or 0, workflow["lower_bound_cost"] or 0]
    least = round(sum(stored), 9)
    assert round((found["recorded_cost"] or 0) + (found["lower_bound_cost"] or 0), 9) == least
    return least, workflow["cost_basis"]


LAST_REQUEST = {"input_tokens": 10, "cache_creation_input_tokens": 7_693, "cache_read_input_tokens": 30_000,
                "output_tokens": 500}  # fmt: skip


@pytest.mark.parametrize(
    "told", [TOLD, TOLD | {"usage": LAST_REQUEST}], ids=["tokens", "tokens of each kind"]
)
def test_a_subagent_whose_transcript_shows_less_than_its_answer_makes_a_lower_bound(
    agents: Path, told: dict[str, Any]
) -> None:
    folder = run(agents, RUN, {})
    stream(folder, "builder", asked(), task("m1"), answered(**told), said("m2", input=1_000, output=1_000))
    stream(folder, "builder", subagents_line("m3", input=10, output=5), name="agent-a1.jsonl")
    assert both_costs(agents) == (0.036105, "lower_bound")
    problem = (
        "sub-agent a1 used 38,203 tokens or more, but its transcript shows only 15: the cost is a lower bound"
    )
    assert problem in reasons(agents)


def test_a_subagent_whose_transcript_lacks_its_last_request_makes_a_lower_bound(agents: Path) -> None:
    folder = run(agents, RUN, {})
    stream(folder, "builder", asked(), task("m1"), answered(**TOLD | {"usage": LAST_REQUEST}))
    earlier = [subagents_line(f"s{number}", input=20_000, output=100) for number in range(3)]
    stream(folder, "builder", *earlier, name="agent-a1.jsonl")
    assert both_costs(agents)[1] == "lower_bound"
    assert "sub-agent a1 used 38,203 tokens or more, but its transcript lacks the last request" in reasons(
        agents
    )


def test_a_subagent_whose_output_counts_are_placeholders_is_not_cut_off(agents: Path) -> None:
    folder = run(agents, RUN, {})
    stream(folder, "builder", asked(), task("m1"), answered(**TOLD | {"usage": LAST_REQUEST}))
    stream(folder, "builder", subagents_line("s1", input=37_703, output=1), name="agent-a1.jsonl")
    assert both_costs(agents)[1] == "computed"


@pytest.mark.parametrize(
    "rest",
    [
        [],
        [answered("API Error: 529 overloaded", is_error=True), said("m2", input=1_000, output=1_000)],
        [answered(), said("m2", input=1_000, output=1_000)],
    ],
    ids=["killed while it worked", "died of an API error", "answered without figures"],
)
def test_a_called_subagent_without_a_transcript_makes_a_lower_bound(agents: Path, rest: list[str]) -> None:
    stream(run(agents, RUN, {}), "builder", asked(), task("m1"), *rest)
    assert both_costs(agents) == (0.036 if rest else 0.018, "lower_bound")
    assert "a sub-agent worked, but its transcript is not there: the cost is a lower bound" in reasons(agents)


@pytest.mark.parametrize(
    "refusal",
    [
        "The user doesn't want to proceed with this tool use. The tool use was rejected.",
        "<tool_use_error>InputValidationError: Task failed due to the following issue</tool_use_error>",
        "Agent type 'looker' not found. Available agents: Explore",
        "Claude requested permissions to use Task, but you haven't granted it yet.",
    ],
)
def test_a_subagent_that_was_refused_spent_nothing(agents: Path, refusal: str) -> None:
    stream(run(agents, RUN, {}), "builder", asked(), task("m1"), answered(refusal, is_error=True))
    assert both_costs(agents) == (0.018, "computed")


def test_a_killed_subagent_is_counted_by_its_transcript(agents: Path) -> None:
    folder = run(agents, RUN, {})
    stream(folder, "builder", asked(), task("m1"))
    stream(
        folder, "builder/subagents", subagents_line("s1", input=1_000, output=1_000), name="agent-a1.jsonl"
    )
    assert both_costs(agents) == (0.036, "computed")


def test_the_transcript_of_another_subagent_is_not_that_of_a_killed_one(agents: Path) -> None:
    folder = run(agents, RUN, {})
    second = task("m2").replace('"t1"', '"t2"')
    stream(folder, "builder", asked(), task("m1"), answered(**TOLD | {"totalTokens": 2_000}), second)
    stream(
        folder, "builder/subagents", subagents_line("s1", input=1_000, output=1_000), name="agent-a1.jsonl"
    )
    assert both_costs(agents) == (0.054, "lower_bound")


# Damaged lines

WHOLE = [said(f"m{n}", input=10_000, output=1_000) for n in range(3)]  # 0.045 USD each


def test_unreadable_line_still_computed_glued(agents: Path) -> None:
    workflow = of_lines(agents, asked(), WHOLE[0] + WHOLE[1], WHOLE[2])
    assert costs(workflow) == (0.135, "computed")


def test_unreadable_line_still_computed_zero_bytes(agents: Path) -> None:
    workflow = of_lines(agents, asked(), "\0" * 300 + WHOLE[0], WHOLE[1])
    assert costs(workflow) == (0.09, "lower_bound")
    assert bases(workflow) == {"lower_bound"}


def test_unreadable_line_still_computed_begun_before_a_whole_one(agents: Path) -> None:
    workflow = of_lines(agents, asked(), WHOLE[2][:120] + WHOLE[0], WHOLE[1])
    assert costs(workflow) == (0.09, "lower_bound")


@pytest.mark.parametrize("at", [40, 200, -3])
def test_a_record_split_over_lines_is_put_together(agents: Path, at: int) -> None:
    workflow = of_lines(agents, asked(), WHOLE[0][:at], WHOLE[0][at:], WHOLE[1])
    assert costs(workflow) == (0.09, "computed")


def test_records_written_over_many_lines_each_are_put_together(agents: Path) -> None:
    pretty = [json.dumps(json.loads(text), indent=2) for text in (asked(), *WHOLE)]
    stream(run(agents, RUN, {}), "builder", asked(), *pretty)
    (workflow,) = synced(agents)
    assert costs(workflow) == (0.135, "computed")


def test_a_record_of_which_a_piece_is_missing_makes_a_lower_bound(agents: Path) -> None:
    workflow = of_lines(agents, asked(), WHOLE[0][:200], WHOLE[1], WHOLE[2])
    assert costs(workflow) == (0.09, "lower_bound")


def test_a_transcript_that_is_cut_off_in_a_line_makes_a_lower_bound(agents: Path) -> None:
    file = stream(run(agents, RUN, {}), "builder", asked(), *WHOLE)
    file.write_text(file.read_text()[:-100])
    (workflow,) = synced(agents)
    assert costs(workflow) == (0.09, "lower_bound")


def test_what_is_damaged_before_a_result_is_in_its_total(agents: Path) -> None:
    broken = assistant("m1", usage(input=10))[:90]
    assert costs(of_lines(agents, init(), broken, result(0.25, uuid="r1"))) == (0.25, "reported")


def test_what_is_damaged_after_the_last_result_is_in_no_total(agents: Path) -> None:
    broken = assistant("m1", usage(input=10))[:90]
    workflow = of_lines(agents, init(), result(0.25, uuid="r1"), broken, tool_result("t1"))
    assert costs(workflow) == (0.25, "lower_bound")


def test_a_result_glued_to_a_message_is_found_by_both_ways_of_reading(agents: Path) -> None:
    glued = assistant("m1", usage(input=10)) + result(0.25, uuid="r1")
    models = {"modelUsage": {SONNET: {"inputTokens": 20, "outputTokens": 800, "cacheReadInputTokens": 60_000,
              "cacheCreationInputTokens": 4_000, "costUSD": 0.5}}}  # fmt: skip
    workflow = of_lines(agents, init(), glued, result(0.5, uuid="r2", **models))
    assert (*costs(workflow), workflow["phase_costs"][0]["turns"]) == (0.5, "reported", 6)


def test_a_last_result_glued_to_a_message_is_found_by_both_ways_of_reading(agents: Path) -> None:
    glued = assistant("m1", usage(input=10)) + result(0.25, uuid="r1")
    assert costs(of_lines(agents, init(), glued)) == (0.25, "reported")


def test_plain_text_between_records_is_no_loss(agents: Path) -> None:
    assert costs(of_lines(agents, asked(), "Update available: 2.1", *WHOLE)) == (0.135, "computed")


def test_a_notice_glued_before_a_record_is_no_loss(agents: Path) -> None:
    assert costs(of_lines(agents, asked(), "Warning: old node" + WHOLE[0], WHOLE[1])) == (0.09, "computed")


def test_a_tool_result_one_line_before_its_call_is_not_lost(agents: Path) -> None:
    call = assistant("m1", usage(input=1), content=[tool_use("t1", "Bash", command="ls")])
    workflow = of_lines(agents, init(), tool_result("t1", is_error=True), call, result())
    (agent,) = workflow["phase_costs"]
    assert (agent["tool_calls"], agent["tool_errors"]) == (1, 1)


# Results that cannot be all


def of_models(cost: float | None, **tokens: int) -> dict[str, Any]:
    return {"modelUsage": {SONNET: {**tokens, "costUSD": cost}}}


PROMPT = {"input": 1_500, "output": 4_000, "read": 270_000, "write": 48_000}


def test_reported_cost_without_prompt_tokens(agents: Path) -> None:
    told = result(0.06, usage=usage(**PROMPT), uuid="r1", **of_models(0.06, outputTokens=4_000))
    workflow = of_lines(agents, init(), assistant("m1", usage(**{**PROMPT, "output": 1})), told)
    assert costs(workflow) == (0.3255, "lower_bound")
    assert workflow["cost_disputed"] is True
    assert bases(workflow) == {"lower_bound"}
    assert [workflow[f"{kind}_tokens"] for kind in ("input", "output", "cache_read", "cache_creation")] == [
        1_500, 4_000, 270_000, 48_000,
    ]  # fmt: skip
    assert workflow["phase_costs"][0]["cost_difference_percent"] == 442.5


def test_a_result_that_leaves_tokens_out_says_so(agents: Path) -> None:
    told = result(0.06, usage=usage(**PROMPT), **of_models(0.06, outputTokens=4_000))
    stream(run(agents, RUN, {}), "builder", init(), told)
    assert "modelUsage leaves out 319,500 tokens that usage counts" in reasons(agents)


def test_a_helper_models_tokens_are_no_contradiction(agents: Path) -> None:
    models = of_models(0.06, inputTokens=0, outputTokens=4_000)["modelUsage"]
    models[HAIKU] = {"inputTokens": 900, "outputTokens": 90, "costUSD": 0.00135}
    told = result(0.06135, usage=usage(output=4_000), modelUsage=models, uuid="r1")
    assert costs(of_lines(agents, init(), told)) == (0.06135, "reported")


def test_a_total_below_the_sum_of_its_parts_is_a_lower_bound(agents: Path) -> None:
    told = result(0.1, usage=usage(output=4_000), uuid="r1", **of_models(0.4, outputTokens=4_000))
    assert costs(of_lines(agents, init(), told)) == (0.4, "lower_bound")


ZEROS = {
    "usage": usage(input=0, output=0),
    "modelUsage": {},
    "subtype": "error_during_execution",
    "is_error": True,
}


def test_error_result_of_zeros(agents: Path) -> None:
    spoken = assistant("m1", usage(input=50_000, output=2_000))
    told = result(0, **ZEROS, result=None, errors=["interrupted"], uuid="r1")
    workflow = of_lines(agents, init(), spoken, told)
    assert costs(workflow) == (0.18, "lower_bound")
    assert bases(workflow) == {"lower_bound"}
    assert workflow["phase_costs"][0]["error"] == "interrupted"


def test_zeros_after_a_good_result_take_nothing_away(agents: Path) -> None:
    good = result(0.25, uuid="r1")
    spoken = assistant("m2", usage(input=50_000, output=2_000))
    workflow = of_lines(agents, init(), good, spoken, result(0, **ZEROS, uuid="r2"))
    assert (workflow["total_cost"], workflow["lower_bound_cost"]) == (0.25, 0.18)
    assert (workflow["cost_basis"], workflow["retry_count"]) == ("lower_bound", 0)


def test_a_cost_of_zero_beside_tokens_is_at_least_their_list_price_after_an_error(agents: Path) -> None:
    tokens = {"inputTokens": 50_000, "outputTokens": 2_000}
    told = result(0, **{**ZEROS, "usage": usage(input=50_000, output=2_000)}, uuid="r1")
    workflow = of_lines(
        agents, init(), told.replace('"modelUsage": {}', json.dumps(of_models(0, **tokens))[1:-1])
    )
    assert costs(workflow) == (0.18, "lower_bound")
    assert workflow["cost_disputed"] is True


def test_an_error_before_anything_was_spent_costs_nothing(agents: Path) -> None:
    assert costs(of_lines(agents, init(), result(0, **ZEROS, uuid="r1"))) == (0.0, "reported")


def test_a_stored_result_of_zeros_gives_way_to_what_was_spent_at_least(agents: Path) -> None:
    folder = run(agents, RUN, {})
    stream(folder, "builder", init(), result(0, **ZEROS, uuid="r1"))
    (workflow,) = synced(agents)
    assert workflow["total_cost"] == 0.0
    spoken = assistant("m1", usage(input=50_000, output=2_000))
    stream(folder, "builder", init(), spoken, result(0, **ZEROS, uuid="r1"))
    (workflow,) = synced(agents)
    assert costs(workflow) == (0.18, "lower_bound")


def test_an_empty_answer_without_tokens_that_costs_a_fraction_of_a_cent_is_no_success(agents: Path) -> None:
    helper = {HAIKU: {"inputTokens": 300, "outputTokens": 10, "costUSD": 0.00035}}
    told = result(0.00035, result="", usage=usage(input=0, output=0), modelUsage=helper, uuid="r1")
    workflow = of_lines(agents, init(), told)
    assert workflow["phase_costs"][0]["outcome"] == "false_success"
    assert costs(workflow) == (0.00035, "reported")


def test_a_run_that_did_nothing_has_no_performance(agents: Path) -> None:
    nothing = result(0, result="", usage=usage(input=0), modelUsage={}, duration_ms=250, uuid="r1")
    assert of_lines(agents, init(), nothing)["performance_score"] is None


# Results that messages or usage contradict


def speaking(message_id: str, *, model: str = SONNET, **tokens: int) -> str:
    return assistant(message_id, usage(**tokens), model=model)


SMALL = {
    "usage": usage(input=50_000, output=2_000),
    **of_models(0.18, inputTokens=50_000, outputTokens=2_000),
}


def disputed(agents: Path) -> tuple[float, str | None, bool]:
    """Return the run's least cost and basis, in a history and in its folder, and whether it is disputed."""
    least, basis = both_costs(agents)
    return least, basis, database.get_workflow_history(limit=1)["workflows"][0]["cost_disputed"]


@pytest.mark.parametrize("uuid", ["r1", None], ids=["read by its result", "read whole"])
@pytest.mark.parametrize(
    ("lines", "totals", "shown"),
    [
        (
            [speaking("m1", **PROMPT | {"output": 1})],
            {"total_cost_usd": 0.06, "usage": usage(output=4_000), **of_models(0.06, outputTokens=4_000)},
            (0.3255, 323_500),  # 1,500 x $3 + 4,000 x $15 + 270,000 x $0.30 + 48,000 x $3.75 a million
        ),
        ([speaking("m1", input=500_000, output=10)], {}, (1.53, 502_000)),
        (
            [speaking("m1", input=10, output=20), speaking("m2", model=HAIKU, input=100_000, output=1_000)],
            {},
            (0.285, 153_000),  # $0.18 + 100,000 x $1 + 1,000 x $5 a million
        ),
        ([speaking("m1", input=500_000, output=10)], {"modelUsage": None}, (1.53, 502_000)),
    ],
    ids=["cached tokens", "input", "a sub-agent's model", "without modelUsage"],
)
def test_messages_that_show_more_than_the_result_dispute_it(
    agents: Path, uuid: str | None, lines: list[str], totals: dict[str, Any], shown: tuple[float, int]
) -> None:
    stream(run(agents, RUN, {}), "builder", init(), *lines, result(0.18, uuid=uuid, **SMALL | totals))
    cost, tokens = shown
    assert disputed(agents) == (cost, "lower_bound", True)
    assert database.get_workflow_history(limit=1)["workflows"][0]["total_tokens"] == tokens
    assert "tokens that messages show" in reasons(agents)


@pytest.mark.parametrize(
    "lines",
    [
        [speaking("m1", input=50_000, output=1), speaking("m1", input=50_000, output=2_000)],
        [speaking("m0", input=90_000, output=9), init(), speaking("m1", input=50_000, output=2_000)],
        [assistant("m0", usage(input=90_000), session="other"), speaking("m1", input=50_000, output=1)],
        [speaking("m1", model="us.anthropic.claude-sonnet-4-5-20250929-v1:0", input=50_000, output=2_000)],
        [speaking("m1", model="glm-4.6", input=50_000, output=2_000)],
        [speaking("m1", input=50_100, output=2_000)],
        [assistant("", usage(input=50_000)), assistant("", usage(input=50_000))],
    ],
    ids=[
        "the same message again", "before the program started", "of another session", "another spelling",
        "a model that answers for another", "a difference by rounding", "messages without an id",
    ],
)  # fmt: skip
def test_messages_that_a_result_need_not_include_dispute_nothing(agents: Path, lines: list[str]) -> None:
    stream(run(agents, RUN, {}), "builder", init(), *lines, result(0.18, uuid="r1", **SMALL))
    assert disputed(agents) == (0.18, "reported", False)
    assert "messages show" not in reasons(agents)


def test_sub_agents_of_a_result_without_models_dispute_nothing(agents: Path) -> None:
    lines = [speaking("m1", input=10_000, output=1), speaking("m2", model=HAIKU, input=100_000, output=1)]
    told = result(0.18, uuid="r1", usage=usage(input=10_000, output=1_000), modelUsage=None)
    stream(run(agents, RUN, {}), "builder", init(), *lines, told)
    assert disputed(agents)[:2] == (0.18, "reported")
    assert "messages show" not in reasons(agents)


def test_a_second_total_too_low_for_the_messages_of_both_is_that_of_a_new_process(agents: Path) -> None:
    told = [result(0.18, uuid=f"r{n}", **SMALL | {"usage": None}) for n in (1, 2)]
    lines = [
        speaking("m1", input=50_000, output=9),
        told[0],
        init(),
        speaking("m2", input=50_000, output=9),
        told[1],
    ]
    stream(run(agents, RUN, {}), "builder", init(), *lines)
    assert disputed(agents) == (0.36, "reported", False)


HOURS = {"cache_creation_input_tokens": 100_000, "cache_creation": {"ephemeral_1h_input_tokens": 100_000}}


@pytest.mark.parametrize(
    ("reported", "totals", "cost", "is_disputed"),
    [
        (0.18, {"usage": SMALL["usage"] | HOURS}, 0.78, True),  # $0.18 + 100,000 x $6 a million
        (0.18, {"usage": usage(input=50_000, output=2_000, searches=10)}, 0.28, True),
        (0.03, {"usage": usage(input=300_000, output=2_000), "modelUsage": {}}, 0.93, True),
    ],
    ids=["1-hour cache writes", "web searches", "an empty modelUsage"],
)
def test_usage_beyond_model_usage_costs_its_list_price_at_least(
    agents: Path, reported: float, totals: dict[str, Any], cost: float, is_disputed: bool
) -> None:
    told = result(reported, uuid="r1", **SMALL | totals)
    stream(run(agents, RUN, {}), "builder", init(), speaking("m1", input=10, output=20), told)
    assert disputed(agents) == (cost, "lower_bound", is_disputed)
    assert "modelUsage leaves out" in reasons(agents)


def test_an_empty_model_usage_beside_a_total_of_that_usage_is_no_contradiction(agents: Path) -> None:
    told = result(0.18, uuid="r1", **SMALL | {"modelUsage": {}})
    stream(run(agents, RUN, {}), "builder", init(), speaking("m1", input=50_000, output=20), told)
    assert disputed(agents) == (0.18, "reported", False)


# Several processes in one file


def process(session: str, cost: float, given: int, answered: int) -> list[str]:
    tokens = usage(input=given, output=answered)
    models = of_models(cost, inputTokens=given, outputTokens=answered)
    said = assistant(f"m-{session}-{given}", tokens, session=session)
    uuid = f"r-{session}-{given}"
    return [init(session), said, result(cost, session=session, usage=tokens, uuid=uuid, **models)]


def test_second_process_appended_claude(agents: Path) -> None:
    workflow = of_lines(agents, *process("l1", 0.18, 50_000, 2_000), *process("l2", 0.24999, 70_000, 2_666))
    assert costs(workflow) == (0.42999, "reported")


def test_a_second_process_of_the_same_session_shows_by_what_its_total_leaves_out(agents: Path) -> None:
    workflow = of_lines(agents, *process("l1", 0.18, 50_000, 2_000), *process("l1", 0.24999, 70_000, 2_666))
    assert costs(workflow) == (0.42999, "reported")


def test_a_later_turns_total_that_holds_the_earlier_ones_counts_alone(agents: Path) -> None:
    first = process("l1", 0.18, 50_000, 2_000)
    models = of_models(0.42999, inputTokens=120_000, outputTokens=4_666)
    turn = usage(input=70_000, output=2_666)
    second = [
        assistant("m2", turn, session="l1"),
        result(0.42999, session="l1", usage=turn, uuid="r2", **models),
    ]
    assert costs(of_lines(agents, *first, *second)) == (0.42999, "reported")


def test_a_total_of_another_session_that_may_hold_the_earlier_one_is_a_lower_bound(agents: Path) -> None:
    models = of_models(0.42999, inputTokens=120_000, outputTokens=4_666)
    turn = usage(input=70_000, output=2_666)
    second = [init("l2"), result(0.42999, session="l2", usage=turn, uuid="r2", **models)]
    workflow = of_lines(agents, *process("l1", 0.18, 50_000, 2_000), *second)
    assert costs(workflow) == (0.42999, "lower_bound")


def test_a_process_that_was_killed_before_another_one_wrote_its_result_was_paid_for(agents: Path) -> None:
    killed = process("l1", 0.18, 50_000, 2_000)[:-1]
    workflow = of_lines(agents, *killed, *process("l2", 0.24999, 70_000, 2_666))
    assert (workflow["total_cost"], workflow["lower_bound_cost"]) == (0.24999, 0.18)


def gemini(session: str, model: str = "gemini-2.5-pro", *, at: str = "10", **stats: Any) -> list[str]:
    total = stats.pop("total_tokens", stats["input_tokens"] + stats["output_tokens"])
    return [
        line(type="init", timestamp=f"2026-02-01T{at}:00:00Z", session_id=session, model=model),
        line(type="message", role="assistant", content="4", timestamp=f"2026-02-01T{at}:00:02Z"),
        line(
            type="result",
            timestamp=f"2026-02-01T{at}:00:03Z",
            status="success",
            stats={"total_tokens": total, "cached": 0, "duration_ms": 3_000, **stats},
        ),
    ]


def test_second_process_appended_gemini(agents: Path) -> None:
    first = gemini("ga", input_tokens=100_000, output_tokens=1_000)
    second = gemini("gb", at="11", input_tokens=50_000, output_tokens=500)
    assert costs(of_lines(agents, *first, *second)) == (0.2025, "computed")


def test_a_resumed_gemini_session_whose_total_may_hold_the_first_one_is_a_lower_bound(agents: Path) -> None:
    first = gemini("ga", input_tokens=50_000, output_tokens=500)
    second = gemini("ga", at="11", input_tokens=100_000, output_tokens=1_000)
    assert costs(of_lines(agents, *first, *second)) == (0.135, "lower_bound")


def codex(thread: str, *totals: tuple[int, int, int]) -> list[str]:
    turns = [
        line(type="turn.completed", usage={"input_tokens": i, "cached_input_tokens": c, "output_tokens": o})
        for i, c, o in totals
    ]
    return [line(type="thread.started", thread_id=thread), *turns]


def test_second_process_appended_codex(agents: Path) -> None:
    workflow = of_lines(agents, *codex("A", (10_000, 0, 100)), *codex("B", (5_000, 0, 50)))
    assert (workflow["total_tokens"], workflow["cost_basis"]) == (15_150, "unpriced")


def test_codex_resumed_thread_in_one_file(agents: Path) -> None:
    first, again = codex("A", (10_000, 0, 100)), codex("A", (30_000, 5_000, 300))
    workflow = of_lines(agents, *first, *codex("B", (5_000, 0, 50)), *again)
    assert workflow["total_tokens"] == 30_300 + 5_050


def test_codex_resumed_thread(agents: Path) -> None:
    folder = run(agents, RUN, {})
    stream(folder, "planner", *codex("th-2", (16_504, 0, 20)))
    stream(folder, "builder", *codex("th-2", (85_681, 60_000, 40)))
    (workflow,) = synced(agents)
    assert workflow["total_tokens"] == 85_721
    tokens = {
        agent["agent"]: sum(agent[f"{kind}_tokens"] for kind in ("input", "output", "cache_read"))
        for agent in workflow["phase_costs"]
    }
    assert tokens == {"planner": 16_524, "builder": 69_197}


def test_a_copy_of_a_codex_stream_counts_once(agents: Path) -> None:
    folder = run(agents, RUN, {})
    for agent in ("planner", "planner_copy"):
        stream(folder, agent, *codex("th-2", (16_504, 0, 20)))
    (workflow,) = synced(agents)
    assert workflow["total_tokens"] == 16_524


# Gemini CLI


def test_gemini_thinking_tokens(agents: Path) -> None:
    lines = gemini("g1", input_tokens=7_173, output_tokens=17, total_tokens=12_190)
    assert costs(of_lines(agents, *lines)) == (0.05913625, "computed")


CACHED = {"input_tokens": 190_000, "output_tokens": 1_000, "total_tokens": 195_000, "cached": 90_000}


def test_gemini_thinking_tokens_dropped(agents: Path) -> None:
    workflow = of_lines(agents, *gemini("g1", "gemini-3-flash-preview", **CACHED))
    assert costs(workflow) == (0.0695, "computed")
    assert (workflow["input_tokens"], workflow["output_tokens"]) == (100_000, 5_000)


def test_gemini_init_glued_to_text(agents: Path) -> None:
    first, *rest = gemini("g1", "gemini-3-flash-preview", **CACHED)
    workflow = of_lines(agents, "MCP server 'x' requires authentication using: /mcp auth x" + first, *rest)
    assert costs(workflow) == (0.0695, "computed")
    assert workflow["model_used"] == "gemini-3-flash-preview"


@pytest.mark.parametrize("named", ["auto", "gemini-2.5-pro"])
def test_gemini_models_ignored(agents: Path, named: str) -> None:
    part = {"total_tokens": 110_000, "input_tokens": 100_000, "output_tokens": 10_000, "cached": 0}
    models = {"gemini-2.5-pro": part, "gemini-2.5-flash-lite": part}
    workflow = of_lines(
        agents, *gemini("g1", named, input_tokens=200_000, output_tokens=20_000, models=models)
    )
    assert costs(workflow) == (0.239, "computed")
    assert len(workflow["phase_costs"][0]["models"]) == 2


def test_models_that_do_not_add_up_to_their_total_make_a_lower_bound(agents: Path) -> None:
    part = {"total_tokens": 110_000, "input_tokens": 100_000, "output_tokens": 10_000, "cached": 0}
    lines = gemini("g1", input_tokens=200_000, output_tokens=20_000, models={"gemini-2.5-flash-lite": part})
    assert costs(of_lines(agents, *lines)) == (0.239, "lower_bound")


def failing(**stats: Any) -> list[str]:
    error = {"type": "Error", "message": "[API Error: quota exhausted]"}
    zeros = {"total_tokens": 0, "input_tokens": 0, "output_tokens": 0, "cached": 0, "duration_ms": 0}
    stamp = "2026-02-01T10:04:35Z"
    last = line(type="result", timestamp=stamp, status="error", error=error, stats=zeros | stats)
    return [gemini("g1", input_tokens=1, output_tokens=1)[0], last]


def test_gemini_error_as_python_dict(agents: Path) -> None:
    workflow = of_lines(agents, *failing())
    assert workflow["error_message"] == "[API Error: quota exhausted]"
    assert workflow["phase_costs"][0]["duration_seconds"] == 275.0
    assert workflow["duration_seconds"] == 275.0
    assert costs(workflow) == (None, None)  # zeros after an error are counts that were not made


@pytest.mark.parametrize(
    "error",
    [
        {"message": "429 Too Many Requests"},
        "429 Too Many Requests",
        {"message": '{"error": {"message": "429 Too Many Requests", "type": "x"}}'},
        {"code": 1, "data": {"message": "429 Too Many Requests"}},
    ],
)
def test_error_as_python_dict(agents: Path, error: Any) -> None:
    lines = [line(type="thread.started", thread_id="t9"), line(type="turn.failed", error=error)]
    assert of_lines(agents, *lines)["error_message"] == "429 Too Many Requests"


# Other programs' streams


def of_tool(subtype: str, at: int, **told: Any) -> str:
    call = {"readToolCall": {"args": {"path": "/srv/shop/a"}, **told}}
    fields = {"call_id": "k1", "session_id": "c1", "timestamp_ms": at, "tool_call": call}
    return line(type="tool_call", subtype=subtype, **fields)


SPENT = {
    "inputTokens": 70,
    "outputTokens": 11_799,
    "cacheReadTokens": 1_745_665,
    "cacheWriteTokens": 60_942,
}
PROMPTED = {"role": "user", "content": [{"type": "text", "text": "Do it"}]}
CURSOR = [
    line(type="system", subtype="init", apiKeySource="env", session_id="c1", model="Opus 4.8 Medium"),
    line(type="user", message=PROMPTED, session_id="c1"),
    of_tool("started", 1785054880465),
    of_tool("completed", 1785054881465, result={"error": {"message": "no"}}),
    line(type="result", subtype="success", duration_ms=200_000, result="done", session_id="c1", usage=SPENT),
]


def test_cursor_stream_read_as_claude(agents: Path) -> None:
    workflow = of_lines(agents, *CURSOR)
    (agent,) = workflow["phase_costs"]
    assert (agent["format"], agent["model"], agent["outcome"]) == ("cursor", "Opus 4.8 Medium", "success")
    assert (workflow["total_tokens"], workflow["cost_basis"]) == (1_818_476, "unpriced")
    assert (agent["tool_calls"], agent["tool_errors"], agent["duration_seconds"]) == (1, 1, 200.0)


@pytest.mark.parametrize("left_out", range(len(CURSOR)))
def test_cursors_stream_is_known_without_any_one_of_its_lines(tmp_path: Path, left_out: int) -> None:
    file = tmp_path / "raw_output.jsonl"
    file.write_text("".join(f"{text}\n" for number, text in enumerate(CURSOR) if number != left_out))
    facts = read_stream(file, "a", "builder")
    assert facts is not None
    assert facts.format == "cursor"


def step(number: int, reason: str, cost: float = 0.02) -> str:
    tokens = {"input": 6_073, "output": 160, "reasoning": 39, "cache": {"read": 100, "write": 10}}
    part = {"id": f"prt_{number}", "type": "step-finish", "reason": reason, "tokens": tokens, "cost": cost}
    return line(type="step_finish", timestamp=1786819983388 + number, sessionID="ses_1", part=part)


OPENED = line(type="step_start", timestamp=1786819979670, sessionID="ses_1", part={"type": "step-start"})
CALL = {
    "type": "tool",
    "tool": "bash",
    "callID": "c1",
    "state": {"status": "completed", "input": {"command": "ls"}},
}


def test_opencode_stream_read_as_gemini(agents: Path) -> None:
    called = line(type="tool_use", timestamp=1786819979680, sessionID="ses_1", part=CALL)
    workflow = of_lines(agents, OPENED, called, step(1, "tool-calls"), step(2, "stop"), step(2, "stop"))
    (agent,) = workflow["phase_costs"]
    assert (agent["format"], agent["outcome"], agent["tool_calls"]) == ("opencode", "success", 1)
    assert costs(workflow) == (0.04, "reported")
    assert (workflow["output_tokens"], workflow["cache_read_tokens"]) == (398, 200)


def test_opencodes_cost_of_zero_is_not_free(agents: Path) -> None:
    workflow = of_lines(agents, OPENED, step(1, "stop", cost=0))
    assert (*costs(workflow), workflow["unpriced_tokens"]) == (None, "unpriced", 6_382)


def test_opencodes_stream_without_its_end_is_a_lower_bound(agents: Path) -> None:
    workflow = of_lines(agents, OPENED, step(1, "tool-calls"), OPENED)
    assert costs(workflow) == (0.02, "lower_bound")
    assert workflow["phase_costs"][0]["outcome"] == "incomplete"


def test_an_opencode_error_is_the_runs(agents: Path) -> None:
    error = {"name": "APIError", "data": {"message": "no such model"}}
    failed = line(type="error", timestamp=1786819983388, sessionID="ses_1", error=error)
    assert of_lines(agents, OPENED, failed)["error_message"] == "no such model"


ALIKE: dict[str, list[str]] = {
    "messages of a conversation": [
        line(type="message", conversation_id="c1", text="hi"),
        line(type="result", conversation_id="c1", usage=None, answer="done"),
    ],
    "steps of a session": [
        line(type="tool_use", session_id="s", name="ls"),
        line(type="init", sessionID="s"),
    ],
}


@pytest.mark.parametrize("kind", ALIKE)
def test_a_format_that_is_only_alike_is_of_an_unknown_kind(agents: Path, kind: str) -> None:
    workflow = of_lines(agents, *ALIKE[kind])
    (agent,) = workflow["phase_costs"]
    assert (agent["format"], agent["outcome"], costs(workflow)) == ("unknown", "unknown", (None, None))
    scores = ("performance_score", "quality_score", "cost_efficiency_score")
    assert [workflow[name] for name in scores] == [None, None, None]


@pytest.mark.parametrize("command", ["sync", "cost"])
def test_an_unknown_kind_is_named_once_with_its_count(agents: Path, command: str, tmp_path: Path) -> None:
    for number in range(15):
        stream(run(agents, f"{number:08x}", {}), "builder", *ALIKE["steps of a session"])
    words = ["--db", str(tmp_path / "h.db"), command, str(agents)]
    typed = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert typed.output.count(UNKNOWN_KIND) == 1
    assert "(and 14 more like it: --verbose)" in typed.output
    every = CliRunner().invoke(app, [*words, "--verbose"], env={"COLUMNS": "200"})
    assert every.output.count(UNKNOWN_KIND) == 15


def test_a_name_that_nobody_gave_is_never_printed(agents: Path, tmp_path: Path) -> None:
    stream(run(agents, RUN, {}), "builder", *codex("A", (10_000, 0, 100)))
    typed = [("sync", str(agents)), ("cost", str(agents)), ("show", RUN), ("stats",), ("list",)]
    history = ["--db", str(tmp_path / "h.db")]
    printed = [CliRunner().invoke(app, [*history, *words]).output for words in typed]
    assert "None" not in "".join(printed)
    assert "10k tokens" in printed[1]


# Models that few streams name, and totals that may hold long requests

CODEX_COST = 0.014  # 10,000 x $1.25 and 150 x $10 a million: gpt-5-codex
CODEX_TURN = (10_000, 0, 150)
NAMING = {
    "a header before the thread": [line(model="gpt-5-codex", provider="openai")],
    "the metadata of the session": [line(type="session_meta", payload={"id": "A", "model": "gpt-5-codex"})],
    "the context of the turn": [line(type="turn_context", payload={"model": "gpt-5-codex"})],
    "the settings of the thread": [
        line(
            type="event_msg",
            payload={"type": "thread_settings_applied", "thread_settings": {"model": "gpt-5-codex"}},
        )
    ],
    "an older version's first event": [
        line(id="0", msg={"type": "session_configured", "model": "gpt-5-codex"})
    ],
}


@pytest.mark.parametrize("where", NAMING)
def test_codex_is_priced_where_a_line_names_the_model(agents: Path, where: str) -> None:
    workflow = of_lines(agents, *NAMING[where], *codex("A", CODEX_TURN))
    assert (*costs(workflow), workflow["model_used"]) == (CODEX_COST, "computed", "gpt-5-codex")


def test_a_model_that_codex_names_after_a_turn_is_that_turns_too(agents: Path) -> None:
    workflow = of_lines(agents, *codex("A", CODEX_TURN), line(type="turn.started", model="gpt-5-codex"))
    assert costs(workflow) == (CODEX_COST, "computed")


def test_codex_turns_of_two_models_are_priced_each(agents: Path) -> None:
    thread = codex("A", CODEX_TURN, (20_000, 0, 300))
    first = line(type="turn.started", model="gpt-5-codex")
    second = line(type="turn.started", model="gpt-5-mini")
    workflow = of_lines(agents, thread[0], first, thread[1], second, thread[2])
    assert costs(workflow) == (0.0168, "computed")  # and 10,000 x $0.25 and 150 x $2 a million
    used = {entry["model"]: entry["input_tokens"] for entry in workflow["phase_costs"][0]["models"]}
    assert used == {"gpt-5-codex": 10_000, "gpt-5-mini": 10_000}


def test_the_model_of_one_codex_thread_is_not_anothers(agents: Path) -> None:
    named = [line(type="thread.started", thread_id="A", model="gpt-5-codex"), *codex("A", CODEX_TURN)[1:]]
    workflow = of_lines(agents, *named, *codex("B", CODEX_TURN))
    assert (workflow["cost_basis"], workflow["unpriced_tokens"]) == ("unpriced", 10_150)
    assert workflow["lower_bound_cost"] == CODEX_COST


def test_a_codex_thread_that_is_resumed_counts_its_growth_with_its_own_model(agents: Path) -> None:
    folder = run(agents, RUN, {})
    for agent, model, total in (
        ("planner", "gpt-5-codex", (10_000, 0, 150)),
        ("builder", "gpt-5-mini", (20_000, 0, 300)),
    ):
        stream(folder, agent, line(model=model), *codex("th-2", total))
    (workflow,) = synced(agents)
    assert costs(workflow) == (0.0168, "computed")


@pytest.mark.parametrize("lines", [codex("A", CODEX_TURN), [OPENED, step(1, "stop", cost=0)]])
def test_tokens_of_a_model_that_is_not_named_are_unpriced_and_say_why(agents: Path, lines: list[str]) -> None:
    assert "no line names the model" in reasons_of(agents, *lines)
    (workflow,) = synced(agents)
    assert costs(workflow) == (None, "unpriced")


def reasons_of(agents: Path, *lines: str) -> str:
    stream(run(agents, RUN, {"adw_id": RUN}), "builder", *lines)
    return reasons(agents)


MODEL = {"modelID": "claude-sonnet-4-5", "providerID": "anthropic"}


@pytest.mark.parametrize(
    "named",
    [
        line(type="message", sessionID="ses_1", part={"type": "x"}, info={"role": "assistant", **MODEL}),
        line(type="text", sessionID="ses_1", part={"type": "text", **MODEL}),
        line(type="text", sessionID="ses_1", part={"type": "text", "model": MODEL}),
    ],
    ids=["message", "part", "model of a part"],
)
@pytest.mark.parametrize("first", [True, False])
def test_opencode_is_priced_where_a_line_names_the_model(agents: Path, named: str, first: bool) -> None:
    free = step(1, "stop", cost=0)
    workflow = of_lines(agents, OPENED, *([named, free] if first else [free, named]))
    # 6,073 x $3, 199 x $15, 100 x $0.30 and 10 x $3.75 a million
    assert costs(workflow) == (0.0212715, "computed")
    assert workflow["model_used"] == "anthropic/claude-sonnet-4-5"


def test_what_opencode_reports_counts_for_the_model_that_it_names(agents: Path) -> None:
    named = line(type="step_start", sessionID="ses_1", part={"type": "step-start", **MODEL})
    workflow = of_lines(agents, OPENED, named, step(1, "stop"))
    assert (*costs(workflow), workflow["model_used"]) == (0.02, "reported", "anthropic/claude-sonnet-4-5")


@pytest.mark.parametrize(
    ("tokens", "cost", "basis"),
    [
        ({"input_tokens": 200_000}, 0.26, "computed"),  # no request can be longer than all of them
        ({"input_tokens": 200_001}, 0.26000125, "lower_bound"),
        ({"input_tokens": 400_000, "cached": 300_000}, 0.1725, "lower_bound"),
    ],
)
def test_a_gemini_total_that_may_hold_a_long_request_is_a_lower_bound(
    agents: Path, tokens: dict[str, int], cost: float, basis: str
) -> None:
    told = reasons_of(agents, *gemini("g1", output_tokens=1_000, **tokens))
    assert ("in a long request" in told) is (basis == "lower_bound")
    (workflow,) = synced(agents)
    assert costs(workflow) == (cost, basis)
    assert bases(workflow) == {basis}


def test_a_gemini_total_of_a_model_with_one_price_for_all_requests_is_no_lower_bound(agents: Path) -> None:
    workflow = of_lines(agents, *gemini("g1", "gemini-2.5-flash", input_tokens=900_000, output_tokens=0))
    assert costs(workflow) == (0.27, "computed")


def test_a_codex_total_that_may_hold_a_long_request_is_a_lower_bound(agents: Path) -> None:
    workflow = of_lines(agents, line(model="gpt-5.4"), *codex("A", (272_001, 0, 0)))
    assert workflow["cost_basis"] == "lower_bound"
