"""Prices by exact model and date, compared with the shipped table and genai-prices."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, StartDateConstraint
from hypothesis import assume, given
from hypothesis import strategies as st

from app.server.core.workflow_history.common.errors import PriceUnknownError
from app.server.core.workflow_history.common.models import Terms, TokenUsage
from app.server.core.workflow_history.costs.pricing import cost_usd, price_version
from app.server.core.workflow_history.costs.pricing.model_lookup import find_model
from app.server.core.workflow_history.costs.pricing.surcharges import FAST as FAST_PRICES
from app.server.core.workflow_history.costs.pricing.surcharges import LONG_CONTEXT, UNDATED_FAST

LATE_2025 = datetime(2025, 12, 1, 12, tzinfo=UTC)
THOUSAND_EACH = TokenUsage(input=1_000, output=1_000)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (TokenUsage(input=1_000, output=1_000), "0.018"),  # 1,000 x 3 + 1,000 x 15 per million
        (TokenUsage(cache_read=100_000), "0.03"),
        (TokenUsage(cache_write_5m=100_000), "0.375"),
        (TokenUsage(cache_write_1h=100_000), "0.60"),
        (TokenUsage(web_searches=10), "0.10"),
        (TokenUsage(), "0"),
    ],
    ids=["input and output", "cache read", "5-minute write", "1-hour write", "web searches", "nothing"],
)
def test_each_kind_of_unit_has_its_own_price(usage, cost):
    assert cost_usd("claude-sonnet-4-5", usage, LATE_2025) == Decimal(cost)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("claude-sonnet-4-5", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5-20250929[1m]", "claude-sonnet-4-5"),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4-0"),
        ("claude-opus-4-20250514", "claude-opus-4-0"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("claude-haiku-4-5-latest", "claude-haiku-4-5"),
        ("anthropic/claude-sonnet-4.5", "claude-sonnet-4-5"),
        ("gemini-2.5-pro", "gemini-2.5-pro"),
        ("google/gemini-2.5-pro", "gemini-2.5-pro"),
        ("gpt-5-codex", "gpt-5"),
        ("glm-4.6", "GLM-4.6"),
        ("z-ai/glm-4.6", "GLM-4.6"),
        ("kimi-k2-0905-preview", "kimi-k2-0905-preview"),
        ("deepseek-chat", "deepseek-chat"),
        ("gpt-4o-2024-05-13", "gpt-4o-2024-05-13"),
    ],
)
def test_a_name_in_a_well_known_dress_is_the_models_own(name, row):
    assert find_model(name).id == row


@pytest.mark.parametrize(
    "name",
    [
        "claude-nova-9",
        "glm-4.6-foo",
        "claude-sonnet-4-5-turbo",
        "claude-sonnet-4-52",
        "claude-sonnet-4-5-20251399",
        "claude-sonnet-4-5-2025",
        "claude-sonnet",
        "sonnet",
        "my-claude-sonnet-4-5",
        "openrouter/claude-sonnet-4-5",
        "openai/claude-sonnet-4-5",
        "us.anthropic.claude-nova-9-v1:0",
        "qwen3-coder",
        "gpt-5-codex-foo",
        "default",
        "",
    ],
)
def test_a_name_that_is_nobodys_has_no_price(name):
    with pytest.raises(PriceUnknownError):
        cost_usd(name, THOUSAND_EACH, LATE_2025)


def test_bedrocks_regional_endpoint_costs_what_bedrock_takes():
    regional = cost_usd("us.anthropic.claude-sonnet-4-5-20250929-v1:0", THOUSAND_EACH, LATE_2025)
    worldwide = cost_usd("global.anthropic.claude-sonnet-4-5-20250929-v1:0", THOUSAND_EACH, LATE_2025)
    assert (regional, worldwide) == (Decimal("0.0198"), Decimal("0.018"))


def test_synthetic_messages_are_not_billed():
    assert cost_usd("<synthetic>", THOUSAND_EACH, None) == 0


def test_a_missing_hour_price_is_never_the_five_minute_price():
    bedrock = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
    assert cost_usd(bedrock, TokenUsage(cache_write_5m=1_000_000), LATE_2025) == Decimal("3.75")
    with pytest.raises(PriceUnknownError, match="1-hour"):
        cost_usd(bedrock, TokenUsage(cache_write_1h=1), LATE_2025)


def test_a_long_request_costs_more_than_its_tokens_in_short_ones():
    long = TokenUsage(input=200_001, output=1_000)
    assert cost_usd("claude-sonnet-4-5", long, LATE_2025) == Decimal("1.222506")  # 6 and 22.50 per million
    assert cost_usd("claude-sonnet-4-5", long, LATE_2025, one_request=False) == Decimal("0.615003")


def test_cached_tokens_make_a_request_long_too():
    long = TokenUsage(input=1, cache_read=200_000)
    assert cost_usd("claude-sonnet-4-5", long, LATE_2025) == Decimal("0.120006")


def test_the_long_request_price_of_sonnet_4_6_ended_on_a_date():
    long = TokenUsage(input=300_000)
    before = cost_usd("claude-sonnet-4-6", long, datetime(2026, 3, 12, tzinfo=UTC))
    after = cost_usd("claude-sonnet-4-6", long, datetime(2026, 3, 13, tzinfo=UTC))
    assert (before, after) == (Decimal("1.8"), Decimal("0.9"))


def test_without_a_date_only_a_price_that_was_always_the_same_is_known():
    assert cost_usd("claude-opus-4-5", THOUSAND_EACH, None) == Decimal("0.03")
    with pytest.raises(PriceUnknownError, match="date unknown"):
        cost_usd("claude-sonnet-4-6", TokenUsage(input=300_000), None)


def test_an_undated_run_of_a_model_with_two_price_rows_that_agree_is_priced():
    assert cost_usd("claude-sonnet-4-6", THOUSAND_EACH, None) == Decimal("0.018")
    assert cost_usd("claude-sonnet-4-6", TokenUsage(input=300_000), None, one_request=False) == Decimal("0.9")


def test_the_hour_of_day_counts_where_the_price_depends_on_it():
    tokens = TokenUsage(input=1_000_000)
    day = cost_usd("deepseek-chat", tokens, datetime(2025, 6, 1, 12, tzinfo=UTC))
    night = cost_usd("deepseek-chat", tokens, datetime(2025, 6, 1, 20, tzinfo=UTC))
    assert (day, night) == (Decimal("0.27"), Decimal("0.135"))


FAST, US_ONLY, BATCH = Terms(speed="fast"), Terms(inference_geo="us"), Terms(processing="batch")


@pytest.mark.parametrize(
    ("model", "terms", "times"),
    [
        ("claude-opus-4-8", FAST, "2"),
        ("claude-opus-5-5", FAST, "2"),
        ("claude-opus-4-7", FAST, "6"),
        ("claude-opus-4-6", FAST, "6"),
        ("claude-opus-4-6", US_ONLY, "1.1"),
        ("claude-sonnet-4-5", US_ONLY, "1"),
        ("claude-sonnet-4-5", BATCH, "0.5"),
        ("claude-opus-4-8", Terms(speed="fast", inference_geo="us"), "2.2"),
        ("us.anthropic.claude-opus-4-6-v1:0", Terms(), "1.1"),
    ],
)
def test_the_terms_of_a_request_multiply_its_list_price(model, terms, times):
    every_kind = TokenUsage(1_000, 1_000, 10_000, 3_000, 4_000)
    bare = model.removeprefix("us.anthropic.").removesuffix("-v1:0")
    for at in (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)):
        listed = cost_usd(bare, every_kind, at)
        assert cost_usd(model, every_kind, at, terms=terms) == listed * Decimal(times)


def test_fast_mode_multiplies_the_price_of_a_long_request_too():
    long = TokenUsage(input=300_000, output=1_000)
    at = datetime(2026, 2, 20, tzinfo=UTC)
    assert cost_usd("claude-opus-4-6", long, at, terms=FAST) == Decimal("18.225")  # 60 and 225 per million


@pytest.mark.parametrize(
    ("model", "times"),
    [("gpt-5-codex", "2"), ("gpt-5.2", "2"), ("gpt-5.4", "2"), ("gpt-5.5", "2.5"), ("gpt-5-mini", "1.8")],
)
def test_fast_mode_of_codex_costs_as_priority_processing(model, times):
    usage = TokenUsage(1_000, 1_000, 10_000)
    for at in (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC), None):
        listed = cost_usd(model, usage, at)
        assert cost_usd(model, usage, at, terms=FAST) == listed * Decimal(times)


def test_fast_mode_of_codex_has_no_price_before_the_date_of_the_price_table():
    usage = TokenUsage(1_000_000, 1_000_000)
    sol = "gpt-5.6-sol"
    at = datetime(2026, 11, 1, tzinfo=UTC)
    assert cost_usd(sol, usage, at, one_request=False, terms=FAST) == 48  # 8 + 40, twice the list price
    for model, when in ((sol, datetime(2026, 9, 1, tzinfo=UTC)), ("gpt-5.1-codex-mini", at)):
        with pytest.raises(PriceUnknownError, match="no price is known for"):
            cost_usd(model, usage, when, terms=FAST)


@pytest.mark.parametrize("row", sorted(UNDATED_FAST))
def test_an_undated_fast_price_is_that_of_one_list_price(row):
    model = find_model(row)
    assert isinstance(model.prices, ModelPrice), "the list price has changed: a fast price needs dates"
    fast = [each for each in model.price_variants or () if each.when == {"service_tier": "fast"}]
    assert [each.constraint for each in fast] == [StartDateConstraint(date(2026, 10, 12))]


@pytest.mark.parametrize("model", ["codex-auto-review", "gpt-5.3-codex-spark"])
def test_models_that_openai_sells_at_no_price_are_unpriced(model):
    with pytest.raises(PriceUnknownError, match="no price is known for the model"):
        cost_usd(model, THOUSAND_EACH, datetime(2026, 11, 1, tzinfo=UTC))


def test_terms_that_nobody_tells_a_price_of_have_none():
    for terms in (FAST, Terms(inference_geo="mars")):
        with pytest.raises(PriceUnknownError, match="no price is known for"):
            cost_usd("claude-sonnet-4-6", THOUSAND_EACH, LATE_2025, terms=terms)


def test_a_long_request_of_sonnet_4_costs_what_our_own_table_says():
    long = TokenUsage(input=300_000, output=10_000)
    for at in (datetime(2025, 10, 1, tzinfo=UTC), None):
        assert cost_usd("claude-sonnet-4-20250514", long, at) == Decimal("2.025")  # 6 and 22.50 per million
    regional = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert cost_usd(regional, long, LATE_2025) == Decimal("2.2275")  # 10% more


@pytest.mark.parametrize("row", sorted(LONG_CONTEXT))
def test_our_own_long_context_price_is_needed_still(row):
    price = next(m for p in get_snapshot().providers for m in p.models if m.id == row).prices
    assert isinstance(price.input_mtok, Decimal), "genai-prices has a tier of its own now: take ours out"


@pytest.mark.parametrize("row", sorted(FAST_PRICES))
def test_our_own_fast_price_is_needed_still(row):
    model = next(m for p in get_snapshot().providers if p.id == "anthropic" for m in p.models if m.id == row)
    variants = [variant.when for variant in model.price_variants or ()]
    assert {"speed": "fast"} not in variants, "genai-prices has this price itself now: take ours out"


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "regional."),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-6-v1",
            "regional.",
        ),
        ("global.anthropic.claude-opus-4-6-v1[1m]", "global."),
        ("vertex_ai/claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
    ],
)
def test_a_clouds_spelling_of_a_name_is_read(name, row):
    assert find_model(name).id.startswith(row)


def test_the_price_version_is_the_tables():
    assert price_version()[0].isdigit()


COUNTS = st.integers(0, 5_000_000)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
USAGES = st.builds(TokenUsage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, st.integers(0, 100))
WITHOUT_CACHE_WRITES = st.builds(TokenUsage, COUNTS, COUNTS, COUNTS)
MODERN_CLAUDE = [
    "claude-haiku-4-5",
    "claude-sonnet-4-0",
    "claude-sonnet-4-5",
    "claude-sonnet-4-6",
    "claude-opus-4-6",
]
MADE_BY_OTHERS = [
    "gpt-5",
    "o3",
    "gemini-2.5-pro",
    "gemini-3-pro-preview",
    "deepseek-chat",
    "glm-4.6",
    "grok-code-fast-1",
]
PRICEABLE = st.one_of(
    st.tuples(st.sampled_from(MODERN_CLAUDE), USAGES),
    st.tuples(st.sampled_from(MADE_BY_OTHERS), WITHOUT_CACHE_WRITES),
)


def provider_of(name: str) -> str:
    return next(p.id for p in get_snapshot().providers if any(m is find_model(name) for m in p.models))


@given(PRICEABLE, MOMENTS)
def test_our_sum_is_genai_prices_own(spent, at):
    model, usage = spent
    context = usage.input + usage.cache_read + usage.cache_write
    assume(model != "claude-sonnet-4-0" or context <= 200_000)  # its long requests are in our own table
    theirs = Usage(
        input_tokens=context,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        cache_write_1h_tokens=usage.cache_write_1h,
        web_searches=usage.web_searches,
    )
    price = calc_price(theirs, model, provider_id=provider_of(model), genai_request_timestamp=at)
    assert cost_usd(model, usage, at) == price.total_price


@given(st.sampled_from(MODERN_CLAUDE + MADE_BY_OTHERS), st.from_regex(r"[-.:]?[a-z]{1,8}", fullmatch=True))
def test_no_name_is_priced_by_its_beginning(model, tail):
    names = {"o3-pro", "o3-mini", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "gpt-5-codex", "gpt-5-chat"}
    assume(tail != "-latest")
    assume(model + tail not in names | {"glm-4.6v"})
    with pytest.raises(PriceUnknownError):
        cost_usd(model + tail, THOUSAND_EACH, LATE_2025)


@given(PRICEABLE, WITHOUT_CACHE_WRITES, MOMENTS)
def test_more_tokens_never_cost_less(spent, more, at):
    model, usage = spent
    assert cost_usd(model, usage, at) <= cost_usd(model, usage + more, at)


@given(PRICEABLE, MOMENTS)
def test_a_sum_at_base_rates_never_costs_more_than_one_request(spent, at):
    model, usage = spent
    assert cost_usd(model, usage, at, one_request=False) <= cost_usd(model, usage, at)
