"""Calculate the cost of runs from facts of their streams and stored attempts. No file, clock or SQL."""

from .agent_run import build_agent_run
from .run_cost import compute_cost_and_claims, compute_run_cost, cost_data, totals_by_model

__all__ = ["build_agent_run", "compute_cost_and_claims", "compute_run_cost", "cost_data", "totals_by_model"]
