"""Generate the token usage of a stream's messages: a profile and a random source in, token counts out.

The context grows with each message. The previous context is read from the cache; if the cache is missed,
it is written again, which costs twelve times as much.
"""

from dataclasses import dataclass
from random import Random

from ..common.models import TokenUsage

_SYSTEM_PROMPT = 13_900  # tokens, always in the cache
_LARGEST_CONTEXT = 150_000  # tokens; below every price tier for long contexts


@dataclass(frozen=True, slots=True)
class TokenProfile:
    """Token usage of an agent."""

    growth: int  # tokens that each message adds to the context
    output: int  # output tokens per message
    missed_cache: float = 0.0  # share of the context that every message writes to the cache again, 0 to 1


def message_usages(source: Random, spending: TokenProfile, count: int) -> list[TokenUsage]:
    """Return the usage of each of `count` messages, in order."""
    context = _SYSTEM_PROMPT
    usages = []
    for turn in range(count):
        new_tokens = source.randint(8_500, 10_500) if turn == 0 else _vary(source, spending.growth)
        missed_share = min(1.0, spending.missed_cache * source.uniform(0.8, 1.2)) if turn else 0.0
        missed = int(context * missed_share)
        usages.append(
            TokenUsage(
                input=source.randint(3, 60),
                output=_vary(source, spending.output),
                cache_read=context - missed,
                cache_write_5m=new_tokens + missed,
            )
        )
        context = min(context + new_tokens, _LARGEST_CONTEXT)
    return usages


def partial_outputs(source: Random, usage: TokenUsage, lines: int) -> list[TokenUsage]:
    """Return the usage in each line of one message, with output tokens that increase from 1.

    Even the last line understates the output, as in real streams.
    """
    last_output = max(2, int(usage.output * source.uniform(0.3, 0.6)))
    outputs = [1 + (last_output - 1) * turn // max(1, lines - 1) for turn in range(lines)]
    return [
        TokenUsage(usage.input, output, usage.cache_read, usage.cache_write_5m) for output in outputs[:lines]
    ]


def helper_usage(source: Random) -> TokenUsage:
    """Return the usage of the small helper model in a session."""
    return TokenUsage(input=source.randint(3_500, 15_000), output=source.randint(80, 360))


def sub_agent_usage(source: Random, spending: TokenProfile) -> TokenUsage:
    """Return the usage of a sub-agent on the main model, which no message of the main thread shows."""
    return sum(message_usages(source, spending, source.randint(3, 5)), TokenUsage())


def _vary(source: Random, middle: int) -> int:
    return int(middle * source.uniform(0.7, 1.3)) + 1
