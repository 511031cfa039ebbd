"""What the accounting adds to the shared records: fields only, no behaviour."""

from __future__ import annotations

from ..models import AgentRun, CostData


class StreamCost(AgentRun, total=False):
    """One stream's costs, as stored in `phase_costs`."""

    cost_disputed: bool  # our own sum differs from the reported cost by more than 1%
    cost_difference_percent: float | None  # percent of the reported cost; None: nothing to compare
    duplicate_of: str | None  # the stream in which the same spending is counted already
    restarts: int  # processes that wrote into this file after the first one
    restart_cost: float | None  # USD, the cost of those; None: unknown
    retries: int  # 1 for a stream that repeats earlier work, and its restarts
    retry_cost: float | None  # USD of those, 0.0 without any; None: unknown


class RunCosts(CostData, total=False):
    """A whole run's costs; `total_cost` and `lower_bound_cost` never hold the same dollar."""

    cost_disputed: bool  # some stream's reported cost is disputed
    cost_difference_percent: float | None  # percent of the reported sum, over the streams that have both
    web_searches: int | None
    cache_creation_5m_tokens: int | None
    cache_creation_1h_tokens: int | None
