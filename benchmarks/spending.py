"""Exact token counts and costs of generated files, to verify the values read from them."""

from __future__ import annotations

from dataclasses import dataclass, field

RATES = {
    "claude-sonnet-4-5-20250929": (3000, 15000, 300, 3750),
    "claude-opus-4-5-20251101": (5000, 25000, 500, 6250),
    "claude-haiku-4-5-20251001": (1000, 5000, 100, 1250),
}
"""Prices by model in nanodollars per token: uncached input, output, cache read, 5-minute cache write."""


@dataclass(slots=True)
class Tokens:
    """Token counts by kind, for example of one model."""

    input: int = 0  # uncached
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    @property
    def total(self) -> int:
        """Sum of all counts."""
        return self.input + self.output + self.cache_read + self.cache_write

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )

    def nanodollars(self, model: str) -> int:
        """Return the cost of these tokens in nanodollars."""
        counts = (self.input, self.output, self.cache_read, self.cache_write)
        return sum(count * rate for count, rate in zip(counts, RATES[model], strict=True))


@dataclass(slots=True)
class Written:
    """Totals of generated files, to compare with the values read from them."""

    runs: int = 0
    streams: int = 0
    files: int = 0
    bytes: int = 0
    nanodollars: int = 0  # sum of the costs reported in result lines
    tokens: Tokens = field(default_factory=Tokens)  # from result lines, or from messages if there is none
    without_result: int = 0  # number of streams without a result line

    def __add__(self, other: Written) -> Written:
        return Written(
            self.runs + other.runs,
            self.streams + other.streams,
            self.files + other.files,
            self.bytes + other.bytes,
            self.nanodollars + other.nanodollars,
            self.tokens + other.tokens,
            self.without_result + other.without_result,
        )


def dollars(nanodollars: int) -> bytes:
    """Format an amount in dollars as streams contain it.

    >>> dollars(502_046_250)
    b'0.50204625'
    """
    whole, rest = divmod(nanodollars, 10**9)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".").encode()
