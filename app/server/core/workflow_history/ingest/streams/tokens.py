"""Convert Anthropic's usage blocks into token counts, pricing terms and single requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ...common.models import LIST_PRICE, Call, Terms, TokenUsage
from .claude_schema import CacheCreation, LineUnreadableError, ModelEntry, Usage, parse_count

_STANDARD_TERMS = frozenset({"", "standard", "global", "not_available"})
_MAX_CALLS = 1_000  # requests read per message


class _Iteration(msgspec.Struct):
    """One API request of a message."""

    type: str | None = None
    model: str | None = None
    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    cache_read_input_tokens: int | float | None = None
    cache_creation_input_tokens: int | float | None = None
    cache_creation: CacheCreation | None = None
    speed: Any = None


def token_usage(usage: Usage | _Iteration) -> TokenUsage:
    """Return the token counts of one usage block; cache writes without a split count as 5-minute writes."""
    split = usage.cache_creation
    tools = usage.server_tool_use if isinstance(usage, Usage) else None
    written = parse_count(usage.cache_creation_input_tokens)
    one_hour = parse_count(split.ephemeral_1h_input_tokens) if split else 0
    five_minutes = parse_count(split.ephemeral_5m_input_tokens) if split else 0
    return TokenUsage(
        parse_count(usage.input_tokens),
        parse_count(usage.output_tokens),
        parse_count(usage.cache_read_input_tokens),
        max(five_minutes, written - one_hour),
        one_hour,
        parse_count(tools.web_search_requests) if tools else 0,
    )


def entry_usage(entry: ModelEntry) -> TokenUsage:
    """Return the token counts of one model in a result's modelUsage."""
    return TokenUsage(
        input=parse_count(entry.inputTokens),
        output=parse_count(entry.outputTokens),
        cache_read=parse_count(entry.cacheReadInputTokens),
        cache_write_5m=parse_count(entry.cacheCreationInputTokens),
        web_searches=parse_count(entry.webSearchRequests),
    )


def terms_of(usage: Usage) -> Terms:
    """Return the pricing terms of a request: speed, region and batch processing."""
    if usage.speed is usage.inference_geo is usage.service_tier is None:
        return LIST_PRICE
    return Terms(
        speed=_special_term(usage.speed),
        inference_geo=_special_term(usage.inference_geo),
        processing="batch" if usage.service_tier == "batch" else None,
    )


def _special_term(word: Any) -> str | None:
    return word if isinstance(word, str) and word not in _STANDARD_TERMS else None


def calls_of(usage: Usage, total: TokenUsage, terms: Terms) -> tuple[Call, ...]:
    """Return the requests of a message, or () if it took just the one that `total` counts.

    The message's own counts exclude requests of an advisor or a compaction, unless the sum shows otherwise.
    """
    if _is_single_request(usage.iterations):
        return ()
    iterations = _decode_iterations(usage.iterations)
    own_calls = [
        Call(None, token_usage(iteration), terms)
        for iteration in iterations
        if iteration.type in (None, "message")
    ]
    other_calls = [
        Call(
            iteration.model,
            token_usage(iteration),
            msgspec.structs.replace(terms, speed=_special_term(iteration.speed))
            if iteration.model
            else terms,
        )
        for iteration in iterations
        if iteration.type not in (None, "message")
    ]
    if not other_calls and len(own_calls) < 2:
        return ()
    if other_calls and _adds_up([*own_calls, *other_calls], total):
        return _with_web_searches((*own_calls, *other_calls), total)
    main_calls = own_calls if _adds_up(own_calls, total) else [Call(None, total, terms)]
    return (*_with_web_searches(main_calls, total), *other_calls)


def _is_single_request(iterations: Any) -> bool:
    """Return whether it is the usual case, one request that the message counts; a fast check."""
    if not isinstance(iterations, list) or len(iterations) != 1 or not isinstance(iterations[0], dict):
        return False
    return iterations[0].get("type") == "message"


def _decode_iterations(value: Any) -> list[_Iteration]:
    if not isinstance(value, list) or not value:
        return []
    try:
        return msgspec.convert(value[:_MAX_CALLS], list[_Iteration])
    except msgspec.ValidationError as error:
        raise LineUnreadableError(str(error)) from None


def _adds_up(calls: Sequence[Call], expected: TokenUsage) -> bool:
    """Return whether the requests add up to the message's counts, except for its web searches."""
    total = sum([call.usage for call in calls], TokenUsage())
    return total == msgspec.structs.replace(expected, web_searches=0)


def _with_web_searches(calls: Sequence[Call], total: TokenUsage) -> tuple[Call, ...]:
    """Return the requests with the message's web searches added to the first."""
    first, *rest = calls
    usage = msgspec.structs.replace(first.usage, web_searches=total.web_searches)
    return (msgspec.structs.replace(first, usage=usage), *rest)
