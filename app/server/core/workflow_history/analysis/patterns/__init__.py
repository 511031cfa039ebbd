"""Detect recurring operations of agents: agent runs in, patterns out. Pure, except for `host_detector`."""

from .detection import PatternTally, detect_patterns, pattern_id, tally_patterns
from .records import AgentOperations, PatternOccurrence, agent_activities, operation_records, phases_only
from .tool_operations import operations_of

__all__ = [
    "AgentOperations",
    "PatternOccurrence",
    "PatternTally",
    "agent_activities",
    "detect_patterns",
    "operation_records",
    "operations_of",
    "pattern_id",
    "phases_only",
    "tally_patterns",
]
