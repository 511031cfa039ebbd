"""The case table of docs/costs.md, one test for each row."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.server.core.workflow_history.common.models import StreamFacts, TokenUsage
from app.server.core.workflow_history.costs.accounting import compute_run_cost
from app.server.tests.support.cost_builders import OPUS, message, result, spent, stream
from app.server.tests.support.paths import ROOT

AT = datetime(2025, 12, 1, tzinfo=UTC)
PAGE = ROOT / "docs" / "costs.md"


def one_message(usage: TokenUsage, **more: object) -> StreamFacts:
    return stream(messages=(message("msg_1", usage, **more),))


def partial_then_final() -> list[StreamFacts]:
    partial, final = TokenUsage(input=1_000, output=2), TokenUsage(input=1_000, output=1_000)
    return [one_message(partial.field_max(final))]


def same_message_in_a_resumed_file() -> list[StreamFacts]:
    return [stream("a", messages=(message("msg_1"),)), stream("b", messages=(message("msg_1"),))]


def partial_in_one_file_final_in_another() -> list[StreamFacts]:
    partial = message("msg_1", TokenUsage(input=1_000, output=2))
    return [stream("a", messages=(partial,)), stream("b", messages=(message("msg_1"),))]


def five_opus_agents() -> list[StreamFacts]:
    return [stream(f"agent_{n}", results=(result("1.00", spent(OPUS, cost="1.00")),)) for n in range(5)]


def searches_beside_tokens() -> list[StreamFacts]:
    return [one_message(TokenUsage(input=1_000, output=1_000, web_searches=10))]


def stream_json_as_such() -> list[StreamFacts]:
    facts = stream("sdlc_implementor", results=(result("2.6302015", spent(OPUS, cost="2.6302015")),))
    return [facts]


CASES = {
    "a message's partial line, then its final line (1,000 in, 1,000 out)": partial_then_final(),
    "the same message again in a resumed file": same_message_in_a_resumed_file(),
    "the partial line in one file, the final line in another": partial_in_one_file_final_in_another(),
    "100,000 tokens of 5-minute cache write": [one_message(TokenUsage(cache_write_5m=100_000))],
    "100,000 tokens of 1-hour cache write": [one_message(TokenUsage(cache_write_1h=100_000))],
    "an unknown model `claude-nova-9`": [one_message(TokenUsage(1_000, 1_000), model="claude-nova-9")],
    "`glm-4.6-foo` (a known name is its prefix)": [
        one_message(TokenUsage(1_000, 1_000), model="glm-4.6-foo")
    ],
    "same message id, other request id": same_message_in_a_resumed_file(),
    "a null cache field": [one_message(TokenUsage(input=1_000, output=1_000, cache_read=0))],
    "1,000 in, 1,000 out and 10 web searches": searches_beside_tokens(),
    "a run of 5 Opus 4.5 agents at 1.00 each, results present": five_opus_agents(),
    "a stream with a result of 2.6302015": stream_json_as_such(),
}
"""Each row's streams, under the words that the page has for it."""


def total(case: str) -> float | None:
    return compute_run_cost(CASES[case], AT)["total_cost"]


def test_a_partial_line_then_its_final_line_cost_one_message():
    assert total("a message's partial line, then its final line (1,000 in, 1,000 out)") == 0.018


def test_the_same_message_again_in_a_resumed_file_counts_once():
    assert total("the same message again in a resumed file") == 0.018


def test_a_partial_line_in_one_file_and_its_final_line_in_another_count_once():
    assert total("the partial line in one file, the final line in another") == 0.018


def test_100_000_tokens_of_1_hour_cache_write_cost_0_60():
    assert total("100,000 tokens of 1-hour cache write") == 0.60
    assert total("100,000 tokens of 5-minute cache write") == 0.375


@pytest.mark.parametrize(
    "case", ["an unknown model `claude-nova-9`", "`glm-4.6-foo` (a known name is its prefix)"]
)
def test_an_unknown_model_has_no_cost_and_is_flagged(case):
    costs = compute_run_cost(CASES[case], AT)
    assert (costs["total_cost"], costs["cost_basis"], costs["unpriced_tokens"]) == (None, "unpriced", 2_000)


def test_the_same_message_id_with_another_request_id_counts_once():
    assert total("same message id, other request id") == 0.018


def test_a_null_cache_field_leaves_the_rest_counted():
    assert total("a null cache field") == 0.018


def test_10_web_searches_add_0_10():
    assert total("1,000 in, 1,000 out and 10 web searches") == 0.118


def test_a_run_of_5_opus_agents_at_1_00_each_costs_5_00():
    assert total("a run of 5 Opus 4.5 agents at 1.00 each, results present") == 5.00


def test_adw_stream_json_as_such_is_read():
    assert total("a stream with a result of 2.6302015") == 2.6302015


def table_rows() -> dict[str, str]:
    lines = (
        PAGE.read_text(encoding="utf-8").split("## The case table", 1)[1].split("\n## ", 1)[0].splitlines()
    )
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return dict(cells[1:])


def test_the_page_shows_every_case_with_the_answer_we_give():
    shown = {case: "null, flagged" if total(case) is None else f"{total(case):.10g}" for case in CASES}
    assert table_rows() == shown
