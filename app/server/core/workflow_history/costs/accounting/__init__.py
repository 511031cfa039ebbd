"""Turn what streams say into money: facts and former attempts in, costs out. No file, clock or SQL."""

from .agent_run import build_agent_run
from .run_cost import accounted, compute_run_cost, cost_data, totals_by_model

__all__ = ["accounted", "build_agent_run", "compute_run_cost", "cost_data", "totals_by_model"]
