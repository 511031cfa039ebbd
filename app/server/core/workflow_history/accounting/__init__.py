"""Turn what streams say into money: facts and former attempts in, costs out. No file, clock or SQL."""

from .runs import account, accounted, cost_data, model_totals
from .streams import agent_run

__all__ = ["account", "accounted", "agent_run", "cost_data", "model_totals"]
