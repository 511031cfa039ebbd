"""Frozen constants of the scores, each with its reason; nothing is computed or read here.

Changing one of them changes stored scores: increase SCORE_VERSION too.
"""

from collections.abc import Mapping
from typing import Final

from ...common.models import RunStatus
from ...common.outcomes import Outcome

SCORE_VERSION: Final = 1
"""Version stored with each score, so that scores of different formulas are never compared unnoticed."""

# Clarity. An agent needs mostly amount and concreteness of information; form makes it easier to read,
# and an action verb alone adds little.
CLARITY_WEIGHTS: Final = {"length": 0.35, "concreteness": 0.35, "structure": 0.15, "action": 0.15}
HALF_WORDS: Final = 12.0  # distinct words: about one full sentence gives half of the score for length
HALF_DETAILS: Final = 2.0  # distinct details: one for the place, one for the change
HALF_PIECES: Final = 3.0  # sentences, list items and criteria: context, change, acceptance
MAX_TEXT: Final = 20_000  # characters: all components saturate long before; longer texts only take time

# Cost efficiency. Spending dominates; the cache hit rate is the only way of working that token counts show.
COST_WEIGHTS: Final = {"spend": 0.8, "cache": 0.2}
HALF_SPEND: Final = 2.0  # USD: plan, build, test and review of one small feature cost 1 to 4 USD
PRIOR_CACHE_SHARE: Final = 0.5  # 0 to 1: the neutral share of a run without tokens
PRIOR_CACHE_TOKENS: Final = 10_000.0  # tokens: about one system prompt; a share of fewer tokens means little

# Performance. Wall time dominates; time spent on retries is a separate component.
PERFORMANCE_WEIGHTS: Final = {"pace": 0.8, "retries": 0.2}
HALF_SECONDS: Final = 600.0  # seconds: a small feature takes ten minutes through all phases
HALF_RETRY_SECONDS: Final = 120.0  # seconds: one repeated test or patch phase

# Quality. The end of the run counts as much as everything before it.
QUALITY_WEIGHTS: Final = {"outcome": 0.5, "agents": 0.2, "retries": 0.15, "tools": 0.15}
STATUS_VALUES: Final[Mapping[str, float]] = {
    RunStatus.COMPLETED: 100.0,
    RunStatus.INCOMPLETE: 25.0,
    RunStatus.FAILED: 0.0,
}
"""An incomplete run stopped without an error: parts may be usable, but its end is missing."""
ERROR_MESSAGE_FACTOR: Final = 0.5  # a completed run that also reported an error counts half
AGENT_VALUES: Final[Mapping[str, float]] = {
    Outcome.SUCCESS: 1.0,
    Outcome.INCOMPLETE: 0.5,  # a stream is often cut off because its agent commits the stream file itself
    Outcome.ERROR: 0.0,
    Outcome.FALSE_SUCCESS: 0.0,
    Outcome.EMPTY: 0.0,
}
HALF_RETRIES: Final = 2.0  # retries: one is normal, several are a problem
HALF_TOOL_ERRORS: Final = 0.1  # errors per call: normal runs stay below 0.03
PRIOR_TOOL_CALLS: Final = 10.0  # calls: keeps one error in one call from being a rate of 1

# Phases.
BOTTLENECK_SHARE: Final = 0.3  # share of the summed time that the bottleneck phase must exceed
