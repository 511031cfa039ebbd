"""The frozen numbers of the scores, each with its reason; nothing is computed or read here.

Changing any of them changes stored scores: raise SCORE_VERSION with it.
"""

from typing import Final

SCORE_VERSION: Final = 1
"""Stored with every score, so that scores of different formulas are never compared unseen."""

# Clarity. Weights: how much is said and how concrete it is carry most of what an agent can act on;
# form helps to read it, and an action verb alone says little.
CLARITY_WEIGHTS: Final = {"length": 0.35, "concreteness": 0.35, "structure": 0.15, "action": 0.15}
HALF_WORDS: Final = 12.0  # different words: about one full sentence is half of what length can give
HALF_CONCRETE: Final = 2.0  # different details: one says where, a second says what
HALF_PIECES: Final = 3.0  # sentences, list items and criteria: context, change, acceptance
MAX_TEXT: Final = 20_000  # characters: every part is full long before, and longer texts only cost time

# Cost efficiency. Spend carries the score; the cache share is the one habit that tokens alone show.
COST_WEIGHTS: Final = {"spend": 0.8, "cache": 0.2}
HALF_SPEND: Final = 2.0  # USD: plan, build, test and review of one small feature cost 1 to 4 USD
PRIOR_CACHE_SHARE: Final = 0.5  # of 0..1: what a run without tokens gets, neither good nor bad
PRIOR_CACHE_TOKENS: Final = 10_000.0  # tokens: about one system prompt; below it a share says little

# Performance. Wall time carries the score; time spent on trying again is named apart.
PERFORMANCE_WEIGHTS: Final = {"pace": 0.8, "retries": 0.2}
HALF_SECONDS: Final = 600.0  # seconds: ten minutes is what a small feature takes through all phases
HALF_RETRY_SECONDS: Final = 120.0  # seconds: one repeated test or patch phase

# Quality. How the run ended counts as much as everything that happened on the way.
QUALITY_WEIGHTS: Final = {"outcome": 0.5, "agents": 0.2, "retries": 0.15, "tools": 0.15}
STATUS_VALUES: Final = {"completed": 100.0, "incomplete": 25.0, "failed": 0.0}
"""An incomplete run fell silent without an error: its parts may stand, its end is missing."""
ERROR_MESSAGE_FACTOR: Final = 0.5  # a run that ended well and still reported an error is half believed
AGENT_VALUES: Final = {
    "success": 1.0,
    "incomplete": 0.5,  # a stream is often cut because its agent commits the stream itself
    "error": 0.0,
    "false_success": 0.0,
    "empty": 0.0,
}
HALF_RETRIES: Final = 2.0  # retries: one is ordinary, several are trouble
HALF_TOOL_ERRORS: Final = 0.1  # errors per call: ordinary runs stay under 0.03
PRIOR_TOOL_CALLS: Final = 10.0  # calls: one error in one call is no rate of 1

# Phases.
BOTTLENECK_SHARE: Final = 0.3  # of the summed time: a phase must take more than this to be one
