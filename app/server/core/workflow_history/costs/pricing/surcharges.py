"""Prices that genai-prices lacks, as multiples of a table row's rates, each with its source.

A tier or a variant in the price table has priority. So an entry here has no effect once a newer version of
the table contains the price.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class Multiples(NamedTuple):
    """Factors applied to the list price; web searches always cost the list price."""

    input: Decimal  # for uncached and cached input
    output: Decimal


class LongContext(NamedTuple):
    """Price of all tokens of a long request."""

    above: int  # threshold in input tokens of the request, cached ones included
    multiples: Multiples


LIST = Multiples(Decimal(1), Decimal(1))

_SONNET_LONG = LongContext(200_000, Multiples(Decimal(2), Decimal("1.5")))

LONG_CONTEXT: dict[str, LongContext] = {
    "claude-sonnet-4-0": _SONNET_LONG,
    "global.anthropic.claude-sonnet-4-20250514-v1:0": _SONNET_LONG,
    "regional.anthropic.claude-sonnet-4-20250514-v1:0": _SONNET_LONG,
    "global.anthropic.claude-sonnet-4-5-20250929-v1:0": _SONNET_LONG,
    "regional.anthropic.claude-sonnet-4-5-20250929-v1:0": _SONNET_LONG,
}
"""Requests of the 1M context beta, from 2025-08-12 to 2026-04-30: $6 and $22.50 in place of $3 and $15.

Sources, looked up on 2026-11-29: platform.claude.com/docs/en/about-claude/pricing (long context pricing)
and the announcement of 2025-08-12; aws.amazon.com/bedrock/pricing ("Long Context").
"""

FAST: dict[str, Multiples] = {
    "claude-opus-4-6": Multiples(Decimal(6), Decimal(6)),
    "claude-opus-4-7": Multiples(Decimal(6), Decimal(6)),
}
"""`speed: fast`: $30 and $150; Opus 4.6 since 2026-02-07, Opus 4.7 until 2026-07-24.

Source, looked up on 2026-11-29: platform.claude.com/docs/en/build-with-claude/fast-mode (pricing). The
factors also apply to the price of a long request. Newer models are in the price table.
"""

UNDATED_FAST = frozenset({
    "gpt-5", "gpt-5-mini", "gpt-5.1", "gpt-5.2", "gpt-5.4", "gpt-5.4-mini", "gpt-5.5",
})  # fmt: skip
"""Rows with the same fast price (priority processing, `/fast` of Codex) before 2026-10-12.

The price table has it only since then. Source, looked up on 2026-11-30: openai.com/api-priority-processing in
its versions of 2026, with the same prices.
"""

US_ONLY = Multiples(Decimal("1.1"), Decimal("1.1"))
"""`inference_geo: us`, for Opus 4.6 and all later models.

Source, looked up on 2026-11-29: platform.claude.com/docs/en/about-claude/pricing (data residency pricing).
"""

WITHOUT_US_ONLY = frozenset({
    "claude-2", "claude-v1", "claude-3-haiku", "claude-3-sonnet", "claude-3-opus-latest", "claude-3-5-sonnet",
    "claude-3-5-haiku-latest", "claude-3-7-sonnet-latest", "claude-sonnet-4-0", "claude-opus-4-0",
    "claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5",
})  # fmt: skip
"""Rows of models before Opus 4.6, whose price does not depend on the location."""

BATCH = Multiples(Decimal("0.5"), Decimal("0.5"))
"""Anthropic's Message Batches, since 2024-10-08; the price table contains them from 2026-10-14 on.

Source, looked up on 2026-11-29: platform.claude.com/docs/en/build-with-claude/batch-processing (pricing).
"""
