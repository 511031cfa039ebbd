"""Prices that genai-prices lacks, each with its source: a table row's id in, multiples of its rates out.

Where the table has a price of its own, by a tier or a variant, that one is used: a newer version of it
makes an entry here idle.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class Multiples(NamedTuple):
    """By what the list price is multiplied; web searches always cost the list price."""

    input: Decimal  # of fresh and cached input alike
    output: Decimal


class LongContext(NamedTuple):
    """What every token of a long request costs."""

    above: int  # input tokens of the request, cached ones included
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
"""Requests of the 1M context beta, of 2025-08-12 to 2026-04-30: $6 and $22.50 for $3 and $15.

Sources, looked up on 2026-11-29: platform.claude.com/docs/en/about-claude/pricing (long context pricing)
and the announcement of 2025-08-12; aws.amazon.com/bedrock/pricing ("Long Context").
"""

FAST: dict[str, Multiples] = {
    "claude-opus-4-6": Multiples(Decimal(6), Decimal(6)),
    "claude-opus-4-7": Multiples(Decimal(6), Decimal(6)),
}
"""`speed: fast`: $30 and $150; Opus 4.6 from 2026-02-07 on, Opus 4.7 until 2026-07-24.

Source, looked up on 2026-11-29: platform.claude.com/docs/en/build-with-claude/fast-mode (pricing), which
multiplies the price of a long request, too. Newer models are in the table.
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
"""Rows of the models before Opus 4.6: they cost the same wherever they are answered."""

BATCH = Multiples(Decimal("0.5"), Decimal("0.5"))
"""Anthropic's Message Batches, since 2024-10-08; the table knows them from 2026-10-14 on.

Source, looked up on 2026-11-29: platform.claude.com/docs/en/build-with-claude/batch-processing (pricing).
"""
