"""Generate error messages of failed agents: a random source and a time in, the CLI's final text out. Pure."""

from datetime import datetime, timedelta
from random import Random

_WEIGHTS = {"limit": 8, "overloaded": 5, "too_long": 3, "timeout": 2, "credit": 1}
"""Relative frequency of each cause of failure; the sum is 19."""


def failure_text(source: Random, moment: datetime) -> str:
    """Return the error message with which Claude Code ends at about `moment`, an aware time."""
    cause = source.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()))[0]
    if cause == "limit":
        reset = (moment + timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
        return f"Claude AI usage limit reached|{int(reset.timestamp())}"
    if cause == "overloaded":
        return (
            'API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},'
            f'"request_id":"req_{source.getrandbits(64):016x}"}}'
        )
    return {
        "too_long": "Prompt is too long",
        "timeout": "API Error: Request timed out.",
        "credit": "Credit balance is too low",
    }[cause]
